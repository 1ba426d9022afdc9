#include "provider-sim/draft.h"

#include <array>

namespace strongroom::sim {
namespace {

using Words = std::array<std::string_view, 16>;

constexpr Words kOpenings = {"In short",       "On balance",      "Briefly",         "As asked",
                             "To begin with",  "In practice",     "By this account", "Put plainly",
                             "At first sight", "All considered",  "On the evidence", "For the most part",
                             "In this case",   "Seen as a whole", "Strictly",        "As things stand"};
constexpr Words kAdjectives = {"first",   "second",   "larger", "smaller", "older",   "newer",
                               "quieter", "stronger", "simple", "common",  "careful", "steady",
                               "early",   "recent",   "modest", "open"};
constexpr Words kNouns = {"order",     "supplier", "invoice", "contract", "schedule", "customer",
                          "region",    "report",   "machine", "harbour",  "ledger",   "question",
                          "warehouse", "price",    "season",  "letter"};
constexpr Words kVerbs = {"follows",  "explains", "outweighs", "depends on", "confirms", "precedes",
                          "limits",   "supports", "replaces",  "matches",    "delays",   "improves",
                          "contains", "balances", "affects",   "covers"};

std::string_view Pick(const Words& words, std::uint8_t byte) {
  return words[byte % words.size()];
}

// Six digest bytes make one sentence; at most five sentences fit into one digest.
void AppendSentence(std::string& text, const Digest& digest, std::size_t first) {
  if (!text.empty()) text += ' ';
  text.append(Pick(kOpenings, digest[first])).append(", the ");
  text.append(Pick(kAdjectives, digest[first + 1])).append(" ").append(Pick(kNouns, digest[first + 2]));
  text.append(" ").append(Pick(kVerbs, digest[first + 3])).append(" the ");
  text.append(Pick(kAdjectives, digest[first + 4])).append(" ").append(Pick(kNouns, digest[first + 5]));
  text += '.';
}

}  // namespace

std::int64_t CountTokens(std::size_t bytes) {
  return bytes < 4 ? 1 : static_cast<std::int64_t>((bytes + 3) / 4);
}

Draft WriteDraft(std::string_view prompt, std::size_t input_size, std::optional<std::int64_t> limit) {
  Draft draft;
  draft.digest = Sha256(prompt);
  const std::size_t sentences = 1 + draft.digest[31] % 4U;
  for (std::size_t i = 0; i < sentences; ++i) AppendSentence(draft.text, draft.digest, 1 + i * 6);
  draft.tokens_in = CountTokens(input_size) + 8;  // what the chat format itself costs
  draft.tokens_out = CountTokens(draft.text.size());
  if (limit && *limit < draft.tokens_out) {
    draft.text.resize(static_cast<std::size_t>(*limit) * 4);
    draft.tokens_out = *limit;
    draft.cut = true;
  }
  return draft;
}

}  // namespace strongroom::sim
