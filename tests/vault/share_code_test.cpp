#include "vault/share_code.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

using Symbols = std::array<std::uint8_t, kLineSymbols>;
using Kind = LineVerdict::Kind;

constexpr std::array<std::uint8_t, kLineBytes> kBytes{0x00, 0xff, 0x01, 0xfe, 0x10, 0x20, 0x40, 0x80, 0xaa, 0x55};

Symbols Spread(std::uint8_t number) {
  Symbols line{};
  SpreadLine(number, kBytes, line);
  return line;
}

}  // namespace

TEST_CASE("share code: a line carries its bytes", "[share]") {
  const Symbols line = Spread(3);
  std::array<std::uint8_t, kLineBytes> back{};
  GatherLine(line, back);
  CHECK(back == kBytes);
  CHECK(CheckLine(3, line).kind == Kind::kGood);
}

TEST_CASE("share code: BIP 173's own alphabet, in either case", "[share]") {
  // The first characters of a Bech32 string of symbols 0, 1, 2 … (BIP 173, table of the alphabet).
  std::string text;
  for (std::uint8_t i = 0; i < 32; ++i) text += SymbolChar(i);
  CHECK(text == "qpzry9x8gf2tvdw0s3jn54khce6mua7l");
  for (std::uint8_t i = 0; i < 32; ++i) CHECK(SymbolOf(static_cast<std::uint8_t>(text[i])) == i);
  CHECK(SymbolOf('Q') == 0);
  for (const char c : {'1', 'b', 'i', 'o', 'B', 'I', 'O', ' ', '-', '\0'}) {
    CHECK_FALSE(SymbolOf(static_cast<std::uint8_t>(c)).has_value());
  }
  CHECK_FALSE(SymbolOf(0xe4).has_value());
}

TEST_CASE("share code: every single wrong character is found where it is", "[share]") {
  for (std::size_t place = 0; place < kLineSymbols; ++place) {
    for (std::uint8_t off = 1; off < 32; ++off) {
      Symbols line = Spread(5);
      line[place] ^= off;
      const LineVerdict verdict = CheckLine(5, line);
      REQUIRE(verdict.kind == Kind::kOneWrong);
      REQUIRE(verdict.place == place);
    }
  }
}

TEST_CASE("share code: two wrong characters are found, and pass for no single one", "[share]") {
  for (std::size_t first = 0; first < kLineSymbols; ++first) {
    for (std::size_t second = first + 1; second < kLineSymbols; ++second) {
      for (std::uint8_t off = 1; off < 32; ++off) {
        for (std::uint8_t other = 1; other < 32; ++other) {
          Symbols line = Spread(2);
          line[first] ^= off;
          line[second] ^= other;
          REQUIRE(CheckLine(2, line).kind == Kind::kWrong);
        }
      }
    }
  }
}

TEST_CASE("share code: up to four wrong characters are never taken for a good line", "[share]") {
  std::uint32_t seed = 1;
  const auto next = [&seed](std::uint32_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8U) % below;
  };
  for (int i = 0; i < 100'000; ++i) {
    Symbols line = Spread(1);
    for (int wrong = 0; wrong < 4; ++wrong) line[next(kLineSymbols)] = static_cast<std::uint8_t>(next(32));
    const bool same = line == Spread(1);
    REQUIRE((CheckLine(1, line).kind == Kind::kGood) == same);
  }
}

TEST_CASE("share code: a line in another's place is told from a mistyped one", "[share]") {
  for (std::uint8_t mine = 1; mine <= 5; ++mine) {
    for (std::uint8_t other = 1; other <= 5; ++other) {
      if (mine == other) continue;
      const LineVerdict verdict = CheckLine(mine, Spread(other));
      REQUIRE(verdict.kind == Kind::kOtherLine);
      REQUIRE(verdict.place == other);
    }
  }
}

TEST_CASE("share code: a set's name has one spelling", "[share]") {
  const std::string name = PrintSetId(kBytes);
  CHECK(name.size() == 19);
  const auto back = ParseSetId(name);
  REQUIRE(back.has_value());
  CHECK(std::equal(back->begin(), back->end(), kBytes.begin(), kBytes.end()));
  std::string wrong = name;
  wrong[4] = 'q';
  CHECK_FALSE(ParseSetId(wrong).has_value());
  CHECK_FALSE(ParseSetId(name + "q").has_value());
  CHECK_FALSE(ParseSetId(name + "-").has_value());
  CHECK_FALSE(ParseSetId(name.substr(1)).has_value());
  CHECK_FALSE(ParseSetId("").has_value());
  std::string upper = name;
  for (char& c : upper) c = static_cast<char>(c >= 'a' ? c - 32 : c);
  CHECK_FALSE(ParseSetId(upper).has_value());
}

}  // namespace strongroom::vault
