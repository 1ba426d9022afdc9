#include "vault/nodes.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/log.h"
#include "vault/kek_acts.h"
#include "vault/load_keys.h"
#include "vault/node_keks.h"
#include "vault/open_vault.h"
#include "vault/take_keks.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kLookEvery = 50 * base::kMicrosPerMilli;  // while an act waits
// Each node stamps rows by its own clock: what another has stopped a moment ago may seem as old as this.
constexpr base::Micros kClocksApart = base::kMicrosPerDay;
constexpr base::Micros kEraseAgain = 10 * base::kMicrosPerSecond, kTakeAgain = 30 * base::kMicrosPerSecond;
constexpr std::string_view kNodeJoin = "node_join";  // the record's action
constexpr int kMostTurns = 8;  // renewals that met an act of another node, one after another

Result<NodeRow> FindRow(Store& store, const std::string& node) {
  TRY_ASSIGN(std::vector<NodeRow> rows, store.ListNodes());
  for (NodeRow& row : rows) {
    if (row.node_id == node) return std::move(row);
  }
  return Fail(Code::kNotFound, "this node is not registered");
}

}  // namespace

Nodes::~Nodes() {
  for (Waiting& waiting : waiting_) waiting.heard(std::unexpected(RefusalError(Refusal::kTrailUnavailable)));
}

Result<void> Nodes::Enter(sql::Database& database) {
  Store store(database);
  TRY_ASSIGN(const NodeRow before, FindRow(store, vault_.node_id));
  if (!before.boot.empty()) {
    base::Log(base::Level::kWarning, "lease_awaited", {{"node", vault_.node_id}, {"us", Lease::kOutwaited}});
    std::this_thread::sleep_for(std::chrono::microseconds(Lease::kOutwaited));
  }
  for (int turn = 0; turn < kMostTurns; ++turn) {
    const base::Micros asked = base::MonoMicros();
    TRY_ASSIGN(const VaultRow vault, store.FindVault());
    TRY(FollowEpoch(store, vault.epoch));
    TRY_ASSIGN(const bool taken, store.TakeLease(before, boot_, vault.epoch, base::WallMicros()));
    if (taken) {
      // Without its anchor a home does not know the name of its log.
      if (vault_.trail->standing() == Standing::kSound) TRY(store.PutVerifierKey(vault_.node_id, vault_.trail->verifier().Print()));
      vault_.lease.Renew(asked);
      renew_at_ = asked + Lease::kRenewEvery;
      return {};
    }
    TRY_ASSIGN(const NodeRow now, FindRow(store, vault_.node_id));
    if (now.boot != before.boot || now.renewals != before.renewals || now.status != kNodeMember) break;
  }
  return Fail(Code::kConflict, "another vaultd serves as this node: two homes have the same file 'node'");
}

Result<void> Nodes::CheckMember(Store& store) const {
  TRY_ASSIGN(const NodeRow row, FindRow(store, vault_.node_id));
  if (row.status != kNodeMember) return std::unexpected(RefusalError(Refusal::kNodeRemoved));
  return {};
}

Result<base::Micros> Nodes::Tick(sql::Database* database) {
  const bool fresh = database != nullptr && !left_;
  if (fresh) {
    Store store(*database);
    const auto looked = RenewAndLook(store);
    // An act that waits is answered all the same, once the others' leases have certainly run out.
    if (!looked) CheckFences(false);
    TRY(looked);
  }
  CheckFences(fresh);
  const base::Micros now = base::MonoMicros();
  if (!waiting_.empty()) return now + kLookEvery;
  return left_ ? now + Lease::kRenewEvery : std::max(renew_at_, now);
}

Result<void> Nodes::RenewAndLook(Store& store) {
  if (base::MonoMicros() >= renew_at_) TRY(Renew(store));
  return Look(store);
}

