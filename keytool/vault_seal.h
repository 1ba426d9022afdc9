// seal, unseal: the vault gives up its KEKs, and takes them back. new-origin: it takes its database as it is. rotate-signing-key: its trail is signed by another key.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/key_source.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> SealVault(const Context& context, const std::string& reason);
// UnsealVault has vaultd open its KEKs again; keytool itself sees no KEK. It asks for a passphrase or a token's
// PIN where vaultd says that nothing opens by itself, or where `with` names that protector; `files` is where they come from.
Outcome<void> UnsealVault(const Context& context, const std::string& with, const SecretFiles& files, const std::string& reason);

// NewOrigin has a database taken as it is that is older than what was acknowledged, or whose trail is not its anchor's.
Outcome<void> NewOrigin(const Context& context, const std::string& reason);

// RotateSigningKey has the trail signed by a new key from here on.
Outcome<void> RotateSigningKey(const Context& context, const std::string& reason);

}  // namespace strongroom::keytool
