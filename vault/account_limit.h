// What the account of a house key takes a minute (KEY_VAULT.LIMIT_RPM and LIMIT_TPM, bound into the key's wrap), and the shares of it that
// profiles have been given (AI_PROFILE's RATE_LIMIT_RPM and RATE_LIMIT_TPM, under VAULT_MAC). Acts that change either follow one another
// (Store::LockVault), so that two at once cannot give away more than there is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.h"
#include "base/result.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;
class ProvenKey;

// GivenShares is what the profiles of a key, and of its other versions, have together; those that are TERMINATED have nothing.
struct GivenShares {
  std::int64_t rpm = 0, tpm = 0;
  std::vector<std::string> without_rpm, without_tpm;  // profiles that have no share, so as much as they like
};
// SharesOf is kShareTampered where a profile was changed outside: nobody knows then what was given away.
Result<GivenShares> SharesOf(const OpenVault& vault, Store& store, const KeyRow& key);

// InheritLimit gives a version that has just become ACTIVE its account's limit, as the newest other one in use has it or, where none is, the newest that
// was stopped; the record is told. An account whose versions were all destroyed has none.
Result<void> InheritLimit(const OpenVault& vault, Store& store, ProvenKey& key, audit::Facts& after);

// CheckShares refuses what a transaction has made of a house key's shares, with kShareMissing or kSharesOverLimit. Keys of customers, and those
// without a limit, pass.
Result<void> CheckShares(const OpenVault& vault, Store& store, const std::optional<std::string>& key_ref);

}  // namespace strongroom::vault
