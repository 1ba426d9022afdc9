#include "base/command_line.h"

#include <cstdio>

#include "base/printable.h"

namespace strongroom::base {

std::string NotEmpty(const std::string& value) { return value.empty() ? "is empty" : ""; }

int RefuseUsage(std::string_view command, std::string_view problem) {
  const std::string program(command.substr(0, command.find(' ')));
  const std::string line = program + ": " + std::string(problem) + "; see `" + std::string(command) + " --help`";
  std::fprintf(stderr, "%s\n", Printable(line).c_str());
  return kExitUsage;
}

}  // namespace strongroom::base
