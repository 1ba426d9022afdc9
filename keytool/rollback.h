// rollback: back to the key before a rotation, while its grace lasts.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct RollBackOptions {
  std::string key_ref;  // the key to bring back, or the one that took its place
  std::string reason;
  bool no_verify = false;
};

// RollBack asks the provider first whether it still takes the old key; where it does not, nothing is changed.
Outcome<void> RollBack(const Context& context, const RollBackOptions& options);

}  // namespace strongroom::keytool
