#include "vault/grace_watch.h"

#include <memory>
#include <utility>

#include "base/log.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kEndGrace = "end_grace";
constexpr base::Micros kIdle = 5 * base::kMicrosPerSecond;
constexpr base::Micros kRetry = 60 * base::kMicrosPerSecond;
// A row that does not open is told of once an hour, until somebody has looked at it.
constexpr base::Micros kRefused = 3'600 * base::kMicrosPerSecond;
// What the next node waits for the one before it.
constexpr base::Micros kTurn = 60 * base::kMicrosPerSecond;
constexpr std::int64_t kMostFound = 64;

class EndGrace final : public Act {
 public:
  EndGrace(OpenVault& vault, std::string key_ref) : vault_(vault), key_ref_(std::move(key_ref)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const std::string key_ref_;
};

// What was found a moment ago is decided by the row as it is now: an admin, or another node, may have been there first.
Result<void> EndGrace::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = key_ref_;
  record.purpose = "its grace is over";
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, key_ref_));
  record.customer = key.row().customer;
  record.key_version = key.row().key_version;
  record.before = audit::Facts{{"status", key.row().status}};
  const bool over = key.state() == KeyState::kRotated && !Opens(key.state(), key.row().grace_until, now);
  if (!over) return Refuse(Refusal::kConflict);
  if (key.row().grace_until) (*record.before)["grace_until"] = base::FormatTime(*key.row().grace_until);
  TRY(key.Write(vault_, store, KeyState::kRevoked, key.row().grace_until, now));
  stops.push_back({key_ref_, key.row().row_version, KeyState::kRevoked});
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = audit::Facts{{"status", key.row().status}};
  return {};
}

}  // namespace

void GraceWatch::Look(base::Micros now) {
  if (under_way_ || vault_.stopping || base::MonoMicros() < look_at_) return;
  const bool sound = vault_.trail->standing() == Standing::kSound && !vault_.stops->older() && vault_.log->healthy();
  if (vault_.sealed() || vault_.quarantine->in_force() || !sound) return;
  const auto next = FindNext(now);
  if (!next) base::LogError("grace_not_ended", next.error());
  look_at_ = base::MonoMicros() + (next ? kIdle : kRetry);
  if (next && *next) Submit(**next);
}

// Its connection is closed again: the last one of a database in a file must be the writer's.
Result<std::optional<std::string>> GraceWatch::FindNext(base::Micros now) {
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  Store store(*reader);
  TRY_ASSIGN(const std::int64_t turn, Turn(store));
  const std::lock_guard lock(mutex_);
  std::erase_if(refused_, [](const auto& refused) { return refused.second <= base::MonoMicros(); });
  const auto most = kMostFound + static_cast<std::int64_t>(refused_.size());
  TRY_ASSIGN(const std::vector<KeyRow> keys, store.KeysOutOfGrace(now - turn * kTurn, most));
  for (const KeyRow& key : keys) {
    if (!refused_.contains(key.key_ref)) return key.key_ref;
  }
  return std::nullopt;
}

Result<std::int64_t> GraceWatch::Turn(Store& store) const {
  if (vault_.nodes == nullptr) return 0;
  std::int64_t turn = 0;
  TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
  for (const NodeRow& node : nodes) {
    if (node.status == kNodeMember && !node.boot.empty() && node.node_id < vault_.node_id) ++turn;
  }
  return turn;
}

void GraceWatch::Submit(const std::string& key_ref) {
  under_way_ = true;
  RunOwn(vault_, kEndGrace, std::make_unique<EndGrace>(vault_, key_ref), [this, key_ref](const Result<Reply>& reply) {
    if (reply) {
      base::Log(base::Level::kInfo, "grace_ended", {{"key_ref", key_ref}});
      look_at_ = 0;
    } else {
      base::LogError("grace_not_ended", reply.error(), {{"key_ref", key_ref}});
      const std::lock_guard lock(mutex_);
      const Refusal why = RefusalOf(reply.error());
      // The trail or the database being away says nothing of this key.
      const bool of_the_key = why == Refusal::kKeyTampered || why == Refusal::kKekMissing || why == Refusal::kKekRetired;
      if (of_the_key) refused_[key_ref] = base::MonoMicros() + kRefused;
      look_at_ = of_the_key ? 0 : base::MonoMicros() + kRetry;
    }
    under_way_ = false;
  });
}

}  // namespace strongroom::vault
