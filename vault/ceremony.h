// Ceremonies: what people do with a recovery key beside a vaultd that serves, or before one can. Each is a process of its own that ends
// soon: libgfshare's memory is not locked, and a recovery key must not be where keys are released.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/config.h"
#include "vault/service.h"

namespace strongroom::vault {

// CeremonyOptions: shares, threshold, custodians and `out` are for a split. `files` are the shares' files: those to read back,
// or those to verify or restore with; none where they are asked for on the terminal.
struct CeremonyOptions {
  std::int64_t shares = 0, threshold = 0;
  std::vector<std::string> custodians, files;
  std::string out;
};

using CeremonyOutcome = std::expected<std::string, VaultProblem>;

// SplitRecoveryKey makes a recovery key, splits its private half, hands the shares out (files in `out`, else the screen),
// erases it, and has every share read back. Its answer is an encoded PutRecoveryRequest without a reason, in hexadecimal. Where it fails it
// takes the files away that it made.
CeremonyOutcome SplitRecoveryKey(const CeremonyOptions& options);

// VerifyShares opens every KEK in use with the shares, compares its check value, and opens the vault's own keys and a DEK
// under each. It writes nothing. RestoreKeks does that and then puts each KEK into its file, where it is not there. Both
// answer with one JSON document.
CeremonyOutcome VerifyShares(const base::Config& config, const CeremonyOptions& options);
CeremonyOutcome RestoreKeks(const base::Config& config, const CeremonyOptions& options);

}  // namespace strongroom::vault
