// backup, restore: a home's databases, stops and configuration, copied and put back, and never its KEKs.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// BackUp has `vaultd --backup` copy the home, while vaultd serves or not.
Outcome<void> BackUp(const Context& context, const std::string& directory, const std::string& reason);

// RestoreOptions: `directory` is a backup to make a home of. With `finish` that home's quarantine ends: what survived of the time since
// the backup says which keys were stopped; `none_survived` says that nothing did; `incomplete`, that no better file of stops did than one that has lost lines.
struct RestoreOptions {
  std::string directory, stops, trail, reason;
  bool finish = false, none_survived = false, incomplete = false;
};
Outcome<void> Restore(const Context& context, const RestoreOptions& options);

// ListLost lists every key that somebody must supply anew where the KEK is lost for good.
Outcome<void> ListLost(const Context& context);

}  // namespace strongroom::keytool
