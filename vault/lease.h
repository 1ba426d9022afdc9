// Lease: this vaultd's right to release keys, as its node's row in the database grants it, a few seconds at a time.
//
// Why a stopped key stays where it is, once its stop was acknowledged, on whichever node it was decided:
// - An act commits its rows and the vault's epoch in one transaction. A resolve that reads the rows after that is refused.
// - A node that has acknowledged an epoch has published it first: what it decided under a lower one is not opened (OpenAt).
// - A node that has not acknowledged it holds a lease that it asked for before the act's commit: the statement that renews
//   a lease (Store::RenewLease) does it only under the epoch that the node has acknowledged, and takes its turn with acts on
//   the VAULT row. The lease counts from before that statement was sent, by a clock that goes on while the machine sleeps.
//   So whoever waits for the lease's length from after the commit has outwaited it, whatever the node is doing meanwhile.
// - A process that was stopped looks at the lease after it was woken, just before a key is opened; and a key that was
//   decided longer ago than a lease lasts is not opened at all, with whatever lease. Its client, too, does not take a key
//   that comes later than that after it asked, so that it does not matter where in between the process was stopped.
#pragma once

#include <atomic>
#include <limits>

#include "base/clock.h"

namespace strongroom::vault {

class Lease {
 public:
  static constexpr base::Micros kLength = 5 * base::kMicrosPerSecond;
  static constexpr base::Micros kRenewEvery = base::kMicrosPerSecond;
  // What others wait beyond kLength: more than two machines' clocks drift apart in that time.
  static constexpr base::Micros kOutwaited = kLength + 250 * base::kMicrosPerMilli;

  // A vault in a file has one vaultd, which the home's lock says: its lease does not end.
  void HoldForGood() { until_.store(std::numeric_limits<base::Micros>::max()); }
  // Renew is called where the row says so; `asked` (MonoMicros) is from before that was asked for.
  void Renew(base::Micros asked) { until_.store(asked + kLength); }
  void Drop() { until_.store(0); }

  // Holds is whether a key that was decided at `decided` (MonoMicros) may go out. Any thread.
  bool Holds(base::Micros decided) const {
    const base::Micros now = base::MonoMicros();
    return now < until_.load() && now - decided < kLength;
  }

 private:
  std::atomic<base::Micros> until_{0};
};

}  // namespace strongroom::vault
