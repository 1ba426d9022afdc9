// Output: what keytool prints. Facts go to standard output, everything else to standard error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keytool/problem.h"

namespace strongroom::keytool {

// Print writes text to standard output as it is; FlushOutput is false where any of it was lost (disk full).
void Print(std::string_view text);
bool FlushOutput();

// Warn writes "keytool: warning: TEXT" to standard error, made Printable.
void Warn(std::string_view text);

// Tell writes text to standard error as it is: what a person has to know beside a file on standard output.
void Tell(std::string_view text);

// Complain writes "keytool: TEXT" to standard error (nothing where the text is empty: another program has said it), and
// with `json` also one object {"error","message"} to standard output.
void Complain(const Problem& problem, bool json);

// Joined is texts with ", " between, for a person; JsonList is a JSON array of them.
std::string Joined(const std::vector<std::string>& texts);
std::string JsonList(const std::vector<std::string>& texts);

// JsonLine builds one JSON object of public facts, in the order they are added.
class JsonLine {
 public:
  JsonLine& Text(base::Literal name, std::string_view value);
  // OptionalText is null for an empty value.
  JsonLine& OptionalText(base::Literal name, std::string_view value);
  JsonLine& Number(base::Literal name, std::int64_t value);
  JsonLine& Flag(base::Literal name, bool value);
  // Raw adds a value that is JSON already.
  JsonLine& Raw(base::Literal name, std::string_view value);
  // Str is the whole object, without a newline.
  std::string Str() const { return "{" + fields_ + "}"; }

 private:
  void Name(base::Literal name);
  std::string fields_;
};

}  // namespace strongroom::keytool
