// How every program answers a command line that it does not take: one line, and exit code 2.
#pragma once

#include <string>
#include <string_view>

namespace strongroom::base {

inline constexpr int kExitUsage = 2;

// CommandOf is the command that a CLI::App was told, as far as it was understood: "keytool profile set".
template <typename App>
std::string CommandOf(const App& app) {
  const auto named = app.get_subcommands();
  return app.get_name() + (named.empty() ? "" : " " + CommandOf(*named.front()));
}

// RefuseUsage writes "PROGRAM: PROBLEM; see `COMMAND --help`" to standard error, where COMMAND begins with PROGRAM and
// all is made Printable, and returns kExitUsage.
int RefuseUsage(std::string_view command, std::string_view problem);

}  // namespace strongroom::base
