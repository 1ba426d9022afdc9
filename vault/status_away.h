// The status of a vault whose database cannot be asked.
#pragma once

#include "base/bytes.h"
#include "vault/open_vault.h"

namespace strongroom::vault {

// StatusWithoutDatabase is Status as far as vaultd knows it by itself: "database_answers" is false, and what only the database
// says is null.
Bytes StatusWithoutDatabase(OpenVault& vault);

}  // namespace strongroom::vault
