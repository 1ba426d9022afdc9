// seal, unseal: the vault gives up its KEKs, and takes them back.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> SealVault(const Context& context, const std::string& reason);
// UnsealVault has vaultd open its KEKs again; keytool itself sees no KEK. It asks for a passphrase where vaultd says that
// nothing opens by itself, or where `with` names that protector; `passphrase_file` is where it comes from.
Outcome<void> UnsealVault(const Context& context, const std::string& with, const std::string& passphrase_file,
                          const std::string& reason);

}  // namespace strongroom::keytool
