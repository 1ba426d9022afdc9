// The end of a rotation of the trail's signing key: the old key signs beside the new one until what both have signed is out, and is erased then
// (audit/FORMAT.md, Rotation). RotateSigningKey, which begins one, is in the table of operations. Where nodes share a database each rotates its own log's.
#pragma once

#include <atomic>
#include <memory>

#include "audit/rotation.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/open_vault.h"
#include "vault/publisher.h"
#include "vault/store.h"

namespace strongroom::vault {

// ReplaceErasedKey puts a new key in the place of the one that signs this node's log, where the records say that it was erased: an older database, or a part of
// it, brought it back, and nothing that it signs counts. What comes back holds the new key; nullptr where that is not so. In the transaction of an act.
Result<std::shared_ptr<VaultKeys>> ReplaceErasedKey(const OpenVault& vault, Store& store, const VaultKeys& keys);

// ReplaceUnusedKey puts a random key in the place of the one that nodes sign with which have none of their own, where no member does any more:
// one that leaked shall not be that of the next node. In the transaction of an act.
Result<void> ReplaceUnusedKey(const OpenVault& vault, Store& store, const VaultKeys& keys);

// KeyErasure looks, on the publisher's thread, whether a rotation is under way and may end; whatever it began with is begun with again by
// the next start.
class KeyErasure {
 public:
  explicit KeyErasure(OpenVault& vault) : vault_(vault) {}
  void Look(const Publisher::Published& published);

 private:
  OpenVault& vault_;
  std::atomic<bool> erasing_{false};
  base::Micros again_at_ = 0;  // MonoMicros
};

}  // namespace strongroom::vault
