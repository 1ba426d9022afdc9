// Replacement: one version of a key in another's place: which took whose, and the profiles that follow.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

// ReplacedBy is the key that took a ROTATED one's place, by the record of that rotation; empty where the row is in another state, or no such
// record is in the trail any more.
Result<std::string> ReplacedBy(Store& store, const KeyRow& row);
// Replaces is the ROTATED key whose place this one took, empty where there is none.
Result<std::string> Replaces(Store& store, const KeyRow& row);

// RepointProfiles has every profile of the key `from` use `to`, under a MAC of its own; it returns how many. kProfileTampered for one that was changed
// outside.
Result<std::size_t> RepointProfiles(const OpenVault& vault, Store& store, std::string_view from, const std::string& to, base::Micros now);

}  // namespace strongroom::vault
