// rate list, rate set: the rate card, in dollars per million tokens.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> ListRates(const Context& context);

// RateOptions: `provider` may be empty for a model that is on the card already.
struct RateOptions {
  std::string model, input, output, provider, reason;
};
Outcome<void> SetRate(const Context& context, const RateOptions& options);

}  // namespace strongroom::keytool
