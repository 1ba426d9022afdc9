#include "vault/ticket_keeper.h"

#include <utility>

#include "base/log.h"
#include "vault/open_vault.h"
#include "vault/store.h"

namespace strongroom::vault {

Result<void> TicketKeeper::Expire(Store& store, base::Micros now) {
  TRY(store.ExpireTickets(now));
  return store.DropTickets(now - kShown);
}

void TicketKeeper::Look(base::Micros now) {
  if (under_way_ || vault_.stopping || base::MonoMicros() < look_at_) return;
  // Nothing is written to a database that is not the newest.
  if (vault_.stops->older() || !vault_.log->healthy()) return;
  look_at_ = base::MonoMicros() + kPause;
  const auto overdue = Overdue(now);
  if (!overdue) return base::LogError("tickets_not_expired", overdue.error());
  if (*overdue) Submit();
}

// Its connection is closed again: the last one of a database in a file must be the writer's.
Result<bool> TicketKeeper::Overdue(base::Micros now) const {
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  return Store(*reader).TicketsOverdue(now);
}

void TicketKeeper::Submit() {
  audit::Job job;
  job.alone = true;
  job.decide = [this](sql::Database& database, base::Micros now) {
    Store store(database);
    audit::Decision decision;
    decision.record.action = "expire_tickets";
    decision.record.actor = SystemActor();
    decision.record.epoch = vault_.epoch.value();
    if (const auto expired = store.ExpireTickets(now); expired) {
      decision.record.after = audit::Facts{{"tickets", std::to_string(*expired)}};
    } else {
      base::LogError("tickets_not_expired", expired.error());
      decision.undo = true;
      decision.record.outcome = audit::Outcome::kError;
      decision.record.reason = std::string(RefusalName(Refusal::kDatabaseUnavailable));
    }
    return decision;
  };
  job.done = [this](const Result<audit::Receipt>&) { under_way_ = false; };
  under_way_ = true;
  if (!vault_.log->Submit(std::move(job))) under_way_ = false;
}

}  // namespace strongroom::vault
