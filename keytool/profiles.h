// profile …: AI_PROFILE rows, whose owner, mode and provider never change.
#pragma once

#include <optional>
#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "vault/protocol.h"

namespace strongroom::keytool {

Outcome<void> ListProfiles(const Context& context, const std::string& customer, const std::string& status);
Outcome<void> ShowProfile(const Context& context, const std::string& profile_ref);

// ProfileOptions is the command line of `profile set`. In `fields`, mode is still the word that was typed; an empty
// text and a limit of 0 take a setting off.
struct ProfileOptions {
  vault::ProfileFields fields;
  std::optional<std::string> temperature;
  std::string system_prompt_file, reason;
};
Outcome<void> SetProfile(const Context& context, const ProfileOptions& options);

// MoveProfile does one of "suspend", "resume", "terminate".
Outcome<void> MoveProfile(const Context& context, const std::string& move, const std::string& profile_ref,
                          const std::string& reason);

}  // namespace strongroom::keytool
