// The moves of a KEK version, as one table: PREPARED → ACTIVE → RETIRING → RETIRED → DESTROYED.
//
// A rotation is prepare, activate, rewrap (rewrap.cpp) and retire. Each is one transaction with its record, so that a
// vaultd that is killed between two of them, or in one, finds either the state before or the state after, and whoever
// asks again goes on from there. New wraps are always under the one ACTIVE version; RETIRING ones still open.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "vault/open_vault.h"
#include "vault/store.h"

namespace strongroom::vault {

inline constexpr std::string_view kKekPrepared = "PREPARED", kKekActive = "ACTIVE", kKekRetiring = "RETIRING",
                                  kKekRetired = "RETIRED", kKekDestroyed = "DESTROYED";
// How long a RETIRED version's file is kept at least: a restored backup may still need it.
inline constexpr base::Micros kKekKept = 7 * base::kMicrosPerDay;

// FindKek is the row of a version; kKekMoveForbidden where there is none.
Result<KekRow> FindKek(Store& store, std::int64_t version);

// EraseKekFiles takes away every protector's file of a version, as far as they are still here: all that it can, and then the
// first error, kKekFile's, with the reason in the log. Nothing where the KEK path is one file.
Result<void> EraseKekFiles(const OpenVault& vault, std::int64_t version);

// RewrapSecrets puts the vault's own keys under the wrap version of `keys` where they are under another.
Result<void> RewrapSecrets(const OpenVault& vault, Store& store, const VaultKeys& keys);

// CheckWraps refuses a wrap unless the keys in memory wrap under the version that the database calls ACTIVE: after a commit
// whose outcome was not known they may not. It returns that version's row. Whoever writes a wrap asks in the transaction that
// writes it.
Result<KekRow> CheckWraps(Store& store, const VaultKeys& keys);

}  // namespace strongroom::vault
