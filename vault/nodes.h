// Nodes: this vaultd among those that share the vault database. It keeps the lease renewed, learns of the other nodes' acts,
// takes up the KEKs they send, and tells an act that stops a key when the others have heard of it. The trail writer's thread alone, but for the lease.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "vault/lease.h"
#include "vault/node_key.h"
#include "vault/protocol.h"
#include "vault/service.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

class Nodes {
 public:
  // `boot` is this process's name in its node's row, `key` the one under which KEKs travel to it.
  Nodes(OpenVault& vault, NodeKey key, std::string boot) : vault_(vault), key_(std::move(key)), boot_(std::move(boot)) {}
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

  // AllowActs lets the ticks from now on take up KEKs, which is an act with its record: the trail's writer is in its place.
  void AllowActs() { acts_.store(true); }

  // Fence calls `heard`, with the members that had not acknowledged it, once no other node can release what was decided
  // before the epoch, which was committed just now.
  using Heard = std::function<void(Result<std::vector<std::string>>)>;
  void Fence(std::int64_t epoch, Heard heard);

  // removed is whether this node was found to be taken out of the vault. Any thread.
  bool removed() const { return removed_.load(); }
  // CheckMember is kNodeRemoved where this node is a member no more.
  Result<void> CheckMember(Store& store) const;

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
  // TakeSealed takes up what lies sealed for this node, one act at a time.
  Result<void> TakeSealed(Store& store);
  // NoteTaken takes note of how the last such act ended; false while it goes on.
  bool NoteTaken();
  // FollowStates is false where the database's KEKs are not what can be loaded here.
  Result<bool> FollowStates(Store& store, const std::vector<KekRow>& rows);
  Result<void> EraseDestroyed(Store& store, const std::vector<KekRow>& rows);
  Result<void> NoteHeld(Store& store);
  // PublishKey states this node's public key where that is not what its row says.
  Result<void> PublishKey(Store& store);
  Result<void> Look(Store& store);
  Result<void> NoteLogs(Store& store);
  // CheckFences answers those that may go; `fresh` is whether rows_ was read just now.
  void CheckFences(bool fresh);
  bool MayStillRelease(const NodeRow& row, const Waiting& waiting, base::Micros now) const;

  OpenVault& vault_;
  const NodeKey key_;
  const std::string boot_;
  std::atomic<bool> acts_{false}, removed_{false};
  bool published_ = false, waiting_told_ = false;
  std::vector<KekForNodeRow> taking_;   // what is being taken up; empty where nothing is
  std::mutex mutex_;                    // guards taken_
  std::optional<Result<Reply>> taken_;  // how that ended
  std::vector<KekForNodeRow> refused_;  // what was found to be changed: looked at again when it is other
  base::Micros take_at_ = 0;
  base::Micros erase_at_ = 0;  // when to try again what could not be erased
  bool left_ = false, lost_told_ = false;
  std::optional<base::Micros> followed_at_;  // when the epoch was last known to be the database's
  std::set<std::int64_t> noted_;             // KEK versions that NODE_KEK says this node holds
  base::Micros renew_at_ = 0;
  std::vector<std::pair<std::int64_t, std::string>> keks_;  // versions and states, as last seen
  std::vector<NodeRow> rows_;  // the other members, as last seen
  std::map<std::string, Sight> sights_;
  std::optional<std::map<std::string, std::string>> logs_;  // verifier keys that this log says the others have, by node
  std::vector<Waiting> waiting_;
};

}  // namespace strongroom::vault
