// init: a new home, made by `vaultd --init`.
#pragma once

#include <string>
#include <vector>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// RunVaultd has vaultd do one thing and end, and returns what it printed; its own line and exit code where it refuses.
Outcome<std::string> RunVaultd(const std::vector<std::string>& arguments);

// Init passes vaultd's own line and exit code through where it refuses. `vault_database` is the URL of a server's database
// that takes vault.db's place; empty: none. `organization` names whose logs these are; empty: nobody in particular.
Outcome<void> Init(const Context& context, const std::string& vault_database, const std::string& organization);

}  // namespace strongroom::keytool
