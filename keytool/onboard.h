// onboard: a customer, a key and the profile that uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "keytool/context.h"
#include "keytool/intake.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// OnboardOptions is the command line; empty texts and absent numbers were not given.
struct OnboardOptions {
  std::string customer, provider, model, profile, mode = "byok", endpoint, label = "default", key_file, key_ref,
      api_version, models_allowed, reason;
  bool no_verify = false;
  std::optional<std::int64_t> rpm, tpm, quota, max_tokens;
};

// Onboard checks the whole command line and that the vault answers before it asks for a key. On a terminal it asks for what is missing of CUSTOMER,
// provider and model, and then for the rest as well (onboard_guide.h).
Outcome<void> Onboard(const Context& context, const OnboardOptions& options);

// OnboardKey is Onboard with a new key that arrives in another way. Everything is checked before it is taken.
Outcome<void> OnboardKey(const Session& session, const OnboardOptions& options, const std::string& reason, const Arrival& arrival);

// FlagsOf is what a command to show repeats of the profile's flags: "--model M --rpm 60".
ShownCommand FlagsOf(const OnboardOptions& options);

}  // namespace strongroom::keytool
