#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace strongroom::base {
namespace {

struct Range {
  std::uint32_t first, last;
};
// C0 controls, DEL and C1, soft hyphen, the Arabic letter mark, zero-width characters and direction marks, line
// separators and overrides, invisible operators and isolates, the byte order mark, tag characters.
constexpr std::array<Range, 9> kUnsafe{{{0x00, 0x1f},
                                        {0x7f, 0x9f},
                                        {0xad, 0xad},
                                        {0x61c, 0x61c},
                                        {0x200b, 0x200f},
                                        {0x2028, 0x202e},
                                        {0x2060, 0x206f},
                                        {0xfeff, 0xfeff},
                                        {0xe0000, 0xe007f}}};

bool IsUnsafe(std::uint32_t point) {
  return std::any_of(kUnsafe.begin(), kUnsafe.end(),
                     [point](const Range& range) { return point >= range.first && point <= range.last; });
}

std::size_t SequenceLength(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

// PointOf decodes one sequence that IsUtf8.
std::uint32_t PointOf(std::string_view sequence) {
  const auto lead = static_cast<std::uint8_t>(sequence.front());
  if (sequence.size() == 1) return lead;
  std::uint32_t point = lead & (0x7fU >> sequence.size());
  for (const char c : sequence.substr(1)) point = (point << 6U) | (static_cast<std::uint8_t>(c) & 0x3fU);
  return point;
}

}  // namespace

std::size_t WidthOf(std::string_view text) {
  const auto starts = [](char c) { return (static_cast<std::uint8_t>(c) & 0xc0U) != 0x80U; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(static_cast<std::uint8_t>(text.front()));
    const std::string_view sequence = text.substr(0, length);
    const bool whole = sequence.size() == length && IsUtf8(sequence);
    if (whole && !IsUnsafe(PointOf(sequence))) {
      out += sequence;
    } else {
      out += '?';
    }
    text.remove_prefix(whole ? length : 1);
  }
  return out;
}

}  // namespace strongroom::base
