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

// UnknownCommand is "there is no command WORD" where a command was needed, and WORD came in its place and is nothing
// but a few small letters: a pasted key is longer and must not be shown. Otherwise it is `problem`, as CLI11 tells it.
template <typename App>
std::string UnknownCommand(const App& app, std::string_view problem) {
  const App* asked = &app;
  while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
  const auto words = app.remaining(true);
  const bool plain = asked->get_require_subcommand_min() > 0 && !words.empty() && words.front().size() < 20 &&
                     words.front().find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
  return plain ? "there is no command " + words.front() : std::string(problem);
}

// NotEmpty is what is wrong with an option's value where it must not be empty, as CLI11's check() wants it: what a script
// made of an unset variable must not mean that the option was not given.
std::string NotEmpty(const std::string& value);

// RefuseUsage writes "PROGRAM: PROBLEM; see `COMMAND --help`" to standard error, where COMMAND begins with PROGRAM and
// all is made Printable, and returns kExitUsage.
int RefuseUsage(std::string_view command, std::string_view problem);

}  // namespace strongroom::base
