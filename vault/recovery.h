// Recovery: every KEK sealed to a public key whose private half is in the custodians' shares.
//
// Nothing says of a sealed box who sealed it, and a public key in a table can be exchanged: so the set's row and each sealed
// KEK carry a MAC under a key of the vault's own. An edited one is refused as tampering, and no KEK is sealed to a key that
// somebody else put there. What this cannot tell is that the newest rows were taken away again, and older ones, MAC
// and all, are in force: whoever can do that can write the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "vault/store.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

inline constexpr std::size_t kDigestBytes = 32;

// SetIdOf is the name of the set that a public key belongs to. Shares carry it, so they say by themselves whether what they
// make is the right key.
std::string SetIdOf(ByteView public_key);

// RecoverySets is what a vault asks its recovery tables, with the keys to prove the answers.
class RecoverySets {
 public:
  RecoverySets(std::string_view vault_id, const VaultKeys& keys, Store& store)
      : vault_id_(vault_id), keys_(keys), store_(store) {}

  // InForce is the newest set, none where there was never one. kRecoveryTampered where its row is not the vault's own word.
  Result<std::optional<RecoverySetRow>> InForce() const;
  // Put writes the set's MAC and the row, seals every KEK that is held to it, and erases what was sealed to other sets.
  Result<void> Put(RecoverySetRow row) const;
  // SealKek seals a version to the set in force; nothing where there is none.
  Result<void> SealKek(std::int64_t version, const Kek& kek) const;
  // CheckSealed is kRecoveryMissing where a set is in force and the version is not sealed to it, kRecoveryTampered where what
  // stands there is not what vaultd wrote.
  Result<void> CheckSealed(std::int64_t version) const;

 private:
  Result<std::optional<RecoverySetRow>> InForceOrNever() const;
  Result<Bytes> MacOf(const RecoverySetRow& row) const;
  Result<Bytes> MacOf(const SealedKekRow& row) const;
  Result<void> SealTo(const RecoverySetRow& set, std::int64_t version, const Kek& kek) const;

  const std::string_view vault_id_;
  const VaultKeys& keys_;
  Store& store_;
};

}  // namespace strongroom::vault
