// Program: the other programs of Strongroom, found beside keytool's own executable and run for one answer.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// FindProgram is the absolute path of an executable beside this one; the problem names where it was looked for.
Outcome<std::string> FindProgram(const std::string& name);

// Finished is how a program ended and what it wrote to standard output (at most 64 KiB of it). exit_code is -1 where a
// signal ended it.
struct Finished {
  int exit_code = -1;
  std::string output;
};

// RunProgram starts the executable, without a shell and with nothing but descriptors 0 to 2, and waits at most `patience`
// for its end; then it is killed, by its pid. Its standard error is ours; its standard input is empty.
Outcome<Finished> RunProgram(const std::string& path, const std::vector<std::string>& arguments,
                             base::Micros patience);

}  // namespace strongroom::keytool
