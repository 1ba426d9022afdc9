// Money: dollars as people write them and millionths of a dollar as they are stored, exactly (no floating point).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::keytool {

// ParseUsd reads "3", "0.25", ".000001": digits with at most 6 decimals, up to 1,000,000 dollars. The result is in
// millionths of a dollar. kInvalidArgument on anything else: a sign, an exponent, a currency, a comma.
Result<std::int64_t> ParseUsd(std::string_view text);

// FormatUsd renders millionths of a dollar with 2 to 6 decimals: "3.00", "0.000001", "-0.50".
std::string FormatUsd(std::int64_t micro_usd);

}  // namespace strongroom::keytool
