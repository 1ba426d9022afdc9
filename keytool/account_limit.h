// limit: what the account of a house key takes a minute, and why a share of it was refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/session.h"

namespace strongroom::keytool {

struct LimitOptions {
  std::string key_ref, reason;
  std::optional<std::int64_t> rpm, tpm;  // 0: no limit
};
// LimitKey sets the limit, or, where no number is given, prints it and the shares.
Outcome<void> LimitKey(const Context& context, const LimitOptions& options);

// WithShares adds to a refusal over a house key's shares what they add up to, what the account takes, and what is left; others stay as they are.
Problem WithShares(const Session& session, Problem problem, const std::string& key_ref);

}  // namespace strongroom::keytool
