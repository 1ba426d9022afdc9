// seal, unseal: the vault gives up its KEKs, and takes them back.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> SealVault(const Context& context, const std::string& reason);
// UnsealVault has vaultd read the KEK files again; keytool itself sees no KEK.
Outcome<void> UnsealVault(const Context& context, const std::string& reason);

}  // namespace strongroom::keytool
