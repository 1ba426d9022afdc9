// What a start of vaultd owes the trail before anything else is recorded, and what it has done with it from then on.
#pragma once

#include "base/result.h"
#include "vault/open_vault.h"

namespace strongroom::vault {

// TellOfTrail records what this start has found of the log: an origin that is new, records that nobody was told of.
Result<void> TellOfTrail(OpenVault& vault);

// StartPublishing: from here on the trail's checkpoints leave vaultd, and a trail where nothing happens has heartbeats.
void StartPublishing(OpenVault& vault);

}  // namespace strongroom::vault
