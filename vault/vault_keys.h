// VaultKeys: what an unsealed vault holds in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "vault/keyring.h"
#include "vault/secret.h"
#include "vault/trail_key.h"

namespace strongroom::vault {

// VaultKeys is one set of keys. It never changes: whoever rotates, seals or unseals puts another in its place, and who
// still works with the old one keeps it alive until then.
struct VaultKeys {
  Keyring keyring;
  std::int64_t wrap_version = 0;  // the ACTIVE KEK: every new wrap is under it
  std::shared_ptr<const MacKey> profile_key, fingerprint_key, approval_key;
  std::shared_ptr<const TrailKey> trail_key;
  std::shared_ptr<const TrailKey> old_trail_key;  // signs beside it while a rotation is under way, else none
};

// HeldKeys is the set in force; none while the vault is sealed. Thread-safe.
class HeldKeys {
 public:
  std::shared_ptr<const VaultKeys> Get() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  // Put puts others in their place; none for the reason given.
  void Put(std::shared_ptr<const VaultKeys> keys, std::string none_because = "") {
    const std::lock_guard lock(mutex_);
    keys_.swap(keys);
    none_because_ = std::move(none_because);
  }
  // NoneBecause is why there are none, for a person; empty where there are.
  std::string NoneBecause() const {
    const std::lock_guard lock(mutex_);
    return none_because_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const VaultKeys> keys_;
  std::string none_because_;
};

}  // namespace strongroom::vault
