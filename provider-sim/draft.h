// What the pretended model says: a few sentences that follow from the prompt's digest and from nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "provider-sim/digest.h"

namespace strongroom::sim {

// Draft is an answer before a provider's format is put around it.
struct Draft {
  std::string text;
  Digest digest{};  // of the prompt; the formats take their varieties from it
  std::int64_t tokens_in = 0;
  std::int64_t tokens_out = 0;
  bool cut = false;  // the token limit ended it
};

// CountTokens estimates tokens as a quarter of the bytes, at least 1.
std::int64_t CountTokens(std::size_t bytes);

// WriteDraft answers `prompt` within `limit` tokens, where there is a limit.
Draft WriteDraft(std::string_view prompt, std::size_t input_size, std::optional<std::int64_t> limit);

}  // namespace strongroom::sim
