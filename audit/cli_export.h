// auditlog export: the trail for others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "audit/logs.h"

namespace CLI {
class App;
class Option;
}

namespace strongroom::audit {

// Command is one that was added to the command line; `run` does what it was told and returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

// AddCount adds an option, or an argument, that takes a plain decimal number.
CLI::Option* AddCount(CLI::App& app, const std::string& name, const std::string& help, const std::function<void(std::int64_t)>& take);

// AddExport adds `export`. `sources` holds what is said before the command, and outlives it.
Command AddExport(CLI::App& app, Sources& sources);

}  // namespace strongroom::audit
