// GraceWatch: a key that a rotation put aside is REVOKED by itself once its grace is over. It opened no more from then on; the act, which is
// vaultd's own and has its record, its epoch and its stop like any revoke, makes that final, and begins the wait for its destruction.
//
// Whether the provider still takes such a key nobody here asks: vaultd talks to no network, and a REVOKED key does not open.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace strongroom::vault {

struct OpenVault;
class Store;

class GraceWatch {
 public:
  // `vault` must outlive it, and it the vault's log.
  explicit GraceWatch(OpenVault& vault) : vault_(vault) {}
  GraceWatch(const GraceWatch&) = delete;
  GraceWatch& operator=(const GraceWatch&) = delete;

  // Look is to be called now and then, on one thread; where a grace has ended by `now`, it hands one key to the trail's writer, and the next when that
  // is done. Nothing is done while the vault is sealed or in quarantine, nor on a trail that is not known to be sound. Of the nodes that share a
  // database the first to serve, by id, does it; each other one waits a while longer, for where that one is away.
  void Look(base::Micros now);

 private:
  Result<std::optional<std::string>> FindNext(base::Micros now);
  // Turn is how many serving nodes come before this one.
  Result<std::int64_t> Turn(Store& store) const;
  void Submit(const std::string& key_ref);

  OpenVault& vault_;
  std::atomic<bool> under_way_{false};
  std::atomic<base::Micros> look_at_{0};  // MonoMicros
  std::mutex mutex_;                      // guards refused_
  std::map<std::string, base::Micros, std::less<>> refused_;  // keys that could not be revoked, and when to try again (MonoMicros)
};

}  // namespace strongroom::vault
