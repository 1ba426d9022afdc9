// list, show, test, revoke, suspend, resume, compromise, destroy: keys that are held.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> ListKeys(const Context& context, const std::string& customer, const std::string& status);
Outcome<void> ShowKey(const Context& context, const std::string& key_ref);

// TestKey asks the provider whether it takes the key; a key it does not take is a problem.
Outcome<void> TestKey(const Context& context, const std::string& key_ref);

// MoveKey does one of the moves of MoveRequest: "revoke", "suspend", "resume", "compromise", "destroy". A destroy that
// comes too soon is told from when on it may.
Outcome<void> MoveKey(const Context& context, const std::string& move, const std::string& key_ref,
                      const std::string& reason);

}  // namespace strongroom::keytool
