// Bytes, and the bounded writer and reader that every binary format here is built from: big-endian integers,
// fields prefixed with their length. The writer holds public bytes only; secrets have SecretValue.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::base {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Hex renders bytes in lower case. Unhex reads it back; kInvalidArgument on anything else.
std::string Hex(ByteView bytes);
Result<Bytes> Unhex(std::string_view text);

// ByteWriter appends fields to a growing buffer it owns.
class ByteWriter {
 public:
  ByteWriter() { bytes_.reserve(kUsualBytes); }
  ByteWriter& U8(std::uint8_t value);
  ByteWriter& U16(std::uint16_t value);
  ByteWriter& U32(std::uint32_t value);
  ByteWriter& U64(std::uint64_t value);
  ByteWriter& I64(std::int64_t value);
  // Field appends a u32 length and the bytes, so that no two lists of fields share an encoding.
  ByteWriter& Field(ByteView bytes);
  ByteWriter& Field(std::string_view text);
  ByteWriter& Raw(ByteView bytes);

  const Bytes& bytes() const { return bytes_; }
  Bytes Take() { return std::move(bytes_); }

 private:
  // What is written here (an AAD, a message) is seldom longer: one allocation does.
  static constexpr std::size_t kUsualBytes = 256;
  Bytes bytes_;
};

// ByteReader reads the same fields from a view it does not own. Reading past the end returns zero or empty and
// latches failure: read everything, then ask Finish once.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  std::uint8_t U8();
  std::uint16_t U16();
  std::uint32_t U32();
  std::uint64_t U64();
  std::int64_t I64();
  ByteView Field();
  std::string Text();
  // Finish is kCorrupt unless every read was in bounds and nothing is left over.
  Result<void> Finish() const;

 private:
  ByteView Take(std::size_t count);

  ByteView rest_;
  bool failed_ = false;
};

// Utf8Prefix is how many bytes at the front of text are well-formed UTF-8.
std::size_t Utf8Prefix(std::string_view text);
// PlainRun is how many bytes of text, from `at` on, a JSON string may hold as they are: no control character, quote or
// backslash among them. Eight at a time, for prompts and responses are almost nothing else.
std::size_t PlainRun(std::string_view text, std::size_t at);
// IsUtf8 is true where text is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

}  // namespace strongroom::base

namespace strongroom {
using base::Bytes;
using base::ByteView;
}  // namespace strongroom
