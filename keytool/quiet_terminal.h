// QuietTerminal: a question on the terminal whose answer does not show, and an echo that comes back whatever happens.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace strongroom::keytool {

// While it lives, /dev/tty does not echo, and SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP turn the echo on again before
// they have their usual effect. One at a time: signal handlers belong to the process.
class QuietTerminal {
 public:
  enum class Event : std::uint8_t {
    kInput,      // fd() can be read: a line, or the end
    kStartOver,  // the process was stopped and goes on: what was typed is gone, the question has been asked again
  };

  // Open takes /dev/tty, turns its echo off, throws away what was typed ahead and prints the question.
  static Result<std::unique_ptr<QuietTerminal>> Open(std::string question);
  // The destructor turns the echo on again, throws away what was typed and not read, and ends the line.
  ~QuietTerminal();
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  Result<Event> Wait();
  // MoreFollows, asked behind a line, is true where more comes within a moment, as only a paste does; it is thrown away. No line is read after it.
  bool MoreFollows();
  int fd() const { return tty_.get(); }

 private:
  struct Saved;
  QuietTerminal(base::UniqueFd tty, std::string question);
  Result<void> Engage();
  void Release();
  Result<void> Hush();
  Result<bool> TakeSignals();

  base::UniqueFd tty_;
  std::string question_;
  std::unique_ptr<Saved> saved_;
  bool engaged_ = false;
};

}  // namespace strongroom::keytool
