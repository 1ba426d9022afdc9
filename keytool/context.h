// Context: what every command of keytool is given from the command line.
#pragma once

#include <string>
#include <string_view>

namespace strongroom::keytool {

// Context: `home` is absolute; `home_named` is true where --home named it, so that a command shown to the person has
// to name it too.
struct Context {
  std::string home;
  bool home_named = false;
  bool json = false;
};

// ForShell is a command line as a shell takes it: names of customers and profiles may hold # and $. Only words in which nothing is quoted yet are.
std::string ForShell(std::string_view command);

// Command is a command line to show: `keytool list --home H`, in backquotes.
std::string Command(const Context& context, std::string_view program_and_arguments);

}  // namespace strongroom::keytool
