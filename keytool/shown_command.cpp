#include "keytool/shown_command.h"

namespace strongroom::keytool {
namespace {

constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+";

}  // namespace

std::string ShellWord(std::string_view text) {
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

ShownCommand::ShownCommand(std::initializer_list<CommandPart> parts) {
  for (const CommandPart& part : parts) Add(part);
}

ShownCommand& ShownCommand::Add(const CommandPart& part) {
  if (!text_.empty()) text_ += ' ';
  text_ += part.Text();
  return *this;
}

ShownCommand& ShownCommand::Add(const ShownCommand& more) {
  if (!text_.empty() && !more.empty()) text_ += ' ';
  text_ += more.text_;
  return *this;
}

}  // namespace strongroom::keytool
