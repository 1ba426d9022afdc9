// auditlog export: the trail for others.
#pragma once

#include <functional>

#include "audit/logs.h"

namespace CLI {
class App;
}

namespace strongroom::audit {

// Command is one that was added to the command line; `run` does what it was told and returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

// AddExport adds `export`. `sources` holds what is said before the command, and outlives it.
Command AddExport(CLI::App& app, Sources& sources);

}  // namespace strongroom::audit
