// Terminal: a program on a pseudo-terminal, started by something like a shell, so that it can be stopped and go on.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace strongroom::keytool {

class Terminal {
 public:
  // Starts the program with one more argument: the number of a descriptor whose text Said returns.
  explicit Terminal(const std::string& program, std::vector<std::string> arguments = {});
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Type(const std::string& text);
  // Waits until the terminal has shown `part` `times` times.
  bool Shows(const std::string& part, int times = 1);
  // Everything the terminal has shown.
  std::string Shown();
  bool Echoes() const;
  bool WaitsForEcho(bool on) const;
  void Signal(int number) const;
  bool IsStopped() const;
  // Ended waits for the end: the exit code, or minus the signal that ended it.
  int Ended();
  std::string Said();

 private:
  int master_ = -1, said_ = -1, pid_pipe_ = -1;
  pid_t shell_ = -1, program_ = -1;
  std::string shown_;
  bool ended_ = false;
};

}  // namespace strongroom::keytool
