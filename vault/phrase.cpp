#include "vault/phrase.h"

#include <sodium.h>

#include <array>

#include "base/bytes.h"

namespace strongroom::vault {
namespace {

// Numbers of the format (vault/SEALED.md), so not libsodium's names for what it recommends at the time.
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemory = std::size_t{64} << 20;
constexpr std::size_t kNumberBytes = 16;
constexpr unsigned kBase = kPhraseWords;

// TakeWord divides a big-endian number by the count of words, and returns the remainder.
std::size_t TakeWord(std::array<std::uint8_t, kNumberBytes>& number) {
  unsigned rest = 0;
  for (std::uint8_t& byte : number) {
    rest = rest * 256 + byte;
    byte = static_cast<std::uint8_t>(rest / kBase);
    rest %= kBase;
  }
  return rest;
}

std::string LettersOf(std::string_view text) {
  std::string letters;
  for (const char c : text) {
    if (c >= 'a' && c <= 'z') letters += c;
    if (c >= 'A' && c <= 'Z') letters += static_cast<char>(c - 'A' + 'a');
  }
  return letters;
}

}  // namespace

Result<std::string> MakePhrase(std::string_view text, std::string_view salt) {
  CHECK(salt.size() == crypto_pwhash_SALTBYTES);
  if (sodium_init() < 0) return Fail(Code::kUnavailable, "libsodium cannot start");
  std::array<std::uint8_t, kNumberBytes> number{};
  const int failed = crypto_pwhash(number.data(), number.size(), text.data(), text.size(), base::AsBytes(salt).data(), kPasses, kMemory,
                                   crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) return Fail(Code::kUnavailable, "a check phrase takes 64 MiB of memory, which are not to be had");
  const auto words = PhraseWords();
  std::string phrase;
  for (std::size_t i = 0; i < kWordsAPhrase; ++i) phrase.append(i == 0 ? "" : " ").append(words[TakeWord(number)]);
  return phrase;
}

bool SamePhrase(std::string_view typed, std::string_view phrase) { return LettersOf(typed) == LettersOf(phrase); }

}  // namespace strongroom::vault
