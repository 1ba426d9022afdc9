#include "vault/pruner.h"

#include <algorithm>
#include <utility>

#include "audit/checkpoint.h"
#include "base/log.h"
#include "vault/open_vault.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

// Between steps others have the writer to themselves.
constexpr base::Micros kPause = 200 * base::kMicrosPerMilli;
constexpr base::Micros kIdle = 3'600 * base::kMicrosPerSecond;
constexpr base::Micros kRetry = 60 * base::kMicrosPerSecond;

// SignedSize is how many records are under the newest checkpoint; 0 where it is not signed.
std::int64_t SignedSize(const Trail& trail) {
  const auto note = audit::Note::Parse(trail.NewestNote());
  const auto checkpoint = note ? audit::Checkpoint::Parse(note->text) : Fail(note.error());
  return checkpoint && !note->signatures.empty() ? checkpoint->head.size : 0;
}

audit::Draft RecordOf(const OpenVault& vault) {
  audit::Draft record;
  record.action = audit::kPruneAction;
  record.actor = SystemActor();
  record.epoch = vault.epoch.value();
  return record;
}

}  // namespace

void Pruner::Look(base::Micros now) {
  if (vault_.config.audit.retention_days == 0 || under_way_ || vault_.stopping || base::MonoMicros() < look_at_) return;
  const bool sound = vault_.trail->standing() == Standing::kSound && !vault_.stops->older() && vault_.log->healthy();
  if (vault_.sealed() || !sound) return;
  const auto more = Step(now);
  if (!more) {
    base::LogError("trail_not_pruned", more.error());
    look_at_ = base::MonoMicros() + (more.error().code() == Code::kUnavailable ? kRetry : kIdle);
  } else if (!*more) {
    look_at_ = base::MonoMicros() + kIdle;
  }
}

// Step is false where there is nothing to prune. Its connection is closed again: the last one of a database in a file must be the writer's.
Result<bool> Pruner::Step(base::Micros now) {
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  audit::PrunePolicy policy;
  policy.days = vault_.config.audit.retention_days;
  policy.before = now - policy.days * base::kMicrosPerDay;
  policy.under = SignedSize(*vault_.trail);
  TRY_ASSIGN(const std::optional<audit::PrunePlan> plan, audit::PlanPrune(*reader, policy));
  if (!plan) return false;
  Submit(*plan);
  return true;
}

// The records and what says that they are gone are one transaction.
void Pruner::Submit(const audit::PrunePlan& plan) {
  audit::Job job;
  job.alone = true;
  job.decide = [this, plan](sql::Database& database, base::Micros) {
    audit::Decision decision{RecordOf(vault_), false};
    if (const auto pruned = audit::Prune(database, plan); pruned) {
      decision.record.after = audit::PruneFacts(plan.pruned);
    } else {
      base::LogError("trail_not_pruned", pruned.error());
      decision.undo = true;
      decision.record.outcome = audit::Outcome::kError;
      decision.record.reason = std::string(RefusalName(RefusalOf(pruned.error())));
    }
    return decision;
  };
  const std::int64_t kept = std::ranges::count_if(plan.pruned.kept, [&](std::int64_t seq) { return seq >= plan.from; });
  job.done = [this, first = plan.pruned.first, records = plan.pruned.first - plan.from - kept](const Result<audit::Receipt>& receipt) {
    const bool pruned = receipt && receipt->record.outcome == audit::Outcome::kOk;
    if (pruned) base::Log(base::Level::kInfo, "trail_pruned", {{"before_seq", first}, {"records", records}, {"seq", receipt->seq}});
    look_at_ = base::MonoMicros() + (pruned ? kPause : receipt ? kIdle : kRetry);
    under_way_ = false;
  };
  under_way_ = true;
  if (vault_.log->Submit(std::move(job))) return;
  look_at_ = base::MonoMicros() + kRetry;
  under_way_ = false;
}

}  // namespace strongroom::vault
