#include "vault/labelled_text.h"

#include <algorithm>

#include "base/bytes.h"
#include "vault/digest.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kCheck = "check";
constexpr std::size_t kCheckBytes = 8;

std::string LineOf(std::string_view label, std::string_view value) { return std::string(label) + ": " + std::string(value) + "\n"; }

std::string_view WithoutBlankEnds(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (end < text.size() && line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    begin = end + 1;
  }
  return lines;
}

}  // namespace

LabelledWriter& LabelledWriter::Line(std::string_view label, std::string_view value) {
  text_ += LineOf(label, value);
  return *this;
}

std::string WithCheckLine(std::string_view lines) {
  const Bytes digest = Sha256(base::AsBytes(lines));
  return std::string(lines) + LineOf(kCheck, base::Hex(ByteView(digest).first(kCheckBytes)));
}

Result<LabelledReader> LabelledReader::Open(std::string_view text, std::string_view title) {
  if (text.size() > kMostBytes) return Fail(Code::kInvalidArgument, "it is too long to be one");
  std::vector<std::string> lines = SplitLines(WithoutBlankEnds(text));
  if (lines.front() != title) {
    return Fail(Code::kInvalidArgument, "its first line is not that of one, or of another version: is it the right file, whole, and nothing else?");
  }
  const std::string check = std::move(lines.back());
  lines.pop_back();
  std::string before;
  for (const std::string& line : lines) before += line + "\n";
  if (!check.starts_with(std::string(kCheck) + ": ")) return Fail(Code::kInvalidArgument, "it is not whole: its last line is missing");
  if (before + check + "\n" != WithCheckLine(before)) {
    return Fail(Code::kInvalidArgument, "it is damaged: a character was changed on its way, or lines are missing; get it again");
  }
  return LabelledReader(std::move(lines));
}

bool LabelledReader::NextIs(std::string_view label) const {
  return taken_ < lines_.size() && lines_[taken_].starts_with(std::string(label) + ": ");
}

Result<std::string> LabelledReader::Take(std::string_view label) {
  const bool next = NextIs(label);
  ++taken_;
  if (!next) return Bad();
  return lines_[taken_ - 1].substr(label.size() + 2);
}

Result<void> LabelledReader::Finish() const {
  if (taken_ == lines_.size()) return {};
  return Fail(Code::kInvalidArgument, "it has a line too many: line", static_cast<std::int64_t>(taken_) + 1);
}

std::unexpected<Error> LabelledReader::Bad() const {
  return Fail(Code::kInvalidArgument, "something else stands where it should not: line", static_cast<std::int64_t>(taken_));
}

bool IsHexName(std::string_view text, std::size_t size) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == size && std::ranges::all_of(text, is_hex);
}

}  // namespace strongroom::vault
