#include "worker/profile.h"

#include <algorithm>

namespace strongroom::worker {
namespace {

__extension__ typedef unsigned __int128 Wide;  // tokens times micro-dollars outgrow 64 bits

constexpr Wide kMicro = 1'000'000;
constexpr Wide kMostMicroUsd = 999'999'999'999;  // COST_BASIS_USD is dec(12,6)

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Wide NotNegative(std::int64_t number) { return static_cast<Wide>(std::max<std::int64_t>(number, 0)); }

const vault::Rate* NewestRate(const std::vector<vault::Rate>& rates, std::string_view provider, std::string_view model,
                              base::Micros now) {
  const vault::Rate* newest = nullptr;
  for (const vault::Rate& rate : rates) {
    if (rate.provider != provider || rate.model != model || rate.effective_from > now) continue;
    if (newest == nullptr || rate.effective_from >= newest->effective_from) newest = &rate;
  }
  return newest;
}

}  // namespace

bool AllowsModel(const Profile& profile, std::string_view model) {
  if (model.empty()) return false;
  if (model == profile.model) return true;
  std::string_view rest = profile.models_allowed ? std::string_view(*profile.models_allowed) : std::string_view();
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (Trimmed(rest.substr(0, comma)) == model) return true;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return false;
}

std::optional<double> Cost(const std::vector<vault::Rate>& rates, std::string_view provider, std::string_view model,
                           std::optional<std::int64_t> tokens_in, std::optional<std::int64_t> tokens_out,
                           base::Micros now) {
  const vault::Rate* rate = NewestRate(rates, provider, model, now);
  if (rate == nullptr) return std::nullopt;
  // Money times tokens, exact; halves round up.
  const Wide sum = NotNegative(tokens_in.value_or(0)) * NotNegative(rate->input_micro_usd) +
                   NotNegative(tokens_out.value_or(0)) * NotNegative(rate->output_micro_usd);
  const Wide micro_usd = std::min((sum + kMicro / 2) / kMicro, kMostMicroUsd);
  return static_cast<double>(micro_usd) / static_cast<double>(kMicro);
}

}  // namespace strongroom::worker
