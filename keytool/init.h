// init: a new home, made by `vaultd --init`.
#pragma once

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// Init passes vaultd's own line and exit code through where it refuses.
Outcome<void> Init(const Context& context);

}  // namespace strongroom::keytool
