#include "worker/provider/provider.h"

#include "worker/provider/wire.h"

namespace strongroom::worker {

HttpCall Provider::ModelCheck(std::string_view endpoint, std::string_view api_version, std::string_view) const {
  return HealthCheck(endpoint, api_version);
}

std::optional<CostEstimate> Provider::EstimateCost(const Request& request, const Profile& profile,
                                                   std::string_view prompt, const std::vector<vault::Rate>& rates,
                                                   base::Micros now) const {
  constexpr std::int64_t kFraming = 64;  // what roles and turn marks add, in tokens, with room
  CostEstimate estimate;
  estimate.tokens_in = static_cast<std::int64_t>(prompt.size() + SystemOf(request, profile).size()) + kFraming;
  estimate.most_tokens_out = MaxTokensOf(request, profile);
  const auto cost =
      Cost(rates, name(), ModelUsed(request, profile), estimate.tokens_in, estimate.most_tokens_out, now);
  if (!cost) return std::nullopt;
  estimate.most_usd = *cost;
  return estimate;
}

const Provider* FindProvider(std::string_view name) {
  for (const Provider* provider : {&Anthropic(), &OpenAi(), &Ollama()}) {
    if (provider->name() == name) return provider;
  }
  return nullptr;
}

std::string ModelUsed(const Request& request, const Profile& profile) {
  return request.model_override.value_or(profile.model);
}

}  // namespace strongroom::worker
