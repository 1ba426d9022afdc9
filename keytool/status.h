// status: how the vault is.
#pragma once

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// ShowStatus is a problem exactly where vaultd does not answer.
Outcome<void> ShowStatus(const Context& context);

}  // namespace strongroom::keytool
