#include "base/bytes.h"

#include <cstring>

namespace strongroom::base {
namespace {

int Nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <typename T>
void PutBigEndian(Bytes& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

template <typename T>
T GetBigEndian(ByteView bytes) {
  T value = 0;
  for (const std::uint8_t byte : bytes) value = static_cast<T>((value << 8) | byte);
  return value;
}

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

std::uint64_t Load8(std::string_view text, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data() + at, sizeof word);
  return word;
}
// Has is non-zero where one of the eight bytes is `byte` (a zero after the xor borrows from its high bit).
constexpr std::uint64_t Has(std::uint64_t word, std::uint8_t byte) {
  const std::uint64_t folded = word ^ (kOnes * byte);
  return (folded - kOnes) & ~folded & kHighs;
}
constexpr bool NeedsEscape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

}  // namespace

std::size_t PlainRun(std::string_view text, std::size_t at) {
  std::size_t end = at;
  for (; end + 8 <= text.size(); end += 8) {
    const std::uint64_t word = Load8(text, end);
    const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
    if ((control | Has(word, '"') | Has(word, '\\')) != 0) break;
  }
  while (end < text.size() && !NeedsEscape(text[end])) ++end;
  return end - at;
}

std::string Hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

Result<Bytes> Unhex(std::string_view text) {
  if (text.size() % 2 != 0) return Fail(Code::kInvalidArgument, "not hexadecimal: odd length");
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = Nibble(text[i]), low = Nibble(text[i + 1]);
    if (high < 0 || low < 0) return Fail(Code::kInvalidArgument, "not lower-case hexadecimal");
    out.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return out;
}

ByteWriter& ByteWriter::U8(std::uint8_t value) {
  bytes_.push_back(value);
  return *this;
}
ByteWriter& ByteWriter::U16(std::uint16_t value) {
  PutBigEndian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::U32(std::uint32_t value) {
  PutBigEndian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::U64(std::uint64_t value) {
  PutBigEndian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::I64(std::int64_t value) { return U64(static_cast<std::uint64_t>(value)); }
ByteWriter& ByteWriter::Field(ByteView bytes) {
  CHECK(bytes.size() <= UINT32_MAX);
  return U32(static_cast<std::uint32_t>(bytes.size())).Raw(bytes);
}
ByteWriter& ByteWriter::Field(std::string_view text) { return Field(AsBytes(text)); }
ByteWriter& ByteWriter::Raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

ByteView ByteReader::Take(std::size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    return {};
  }
  const ByteView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}
std::uint8_t ByteReader::U8() { return GetBigEndian<std::uint8_t>(Take(1)); }
std::uint16_t ByteReader::U16() { return GetBigEndian<std::uint16_t>(Take(2)); }
std::uint32_t ByteReader::U32() { return GetBigEndian<std::uint32_t>(Take(4)); }
std::uint64_t ByteReader::U64() { return GetBigEndian<std::uint64_t>(Take(8)); }
std::int64_t ByteReader::I64() { return static_cast<std::int64_t>(U64()); }
ByteView ByteReader::Field() { return Take(U32()); }
std::string ByteReader::Text() { return std::string(AsText(Field())); }
Result<void> ByteReader::Finish() const {
  if (failed_ || !rest_.empty()) return Fail(Code::kCorrupt, "malformed fields");
  return {};
}

std::size_t Utf8Prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size() && (Load8(text, i) & kHighs) == 0) i += 8;
    if (i == text.size()) break;
    const auto lead = static_cast<std::uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return i;
    std::uint32_t point = lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if ((next & 0xc0) != 0x80) return i;
      point = (point << 6) | (next & 0x3fU);
    }
    const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return i;
    i += length;
  }
  return i;
}

bool IsUtf8(std::string_view text) { return Utf8Prefix(text) == text.size(); }

}  // namespace strongroom::base
