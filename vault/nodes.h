// Nodes: this vaultd among those that share the vault database. It keeps the lease renewed, learns of the other nodes' acts,
// and tells an act that stops a key when the others have heard of it. The trail writer's thread alone, but for the lease.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "vault/lease.h"
#include "vault/protocol.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

class Nodes {
 public:
  // `boot` is this process's name in its node's row.
  Nodes(OpenVault& vault, std::string boot) : vault_(vault), boot_(std::move(boot)) {}
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;
  // The destructor refuses who still waits: the act is done, and nobody knows what the others know.
  ~Nodes();

  // Enter makes this process the one that holds its node's lease. Where another may still hold it (it crashed, or a copy of
  // this home is served elsewhere), it waits until that lease is out; kConflict where it is renewed meanwhile. Before the writer's thread runs.
  Result<void> Enter(sql::Database& database);

  // Tick renews the lease where that is due, and looks what the others have heard. `database` is nullptr while it is
  // away. It returns when it wants to be called again (MonoMicros).
  Result<base::Micros> Tick(sql::Database* database);

  // Fence calls `heard`, with the members that had not acknowledged it, once no other node can release what was decided
  // before the epoch, which was committed just now.
  using Heard = std::function<void(Result<std::vector<std::string>>)>;
  void Fence(std::int64_t epoch, Heard heard);

  // Leave gives the lease up, in the transaction of the stop's record.
  Result<void> Leave(Store& store);

 private:
  // Sight is when the row's count of renewals was first seen as it is: the lease it stands for was asked for before that.
  struct Sight {
    std::string boot;
    std::int64_t renewals = 0;
    base::Micros since = 0;
  };
  struct Waiting {
    std::int64_t epoch;
    base::Micros committed;
    Heard heard;
  };

  Result<void> RenewAndLook(Store& store);
  Result<void> Renew(Store& store);
  Result<void> FollowEpoch(Store& store, std::int64_t epoch);
  Result<void> FollowKeks(Store& store);
  Result<void> NoteHeld(Store& store);
  Result<void> Look(Store& store);
  // CheckFences answers those that may go; `fresh` is whether rows_ was read just now.
  void CheckFences(bool fresh);
  bool MayStillRelease(const NodeRow& row, const Waiting& waiting, base::Micros now) const;

  OpenVault& vault_;
  const std::string boot_;
  bool left_ = false, lost_told_ = false;
  std::optional<base::Micros> followed_at_;  // when the epoch was last known to be the database's
  std::set<std::int64_t> noted_;             // KEK versions that NODE_KEK says this node holds
  base::Micros renew_at_ = 0;
  std::vector<std::pair<std::int64_t, std::string>> keks_;  // versions and states, as last seen
  std::vector<NodeRow> rows_;  // the other members, as last seen
  std::map<std::string, Sight> sights_;
  std::vector<Waiting> waiting_;
};

}  // namespace strongroom::vault
