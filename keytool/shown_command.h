// ShownCommand: a command line that a person is shown and may paste into a POSIX shell, so that no value in it can become anything but one word.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::keytool {

// ShellWord is a text as one word of a POSIX shell: as it is where no shell could take it for something else, otherwise in single quotes.
std::string ShellWord(std::string_view text);

// CommandPart is a literal, which stands as it is ("keytool rotate"), or any other text, which is one word. It refers to the text.
class CommandPart {
 public:
  template <std::size_t N>
  consteval CommandPart(const char (&fixed)[N]) : text_(fixed, N - 1), fixed_(true) {}  // NOLINT: implicit on purpose
  CommandPart(base::Literal fixed) : text_(fixed.view()), fixed_(true) {}                 // NOLINT: implicit on purpose
  CommandPart(const std::string& word) : text_(word) {}                                   // NOLINT: implicit on purpose
  std::string Text() const { return fixed_ ? std::string(text_) : ShellWord(text_); }

 private:
  std::string_view text_;
  bool fixed_ = false;
};

class ShownCommand {
 public:
  ShownCommand() = default;
  // The parts in turn, with blanks between: {"keytool rotate", key_ref, "--grace 1h"}.
  ShownCommand(std::initializer_list<CommandPart> parts);  // NOLINT: implicit on purpose
  ShownCommand& Add(const CommandPart& part);
  ShownCommand& Add(const ShownCommand& more);
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace strongroom::keytool
