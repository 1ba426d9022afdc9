// When to call again, and how long to wait first (ARCHITECTURE, step 6).
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "worker/provider/provider.h"

namespace strongroom::worker {

// RetryAfter reads what the provider asked for: retry-after-ms, else Retry-After in seconds or as an HTTP date
// (RFC 9110 §10.2.3); nullopt where it said nothing usable (a negative number, a date gone by). Microseconds from now, 30 days at most: the
// caller's deadline is the real bound.
std::optional<base::Micros> RetryAfter(const HttpAnswer& answer, base::Micros wall_now);

// Backoff is the wait before attempt `next` (2 for the first retry): 0.5 s · 2^(next−2), at most 8 s, minus up to 25%
// by `random` in [0, 1).
base::Micros Backoff(int next, double random);

}  // namespace strongroom::worker
