// The input of a batch: a JSONL file, checked whole before a row is sent.
#pragma once

#include <cstdint>
#include <expected>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom::worker {

// InputRow is one line: {"id": any, "prompt": "...", "system_prompt"?: "...", "max_tokens"?: n}. `text` is the line.
struct InputRow {
  std::string text;
  std::string prompt;
  std::optional<std::string> system_prompt;
  std::optional<std::int64_t> max_tokens;
};
// ParseInputRow returns the row, or what is wrong with it, for a person.
std::expected<InputRow, std::string> ParseInputRow(std::string_view line);

// OutputLine is the input line's object with the reply's fields added, in place of any of those names that it had;
// `response`, where set, replaces response_ref. Every value keeps its text: an id of 30 digits stays one.
std::string OutputLine(std::string_view input, std::string_view reply, const std::optional<std::string>& response);

// Input holds where each row of a file stands, and its digest; rows are read again when they are sent, so that memory
// does not grow with the prompts. Blank lines are skipped.
class Input {
 public:
  // Open reads and checks the whole file; the problem names file and line.
  static std::expected<Input, std::string> Open(const std::string& path);
  std::size_t rows() const { return offsets_.size(); }
  const std::string& sha256() const { return sha256_; }
  // Row reads row `index` (from 0) again; the problem says that the file changed.
  std::expected<InputRow, std::string> Row(std::size_t index);

 private:
  std::string path_, sha256_;
  std::ifstream file_;
  std::vector<char> room_;  // for one line
  std::vector<std::streamoff> offsets_;
};

}  // namespace strongroom::worker
