// Time as Strongroom counts it: microseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::base {

// Micros is microseconds since 1970-01-01T00:00:00Z (wall) or since boot (mono), signed.
using Micros = std::int64_t;

inline constexpr Micros kMicrosPerMilli = 1000;
inline constexpr Micros kMicrosPerSecond = 1'000'000;
inline constexpr Micros kMicrosPerDay = 86'400 * kMicrosPerSecond;

// WallMicros reads CLOCK_REALTIME. It may jump; never measure a duration with it.
Micros WallMicros();
// MonoMicros reads CLOCK_BOOTTIME: it only goes forward, and goes on during suspend.
Micros MonoMicros();

// MonthOf is when the month of `wall` began, MonthAfter when the next one does (UTC).
Micros MonthOf(Micros wall);
Micros MonthAfter(Micros wall);

// FormatTime renders wall time in RFC 3339, UTC, with 6 decimals ("2026-11-20T08:00:00.000000Z").
std::string FormatTime(Micros wall);
// FormatTimeMillis is FormatTime with 3 decimals, as log lines carry it.
std::string FormatTimeMillis(Micros wall);
// ParseTime reads what FormatTime writes, and RFC 3339 UTC with 0 to 6 decimals, or a bare date.
Result<Micros> ParseTime(std::string_view text);
// ParseDuration reads "90", "90s", "15m", "12h", "30d" (a bare number is seconds). Bounded to 100 years.
Result<Micros> ParseDuration(std::string_view text);

}  // namespace strongroom::base
