// Phrase: six words over a ticket or a sealed key, which two people compare by telephone. Why six, and how they are made:
// vault/SEALED.md.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::vault {

inline constexpr std::size_t kPhraseWords = 7776, kWordsAPhrase = 6;

// PhraseWords is the list (vault/phrase_words.txt), in its order.
std::span<const std::string_view, kPhraseWords> PhraseWords();

// MakePhrase is the phrase over a text, words with single blanks between. `salt` is 16 bytes and says what kind of text it is. It costs
// 64 MiB of heap for a tenth of a second, for that is what somebody pays who looks for another text with this phrase; kUnavailable where
// there is not so much.
Result<std::string> MakePhrase(std::string_view text, std::string_view salt);

// SamePhrase compares what a person typed: letters alone count, in either case.
bool SamePhrase(std::string_view typed, std::string_view phrase);

}  // namespace strongroom::vault
