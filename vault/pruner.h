// Pruner: lets the trail's old records go, by policy (audit/FORMAT.md, Retention).
#pragma once

#include <atomic>
#include <cstdint>

#include "audit/prune.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::vault {

struct OpenVault;

class Pruner {
 public:
  // `vault` must outlive the pruner, and the pruner the vault's log.
  explicit Pruner(OpenVault& vault) : vault_(vault) {}
  Pruner(const Pruner&) = delete;
  Pruner& operator=(const Pruner&) = delete;

  // Look is to be called now and then, on one thread; where it is time, it hands the next step to the trail's writer. Nothing is pruned
  // while the vault is sealed, nor from a trail that is not known to be sound.
  void Look(base::Micros now);

 private:
  Result<bool> Step(base::Micros now);
  void Submit(const audit::PrunePlan& plan);

  OpenVault& vault_;
  std::atomic<bool> under_way_{false};
  std::atomic<base::Micros> look_at_{0};  // MonoMicros
};

}  // namespace strongroom::vault
