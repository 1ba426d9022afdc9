// Process: one program under test, from fork to wait. Nothing outlives the test: each child dies with it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace strongroom::e2e {

// kPatience bounds every wait, in seconds. Sanitized programs are several times slower.
#ifdef STRONGROOM_SANITIZED
inline constexpr int kPatience = 150;
#else
inline constexpr int kPatience = 40;
#endif

// Launch is what a program is started with. `program` is a name in build/bin or an absolute path; the
// environment holds PATH, HOME, the sanitizers' options and `environment`, nothing else. uid 0 keeps the
// caller's.
struct Launch {
  std::string program;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment = {};
  std::string input = "";  // standard input: this text, then its end
  uid_t uid = 0;
  int output = -1;  // standard output, the caller's; -1 is the file that Out reads
};

// Ended is how a program ended. `code` is its exit status, -1 where a signal ended it, -2 where it ran too
// long and was killed.
struct Ended {
  int code = -2;
  int signal = 0;
  std::string out, err;
};

// Process owns a running program. Its output goes to files beside `stem` (stem.out, stem.err).
class Process {
 public:
  Process() = default;
  Process(const Launch& launch, const std::string& stem);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  // Kills with SIGKILL what is still running.
  ~Process();

  pid_t pid() const { return pid_; }
  bool running();
  void Signal(int number) const;
  // Wait returns how it ended, killing it after `seconds`.
  Ended Wait(int seconds = kPatience);
  // Stop is SIGTERM, then Wait.
  Ended Stop();
  // Crash is kill -9, then Wait.
  void Crash();
  std::string Out() const;
  std::string Err() const;

 private:
  bool Reap(int options);
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = true;
  std::string stem_;
};

// Run runs a program to its end.
Ended Run(const Launch& launch, const std::string& stem, int seconds = kPatience);

// Eventually polls until `condition` holds, at most `seconds`; the return value is what it last said.
template <typename Condition>
bool Eventually(Condition&& condition, int seconds = kPatience);

std::string ReadWhole(const std::string& path);
void WriteWhole(const std::string& path, const std::string& text);
// Has is true where `text` contains `part`.
bool Has(const std::string& text, const std::string& part);
// Lines splits text at its line ends; an empty last line is left out.
std::vector<std::string> Lines(const std::string& text);

// Pause is the length of one poll.
void Pause();
// Now is the steady clock in milliseconds.
long long NowMs();

template <typename Condition>
bool Eventually(Condition&& condition, int seconds) {
  const long long limit = NowMs() + 1000LL * seconds;
  while (NowMs() < limit) {
    if (condition()) return true;
    Pause();
  }
  return condition();
}

}  // namespace strongroom::e2e