// What the others have done is taken note of, outside the database too, before it is acknowledged.
Result<void> Nodes::FollowEpoch(Store& store, std::int64_t epoch) {
  const base::Micros now = base::WallMicros();
  const bool doubted = vault_.epoch.TakeDoubt();
  if (epoch == vault_.epoch.value() && !doubted) {
    if (followed_at_) {
      followed_at_ = now;
      vault_.trail_stops.NothingNew(now);
    }
    return {};
  }
  // A doubt may be an unseal's: what was stopped while this node was sealed could not be proved then.
  const bool all = doubted || !followed_at_;
  const base::Micros since = all ? std::numeric_limits<base::Micros>::min() : *followed_at_ - kClocksApart;
  if (const auto caught_up = CatchUp(vault_, store, epoch, since); !caught_up) {
    vault_.epoch.Doubt();
    return caught_up;
  }
  followed_at_ = now;
  vault_.epoch.Publish(epoch);
  return {};
}

Result<void> Nodes::Renew(Store& store) {
  for (int turn = 0; turn < kMostTurns; ++turn) {
    const base::Micros asked = base::MonoMicros();
    TRY_ASSIGN(const VaultRow vault, store.FindVault());
    TRY(FollowEpoch(store, vault.epoch));
    if (vault_.stops->older()) break;
    TRY_ASSIGN(const bool renewed, store.RenewLease(vault_.node_id, boot_, vault.epoch, base::WallMicros()));
    if (renewed) {
      vault_.lease.Renew(asked);
      renew_at_ = asked + Lease::kRenewEvery;
      if (std::exchange(lost_told_, false)) base::Log(base::Level::kInfo, "lease_regained", {{"node", vault_.node_id}});
      return FollowKeks(store);
    }
    TRY_ASSIGN(const NodeRow row, FindRow(store, vault_.node_id));
    if (row.status == kNodeRemoved) {
      removed_.store(true);
      SealNow(vault_, "this node was removed from the vault");
    }
    if (row.boot != boot_ || row.status != kNodeMember) break;
  }
  // It runs out by itself, in the time that others wait for.
  if (!std::exchange(lost_told_, true)) base::Log(base::Level::kError, "lease_not_renewed", {{"node", vault_.node_id}});
  renew_at_ = base::MonoMicros() + Lease::kRenewEvery;
  return {};
}

// Another node's acts. What lies sealed for this one comes first: it may be why there are no keys.
Result<void> Nodes::FollowKeks(Store& store) {
  TRY(TakeSealed(store));
  if (vault_.sealed()) return {};
  TRY(PublishKey(store));
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  TRY_ASSIGN(const bool followed, FollowStates(store, rows));
  if (followed) return EraseDestroyed(store, rows);
  return {};
}

// A new version is held as soon as its file is here, which is what activating it waits for; one that was activated wraps from
// now on; one that was retired or destroyed is given up.
Result<bool> Nodes::FollowStates(Store& store, const std::vector<KekRow>& rows) {
  const auto held = vault_.held.Get();
  std::vector<std::pair<std::int64_t, std::string>> seen;
  std::int64_t awaited = 0;
  for (const KekRow& row : rows) {
    seen.emplace_back(row.version, row.status);
    if (row.status == kKekPrepared && !held->keyring.Find(row.version)) awaited = row.version;
  }
  TRY(NoteHeld(store));
  if (seen == keks_ && awaited == 0) return true;
  // From files and from what is held: a new version comes by TakeSealed, and no token may be waited for here.
  auto keys = LoadKeys(vault_.config, store, vault_.vault_id, vault_.node_id, &held->keyring);
  if (!keys) {
    if (seen != keks_) base::Log(base::Level::kError, "keks_not_followed", {{"why", keys.error().text}});
    return false;
  }
  if (seen == keks_ && !(*keys)->keyring.Find(awaited)) return true;
  vault_.held.Put(std::move(*keys));
  TRY(NoteHeld(store));
  vault_.proofs.Forget();
  keks_ = std::move(seen);
  return true;
}

