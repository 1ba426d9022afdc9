#include "tests/e2e/process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

namespace strongroom::e2e {
namespace {

std::string PathOf(const std::string& program) {
  return program.starts_with("/") ? program : std::string(STRONGROOM_BIN) + "/" + program;
}

std::vector<std::string> EnvironmentOf(const Launch& launch) {
  std::map<std::string, std::string> all = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/"}};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) all[name] = value;
  }
  for (const auto& [name, value] : launch.environment) all[name] = value;
  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// InputFile is an unnamed file that holds the text: no pipe can fill up, and nobody has to write to it later.
int InputFile(const std::string& stem, const std::string& text) {
  if (text.empty()) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  const std::string path = stem + ".in";
  WriteWhole(path, text);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  unlink(path.c_str());
  return fd;
}

}  // namespace

Process::Process(const Launch& launch, const std::string& stem) : stem_(stem) {
  std::vector<std::string> arguments = {PathOf(launch.program)};
  arguments.insert(arguments.end(), launch.arguments.begin(), launch.arguments.end());
  std::vector<std::string> environment = EnvironmentOf(launch);
  const std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);
  const int in = InputFile(stem, launch.input);
  const int out = open((stem + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int err = open((stem + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    dup2(in, 0);
    dup2(launch.output >= 0 ? launch.output : out, 1);
    dup2(err, 2);
    if (launch.uid != 0) {
      if (setgroups(0, nullptr) != 0 || setgid(launch.uid) != 0 || setuid(launch.uid) != 0) _exit(126);
    }
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(in);
  close(out);
  close(err);
  ended_ = pid_ < 0;
}

Process::Process(Process&& other) noexcept {
  *this = std::move(other);
}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  if (!ended_) Crash();
  pid_ = std::exchange(other.pid_, -1);
  status_ = other.status_;
  ended_ = std::exchange(other.ended_, true);
  stem_ = other.stem_;
  return *this;
}

Process::~Process() {
  if (!ended_) Crash();
}

bool Process::Reap(int options) {
  if (ended_) return true;
  if (waitpid(pid_, &status_, options) == pid_) ended_ = true;
  return ended_;
}

bool Process::running() {
  return !Reap(WNOHANG);
}

void Process::Signal(int number) const {
  if (!ended_) kill(pid_, number);
}

Ended Process::Wait(int seconds) {
  Ended ended;
  const bool in_time = Eventually([this] { return Reap(WNOHANG); }, seconds);
  if (!in_time) {
    kill(pid_, SIGKILL);
    Reap(0);
  } else {
    ended.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
    ended.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
  }
  ended.out = Out();
  ended.err = Err();
  return ended;
}

Ended Process::Stop() {
  Signal(SIGTERM);
  return Wait();
}

void Process::Crash() {
  Signal(SIGKILL);
  Reap(0);
}

std::string Process::Out() const {
  return ReadWhole(stem_ + ".out");
}
std::string Process::Err() const {
  return ReadWhole(stem_ + ".err");
}

Ended Run(const Launch& launch, const std::string& stem, int seconds) {
  return Process(launch, stem).Wait(seconds);
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteWhole(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void Pause() {
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

long long NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace strongroom::e2e
