// ShareCode: how the bytes of a recovery share become characters that a person can copy by hand, and how a slip of the pen
// is found. The format is in vault/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace strongroom::vault {

// A symbol is five bits, 0 to 31. A line of a share is 16 symbols (10 bytes) and 4 that check them.
inline constexpr std::size_t kLineBytes = 10, kLineData = 16, kLineChecks = 4, kLineSymbols = kLineData + kLineChecks;
using LineSymbols = std::span<std::uint8_t, kLineSymbols>;
using LineView = std::span<const std::uint8_t, kLineSymbols>;

// SymbolChar is the character of a symbol, in Bech32's alphabet (BIP 173): no 1, b, i or o. SymbolOf reads it back, in
// either case; none for any other character.
char SymbolChar(std::uint8_t symbol);
std::optional<std::uint8_t> SymbolOf(std::uint8_t character);

// SpreadLine makes the symbols of line `number` (1 to 31) from its 10 bytes, checks included. GatherLine is its inverse and
// looks at no check.
void SpreadLine(std::uint8_t number, std::span<const std::uint8_t, kLineBytes> bytes, LineSymbols line);
void GatherLine(LineView line, std::span<std::uint8_t, kLineBytes> bytes);

// LineVerdict is what the checks say. Up to 4 wrong symbols are always found; a single one is also located.
struct LineVerdict {
  enum class Kind : std::uint8_t {
    kGood,
    kOneWrong,   // `place` is its index, from 0
    kOtherLine,  // every symbol is right, but they are those of line `place`
    kWrong,
  };
  Kind kind = Kind::kGood;
  std::size_t place = 0;
};
LineVerdict CheckLine(std::uint8_t number, LineView line);

// SetId is how a recovery set is called: 10 bytes in groups of four characters, "qpzr-y9x8-gf2t-vdw0". ParseSetId reads
// exactly what PrintSetId writes.
std::string PrintSetId(std::span<const std::uint8_t, kLineBytes> bytes);
std::optional<Bytes> ParseSetId(std::string_view text);

}  // namespace strongroom::vault