// A row that says DESTROYED has to become true here too, at a later tick where it cannot be at once. The row alone is not enough:
// whoever can edit it shall not have a KEK erased that something is still under.
Result<void> Nodes::EraseDestroyed(Store& store, const std::vector<KekRow>& rows) {
  const KekDirectory directory(vault_.config.vault.kek_path);
  const base::Micros now = base::MonoMicros();
  if (directory.one_file() || now < erase_at_) return {};
  for (const KekRow& row : rows) {
    if (row.status != kKekDestroyed || directory.KindsOf(row.version).empty()) continue;
    const auto keys = vault_.held.Get();
    TRY_ASSIGN(const std::int64_t census, store.CountOutside(keys->wrap_version));
    const bool erased = census == 0 && EraseKekFiles(vault_, row.version);
    if (census != 0) base::Log(base::Level::kError, "kek_file_kept", {{"why", "something is under a KEK that is not ACTIVE"}});
    if (!erased) erase_at_ = now + kEraseAgain;
  }
  return {};
}

Result<void> Nodes::TakeSealed(Store& store) {
  if (!NoteTaken() || !acts_.load() || base::MonoMicros() < take_at_) return {};
  TRY_ASSIGN(std::vector<KekForNodeRow> sealed, store.ListKeksForNode(vault_.node_id));
  if (sealed.empty() || sealed == refused_) return {};
  TRY_ASSIGN(const bool awaits_unseal, AwaitsUnseal(vault_, store));
  if (awaits_unseal) {
    const bool told = std::exchange(waiting_told_, true);
    if (!told) base::Log(base::Level::kWarning, "keks_await_unseal", {{"why", "this node is sealed: run `keytool unseal`"}});
    return {};
  }
  waiting_told_ = false;
  const bool begun = RunOwnCeremony(vault_, "take_keks", MakeTakeKeks(vault_, key_), [this](Result<Reply> reply) {
    const std::lock_guard lock(mutex_);
    taken_ = std::move(reply);
  });
  if (begun) taking_ = std::move(sealed);
  return {};
}

// What was changed is recorded as that once, not at every tick. Another failure may pass; a conflict has passed.
bool Nodes::NoteTaken() {
  if (taking_.empty()) return true;
  std::optional<Result<Reply>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(taken_);
  }
  if (!taken) return false;
  const std::vector<KekForNodeRow> sealed = std::exchange(taking_, {});
  if (*taken) {
    base::Log(base::Level::kInfo, "keks_taken_up", {{"node", vault_.node_id}});
    return true;
  }
  const Refusal refusal = RefusalOf(taken->error());
  base::LogError("keks_not_taken_up", taken->error());
  if (refusal == Refusal::kNodeKekTampered || refusal == Refusal::kNodeKeyTampered) refused_ = sealed;
  if (refusal != Refusal::kConflict) take_at_ = base::MonoMicros() + kTakeAgain;
  return true;
}

// A node that holds a KEK needs nobody to confirm its key. It is the first node's way to have one, and mends a row that was
// changed.
Result<void> Nodes::PublishKey(Store& store) {
  if (published_) return {};
  bool differed = false;
  const auto keys = vault_.held.Get();
  TRY_ASSIGN(const bool put, NodeKeks(vault_.vault_id, *keys, store).Publish(vault_.node_id, key_, differed));
  if (put && differed) base::Log(base::Level::kError, "node_key_mended", {{"why", "its row was changed outside vaultd"}});
  published_ = true;
  return {};
}

// An unseal may have brought a version that the others wait for.
Result<void> Nodes::NoteHeld(Store& store) {
  const auto held = vault_.held.Get();
  if (held == nullptr) return {};
  for (const auto& [version, kek] : held->keyring.keks()) {
    if (noted_.contains(version)) continue;
    TRY(store.NoteKek(vault_.node_id, version));
    noted_.insert(version);
  }
  return {};
}

