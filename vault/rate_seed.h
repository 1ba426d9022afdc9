// RateSeed: the prices a new vault begins with.
#pragma once

#include <vector>

#include "vault/protocol.h"

namespace strongroom::vault {

// SeededRates is list prices as the providers published them, dated 2026-11-01. They are a start, not a contract:
// check them with your provider, and set your own with `keytool rate set`.
std::vector<Rate> SeededRates();

}  // namespace strongroom::vault
