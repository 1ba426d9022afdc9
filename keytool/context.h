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

// Command is a command line to show: `keytool list --home H`, in backquotes.
inline std::string Command(const Context& context, std::string_view program_and_arguments) {
  std::string out = "`" + std::string(program_and_arguments);
  if (context.home_named) out += " --home " + context.home;
  return out + "`";
}

}  // namespace strongroom::keytool
