// Profile and rates as the worker holds them, from vaultd.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "vault/protocol.h"

namespace strongroom::worker {

using Profile = vault::ProfileAnswer;

// AllowsModel is true for the profile's MODEL, and for what its MODELS_ALLOWED lists (comma-separated).
bool AllowsModel(const Profile& profile, std::string_view model);

// Cost is dollars for one call, rounded to 6 decimals; nullopt where no rate is known for the model (unpriced).
// The newest rate whose effective_from is not after `now` counts. Absent token counts cost nothing.
std::optional<double> Cost(const std::vector<vault::Rate>& rates, std::string_view provider, std::string_view model,
                           std::optional<std::int64_t> tokens_in, std::optional<std::int64_t> tokens_out,
                           base::Micros now);

}  // namespace strongroom::worker
