// LabelledText: small text files that travel by mail and through hands. A title, lines "label: value" in a fixed order, and a last line
// that tells a damaged copy (vault/SEALED.md). It authenticates nothing: whoever alters a file makes its last line anew.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::vault {

// WithCheckLine is lines, each with its end, and the last line that fits them.
std::string WithCheckLine(std::string_view lines);

class LabelledWriter {
 public:
  explicit LabelledWriter(std::string_view title) : text_(std::string(title) + "\n") {}
  LabelledWriter& Line(std::string_view label, std::string_view value);
  // Finish adds the last line and returns all of it.
  std::string Finish() const { return WithCheckLine(text_); }

 private:
  std::string text_;
};

class LabelledReader {
 public:
  // What a mail program does to a text is no damage: line ends of CR LF, blank lines around it, and a last line without its end.
  static constexpr std::size_t kMostBytes = 8192;
  // Open is kInvalidArgument unless the text is of this title and its last line fits.
  static Result<LabelledReader> Open(std::string_view text, std::string_view title);

  // Take is the next line's value; kInvalidArgument, with the line's number, where it is not of this label.
  Result<std::string> Take(std::string_view label);
  bool NextIs(std::string_view label) const;
  // Finish is kInvalidArgument where a line is left over. Bad is that for a line whose value is none: the last one taken.
  Result<void> Finish() const;
  std::unexpected<Error> Bad() const;

 private:
  explicit LabelledReader(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  std::vector<std::string> lines_;  // without the last one
  std::size_t taken_ = 1;           // the title's
};

// IsHexName is true of `size` hexadecimal digits in lower case: an id.
bool IsHexName(std::string_view text, std::size_t size);

}  // namespace strongroom::vault
