// The programs as a person or a script runs them, and a home of their own to run in.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace strongroom::keytool {

struct Ran {
  int status = -1;
  std::string out, err;
};

// RunKeytool runs the real keytool with `input` on its standard input, which is no terminal.
Ran RunKeytool(const std::vector<std::string>& arguments, const std::string& input = "");

bool Has(const std::string& text, std::string_view part);

// Until polls a condition for at most 20 s.
bool Until(const std::function<bool()>& condition);

// Home is a new empty directory, removed with everything in it.
class Home {
 public:
  Home();
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  std::string path() const { return directory_ / "home"; }
  // File writes a file beside the home and returns its path.
  std::string File(const std::string& name, const std::string& content, mode_t mode = 0600) const;

 private:
  std::filesystem::path directory_;
};

// Vaultd is a running vaultd, stopped by its pid.
class Vaultd {
 public:
  explicit Vaultd(const Home& home);
  ~Vaultd() { Stop(); }
  Vaultd(const Vaultd&) = delete;
  Vaultd& operator=(const Vaultd&) = delete;
  void Stop();

 private:
  pid_t pid_ = -1;
};

}  // namespace strongroom::keytool
