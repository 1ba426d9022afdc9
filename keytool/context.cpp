#include "keytool/context.h"

namespace strongroom::keytool {

std::string ForShell(std::string_view command) {
  std::string out;
  while (true) {
    const std::size_t end = command.find(' ');
    const std::string_view word = command.substr(0, end);
    const bool special = word.find_first_of("#$&;|<>*?!()~") != std::string_view::npos && word.find_first_of("'\"") == std::string_view::npos;
    out += special ? "'" + std::string(word) + "'" : std::string(word);
    if (end == std::string_view::npos) return out;
    out += ' ';
    command.remove_prefix(end + 1);
  }
}

std::string Command(const Context& context, std::string_view program_and_arguments) {
  std::string command(program_and_arguments);
  if (context.home_named) command += " --home " + context.home;
  return "`" + ForShell(command) + "`";
}

}  // namespace strongroom::keytool
