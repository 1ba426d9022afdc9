#include "vault/errand.h"

#include <utility>

#include "base/log.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kIdle = 5 * base::kMicrosPerSecond;
constexpr base::Micros kRetry = 60 * base::kMicrosPerSecond;
// A row that does not open is told of once an hour, until somebody has looked at it.
constexpr base::Micros kRefused = 3'600 * base::kMicrosPerSecond;
// What the next node waits for the one before it.
constexpr base::Micros kTurn = 60 * base::kMicrosPerSecond;
constexpr std::int64_t kMostFound = 64;

}  // namespace

void Errand::Look(base::Micros now) {
  if (under_way_ || vault_.stopping || base::MonoMicros() < look_at_) return;
  const bool sound = vault_.trail->standing() == Standing::kSound && !vault_.stops->older() && vault_.log->healthy();
  if (vault_.sealed() || vault_.quarantine->in_force() || !sound) return;
  const auto next = FindNext(now);
  if (!next) base::LogError(names_.not_done, next.error());
  look_at_ = base::MonoMicros() + (next ? kIdle : kRetry);
  if (next && *next) Submit(**next);
}

// Its connection is closed again: the last one of a database in a file must be the writer's.
Result<std::optional<std::string>> Errand::FindNext(base::Micros now) {
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  Store store(*reader);
  TRY_ASSIGN(const std::int64_t turn, Turn(store));
  const std::lock_guard lock(mutex_);
  std::erase_if(refused_, [](const auto& refused) { return refused.second <= base::MonoMicros(); });
  const auto most = kMostFound + static_cast<std::int64_t>(refused_.size());
  TRY_ASSIGN(const std::vector<std::string> refs, Find(store, now - turn * kTurn, most));
  for (const std::string& ref : refs) {
    if (!refused_.contains(ref)) return ref;
  }
  return std::nullopt;
}

Result<std::int64_t> Errand::Turn(Store& store) const {
  if (vault_.nodes == nullptr) return 0;
  std::int64_t turn = 0;
  TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
  for (const NodeRow& node : nodes) {
    if (node.status == kNodeMember && !node.boot.empty() && node.node_id < vault_.node_id) ++turn;
  }
  return turn;
}

void Errand::Submit(const std::string& ref) {
  under_way_ = true;
  RunOwn(vault_, names_.action, Make(ref), [this, ref](const Result<Reply>& reply) {
    if (reply) {
      base::Log(base::Level::kInfo, names_.done, {{names_.row, ref}});
      look_at_ = 0;
    } else {
      base::LogError(names_.not_done, reply.error(), {{names_.row, ref}});
      const std::lock_guard lock(mutex_);
      const bool of_row = IsOfRow(RefusalOf(reply.error()));
      if (of_row) refused_[ref] = base::MonoMicros() + kRefused;
      look_at_ = of_row ? 0 : base::MonoMicros() + kRetry;
    }
    under_way_ = false;
  });
}

}  // namespace strongroom::vault