Result<void> Nodes::Look(Store& store) {
  TRY_ASSIGN(rows_, store.ListNodes());
  const base::Micros now = base::MonoMicros();
  std::erase_if(rows_, [this](const NodeRow& row) { return row.node_id == vault_.node_id || row.status == kNodeJoining; });
  for (const NodeRow& row : rows_) {
    Sight& sight = sights_[row.node_id];
    if (sight.boot == row.boot && sight.renewals == row.renewals && sight.since != 0) continue;
    sight = {row.boot, row.renewals, now};
  }
  return acts_.load() ? NoteLogs(store) : Result<void>();
}

// What this log says of the other nodes' logs: that they are there, under which name and key. So none of them can go missing as a whole.
Result<void> Nodes::NoteLogs(Store& store) {
  if (!logs_) {
    logs_.emplace();
    TRY(store.EachAct(kNodeJoin, 0, [this](const audit::Entry& entry) {
      if (!entry.draft.after) return;
      const audit::Facts& after = *entry.draft.after;
      if (after.contains("node") && after.contains("verifier_key")) logs_->insert_or_assign(after.at("node"), after.at("verifier_key"));
    }));
  }
  for (const NodeRow& row : rows_) {
    const auto known = logs_->find(row.node_id);
    if (row.verifier_key.empty() || (known != logs_->end() && known->second == row.verifier_key)) continue;
    audit::Draft record;
    record.action = kNodeJoin;
    record.actor = SystemActor();
    record.epoch = vault_.epoch.value();
    record.after = audit::Facts{{"node", row.node_id}, {"host", row.host}, {"verifier_key", row.verifier_key}};
    if (known != logs_->end()) record.before = audit::Facts{{"verifier_key", known->second}};
    audit::Job job;
    job.decide = [record](sql::Database&, base::Micros) { return audit::Decision{record, false}; };
    job.done = [](const Result<audit::Receipt>& receipt) {
      // It is looked for in the log again at the next start.
      if (!receipt) base::LogError("node_join_not_recorded", receipt.error());
    };
    if (vault_.log->Submit(std::move(job))) logs_->insert_or_assign(row.node_id, row.verifier_key);
  }
  return {};
}

// A node that has left, or was removed, holds no lease but the one it had.
bool Nodes::MayStillRelease(const NodeRow& row, const Waiting& waiting, base::Micros now) const {
  if (row.boot.empty() || row.acknowledged_epoch >= waiting.epoch) return false;
  const base::Micros asked_before = std::min(waiting.committed, sights_.at(row.node_id).since);
  return now < asked_before + Lease::kOutwaited;
}

void Nodes::CheckFences(bool fresh) {
  const base::Micros now = base::MonoMicros();
  std::vector<Waiting> done;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    const bool outwaited = now >= waiting.committed + Lease::kOutwaited;
    const bool clear = fresh && std::ranges::none_of(rows_, [&](const NodeRow& row) { return MayStillRelease(row, waiting, now); });
    if (!outwaited && !clear) return false;
    done.push_back(std::move(waiting));
    return true;
  });
  for (Waiting& waiting : done) {
    std::vector<std::string> unheard;
    for (const NodeRow& row : rows_) {
      const bool heard = row.boot.empty() || row.acknowledged_epoch >= waiting.epoch || row.status != kNodeMember;
      if (!heard) unheard.push_back(row.node_id + " (" + row.host + ")");
    }
    waiting.heard(std::move(unheard));
  }
}

void Nodes::Fence(std::int64_t epoch, Heard heard) {
  waiting_.push_back({epoch, base::MonoMicros(), std::move(heard)});
}

Result<void> Nodes::Leave(Store& store) {
  left_ = true;
  vault_.lease.Drop();
  return store.LeaveLease(vault_.node_id, boot_);
}

}  // namespace strongroom::vault
