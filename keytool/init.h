// init: a new home, made by `vaultd --init`.
#pragma once

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// Init passes vaultd's own line and exit code through where it refuses. `vault_database` is the URL of a server's database
// that takes vault.db's place; empty: none.
Outcome<void> Init(const Context& context, const std::string& vault_database);

}  // namespace strongroom::keytool
