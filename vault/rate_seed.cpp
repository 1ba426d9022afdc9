#include "vault/rate_seed.h"

#include <array>

namespace strongroom::vault {
namespace {

constexpr base::Micros kEffectiveFrom = 1'793'491'200 * base::kMicrosPerSecond;  // 2026-11-01T00:00:00Z

struct Seed {
  std::string_view provider;
  std::string_view model;
  std::int64_t input_micro_usd, output_micro_usd;  // millionths of a dollar per million tokens
};

// A model under its dated name and its alias is one price twice: a reply's model_used may be either.
constexpr std::array kSeeds{
    Seed{"anthropic", "claude-opus-4-7", 5'000'000, 25'000'000},
    Seed{"anthropic", "claude-opus-4-6", 5'000'000, 25'000'000},
    Seed{"anthropic", "claude-opus-4-5", 5'000'000, 25'000'000},
    Seed{"anthropic", "claude-opus-4-5-20251101", 5'000'000, 25'000'000},
    Seed{"anthropic", "claude-opus-4-1", 15'000'000, 75'000'000},
    Seed{"anthropic", "claude-opus-4-1-20250805", 15'000'000, 75'000'000},
    Seed{"anthropic", "claude-sonnet-4-6", 3'000'000, 15'000'000},
    Seed{"anthropic", "claude-sonnet-4-5", 3'000'000, 15'000'000},
    Seed{"anthropic", "claude-sonnet-4-5-20250929", 3'000'000, 15'000'000},
    Seed{"anthropic", "claude-sonnet-4-20250514", 3'000'000, 15'000'000},
    Seed{"anthropic", "claude-haiku-4-5", 1'000'000, 5'000'000},
    Seed{"anthropic", "claude-haiku-4-5-20251001", 1'000'000, 5'000'000},
    Seed{"anthropic", "claude-3-5-haiku-20241022", 800'000, 4'000'000},
    Seed{"openai", "gpt-5.1", 1'250'000, 10'000'000},
    Seed{"openai", "gpt-5", 1'250'000, 10'000'000},
    Seed{"openai", "gpt-5-mini", 250'000, 2'000'000},
    Seed{"openai", "gpt-5-nano", 50'000, 400'000},
    Seed{"openai", "gpt-4.1", 2'000'000, 8'000'000},
    Seed{"openai", "gpt-4.1-mini", 400'000, 1'600'000},
    Seed{"openai", "gpt-4.1-nano", 100'000, 400'000},
    Seed{"openai", "gpt-4o", 2'500'000, 10'000'000},
    Seed{"openai", "gpt-4o-mini", 150'000, 600'000},
    Seed{"openai", "o3", 2'000'000, 8'000'000},
    Seed{"openai", "o4-mini", 1'100'000, 4'400'000},
    Seed{"ollama", "llama3", 0, 0},
    Seed{"ollama", "llama3.1", 0, 0},
    Seed{"ollama", "llama3.2", 0, 0},
    Seed{"ollama", "mistral", 0, 0},
    Seed{"ollama", "qwen2.5", 0, 0},
};

}  // namespace

std::vector<Rate> SeededRates() {
  std::vector<Rate> rates;
  rates.reserve(kSeeds.size());
  for (const Seed& seed : kSeeds) {
    rates.push_back({std::string(seed.model), std::string(seed.provider), seed.input_micro_usd,
                     seed.output_micro_usd, kEffectiveFrom});
  }
  return rates;
}

}  // namespace strongroom::vault
