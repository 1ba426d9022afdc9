// Context: what every command of keytool is given from the command line.
#pragma once

#include <string>
#include <utility>

#include "keytool/shown_command.h"

namespace strongroom::keytool {

// Context: `home` is absolute; `home_named` is true where --home named it, so that a command shown to the person has
// to name it too.
struct Context {
  std::string home;
  bool home_named = false;
  bool json = false;
};

// WithHome adds the home to a command, where it has to be named.
inline ShownCommand WithHome(const Context& context, ShownCommand command) {
  return context.home_named ? command.Add({"--home", context.home}) : command;
}

// Command is a command line to show: `keytool list --home H`, in backquotes.
inline std::string Command(const Context& context, ShownCommand command) { return "`" + WithHome(context, std::move(command)).text() + "`"; }

}  // namespace strongroom::keytool
