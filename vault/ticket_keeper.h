// TicketKeeper: erases the private keys of tickets whose time is over, whether or not anybody asks for anything.
#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/result.h"

namespace strongroom::vault {

struct OpenVault;
class Store;

class TicketKeeper {
 public:
  // How long the row of a ticket that ended is shown; the trail has it for good.
  static constexpr base::Micros kShown = 30 * base::kMicrosPerDay;
  // A ticket's private key is erased so long after its time at the latest, while vaultd runs.
  static constexpr base::Micros kPause = 600 * base::kMicrosPerSecond;

  // `vault` must outlive the keeper, and the keeper the vault's log.
  explicit TicketKeeper(OpenVault& vault) : vault_(vault) {}
  TicketKeeper(const TicketKeeper&) = delete;
  TicketKeeper& operator=(const TicketKeeper&) = delete;

  // Look is to be called now and then, on one thread; where it finds one it hands an act to the trail's writer (`expire_tickets`).
  void Look(base::Micros now);
  // Expire does it within an act that writes anyway, and drops old rows.
  static Result<void> Expire(Store& store, base::Micros now);

 private:
  Result<bool> Overdue(base::Micros now) const;
  void Submit();

  OpenVault& vault_;
  std::atomic<bool> under_way_{false};
  base::Micros look_at_ = 0;  // MonoMicros
};

}  // namespace strongroom::vault
