// The checks are a Reed-Solomon code over GF(32), shortened to 21 symbols of which the first, the line's number, is not
// written: four check symbols, so any two lines differ in at least five places. GF(32) is GF(2)[x]/(x^5 + x^2 + 1), its
// generator a = x; the code's are the polynomials with roots a, a^2, a^3 and a^4.
#include "vault/share_code.h"

#include <algorithm>
#include <array>

namespace strongroom::vault {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr unsigned kReduction = 0x25, kOrder = 31;
constexpr std::size_t kGroup = 4;
// The power of x that the line's number stands at.
constexpr unsigned kNumberPower = kLineSymbols;

struct Tables {
  std::array<std::uint8_t, kOrder> power{};    // a^i
  std::array<std::uint8_t, 32> logarithm{};    // of a symbol that is not 0
};

constexpr Tables MakeTables() {
  Tables tables;
  unsigned value = 1;
  for (unsigned i = 0; i < kOrder; ++i) {
    tables.power[i] = static_cast<std::uint8_t>(value);
    tables.logarithm[value] = static_cast<std::uint8_t>(i);
    value <<= 1U;
    if ((value & 32U) != 0) value ^= kReduction;
  }
  return tables;
}
constexpr Tables kTables = MakeTables();

constexpr std::uint8_t Times(std::uint8_t a, std::uint8_t b) {
  if (a == 0 || b == 0) return 0;
  return kTables.power[(kTables.logarithm[a] + kTables.logarithm[b]) % kOrder];
}

constexpr std::uint8_t Plus(std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a ^ b); }

// The generator (x - a)(x - a^2)(x - a^3)(x - a^4), highest power first and that one left out.
constexpr std::array<std::uint8_t, kLineChecks> MakeGenerator() {
  std::array<std::uint8_t, kLineChecks + 1> product{1};
  for (unsigned root = 1; root <= kLineChecks; ++root) {
    for (std::size_t i = root; i > 0; --i) product[i] = Plus(product[i], Times(product[i - 1], kTables.power[root]));
  }
  return {product[1], product[2], product[3], product[4]};
}
constexpr auto kGenerator = MakeGenerator();

// Divides as a shift register does; what remains are the checks.
void Feed(std::array<std::uint8_t, kLineChecks>& remainder, std::uint8_t symbol) {
  const std::uint8_t factor = Plus(remainder[0], symbol);
  std::rotate(remainder.begin(), remainder.begin() + 1, remainder.end());
  remainder.back() = 0;
  for (std::size_t i = 0; i < kLineChecks; ++i) remainder[i] = Plus(remainder[i], Times(factor, kGenerator[i]));
}

// The line as a polynomial, at a^root: 0 for each root of a good one.
std::uint8_t Syndrome(std::uint8_t number, LineView line, unsigned root) {
  std::uint8_t sum = number;
  for (const std::uint8_t symbol : line) sum = Plus(Times(sum, kTables.power[root]), symbol);
  return sum;
}

}  // namespace

char SymbolChar(std::uint8_t symbol) { return kAlphabet[symbol % kAlphabet.size()]; }

std::optional<std::uint8_t> SymbolOf(std::uint8_t character) {
  const bool upper = character >= 'A' && character <= 'Z';
  const std::size_t at = kAlphabet.find(static_cast<char>(upper ? character - 'A' + 'a' : character));
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(at);
}

void SpreadLine(std::uint8_t number, std::span<const std::uint8_t, kLineBytes> bytes, LineSymbols line) {
  std::size_t next = 0;
  unsigned held = 0, bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = (held << 8U | byte) & 0xfffU;
    for (bits += 8; bits >= 5; bits -= 5) line[next++] = static_cast<std::uint8_t>(held >> (bits - 5U) & 31U);
  }
  std::array<std::uint8_t, kLineChecks> remainder{};
  Feed(remainder, number);
  for (const std::uint8_t symbol : line.first<kLineData>()) Feed(remainder, symbol);
  std::copy(remainder.begin(), remainder.end(), line.begin() + kLineData);
}

void GatherLine(LineView line, std::span<std::uint8_t, kLineBytes> bytes) {
  std::size_t next = 0;
  unsigned held = 0, bits = 0;
  for (const std::uint8_t symbol : line.first<kLineData>()) {
    held = (held << 5U | symbol) & 0xfffU;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[next++] = static_cast<std::uint8_t>(held >> bits & 0xffU);
  }
}

LineVerdict CheckLine(std::uint8_t number, LineView line) {
  std::array<std::uint8_t, kLineChecks> syndromes{};
  for (unsigned root = 1; root <= kLineChecks; ++root) syndromes[root - 1] = Syndrome(number, line, root);
  const auto is_zero = [](std::uint8_t syndrome) { return syndrome == 0; };
  if (std::all_of(syndromes.begin(), syndromes.end(), is_zero)) return {LineVerdict::Kind::kGood, 0};
  if (std::any_of(syndromes.begin(), syndromes.end(), is_zero)) return {LineVerdict::Kind::kWrong, 0};
  // One wrong symbol at power p, off by e, makes the syndromes e·a^p, e·a^2p, …: their quotients are equal.
  const auto log = [&](std::size_t i) { return static_cast<unsigned>(kTables.logarithm[syndromes[i]]); };
  const unsigned power = (log(1) + kOrder - log(0)) % kOrder;
  for (std::size_t i = 1; i + 1 < kLineChecks; ++i) {
    if ((log(i + 1) + kOrder - log(i)) % kOrder != power) return {LineVerdict::Kind::kWrong, 0};
  }
  if (power < kLineSymbols) return {LineVerdict::Kind::kOneWrong, kLineSymbols - 1 - power};
  if (power > kNumberPower) return {LineVerdict::Kind::kWrong, 0};
  const std::uint8_t off = kTables.power[(log(0) + kOrder - power) % kOrder];
  return {LineVerdict::Kind::kOtherLine, Plus(number, off)};
}

std::string PrintSetId(std::span<const std::uint8_t, kLineBytes> bytes) {
  std::array<std::uint8_t, kLineSymbols> symbols{};
  SpreadLine(0, bytes, symbols);
  std::string text;
  for (std::size_t i = 0; i < kLineData; ++i) {
    if (i > 0 && i % kGroup == 0) text += '-';
    text += SymbolChar(symbols[i]);
  }
  return text;
}

std::optional<Bytes> ParseSetId(std::string_view text) {
  std::array<std::uint8_t, kLineSymbols> symbols{};
  std::size_t count = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const auto symbol = SymbolOf(static_cast<std::uint8_t>(c));
    if (!symbol || count == kLineData) return std::nullopt;
    symbols[count++] = *symbol;
  }
  Bytes bytes(kLineBytes);
  GatherLine(symbols, std::span<std::uint8_t, kLineBytes>(bytes));
  // One way to write it: groups, dashes and case are then as they must be.
  if (count != kLineData || PrintSetId(std::span<const std::uint8_t, kLineBytes>(bytes)) != text) return std::nullopt;
  return bytes;
}

}  // namespace strongroom::vault
