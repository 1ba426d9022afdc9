// Progress: what a person watching a long task sees: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace strongroom::base {

// ProgressLine renders "[####····] 123/200 62% 24.1/s failed 1 ETA 0:03" in at most `width` columns.
std::string ProgressLine(std::int64_t done, std::int64_t failed, std::int64_t total, double rate, std::size_t width);

// Progress writes to stderr. On a terminal it redraws one line; otherwise it prints one at each tenth.
class Progress {
 public:
  explicit Progress(std::int64_t total, std::int64_t already_done);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Show(std::int64_t done, std::int64_t failed);

 private:
  bool terminal_;
  bool drawn_ = false;
  std::int64_t total_, first_done_, last_tenth_ = -1;
  Micros started_, shown_ = 0;
};

}  // namespace strongroom::base
