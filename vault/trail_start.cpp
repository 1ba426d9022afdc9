#include "vault/trail_start.h"

#include <memory>
#include <utility>

#include "vault/trail_rotation.h"

namespace strongroom::vault {

Result<void> TellOfTrail(OpenVault& vault) {
  const auto append = [&](std::string_view action, std::optional<audit::Facts> before, audit::Facts after) -> Result<void> {
    audit::Draft record;
    record.action = action;
    record.actor = SystemActor();
    record.epoch = vault.epoch.value();
    record.before = std::move(before);
    record.after = std::move(after);
    TRY(vault.log->Append(std::move(record)));
    return {};
  };
  if (const auto& before = vault.trail->before()) {
    TRY(append("new_origin", audit::Facts{{"checkpoint", *before}}, {{"verifier_key", vault.trail->verifier().Print()}}));
  }
  if (const auto& tail = vault.trail->recovered()) {
    TRY(append("recovered_tail", std::nullopt, {{"from", std::to_string(tail->from)}, {"to", std::to_string(tail->to)}}));
  }
  return {};
}

void StartPublishing(OpenVault& vault) {
  const base::Config::Audit& audit = vault.config.audit;
  Publisher::Options options;
  options.directory = audit.checkpoints;
  options.every = audit.publish_seconds * base::kMicrosPerSecond;
  options.heartbeat = audit.heartbeat_seconds * base::kMicrosPerSecond;
  options.watch = [&vault] { vault.reserve->Take(); };
  options.look = [&vault, erasure = std::make_shared<KeyErasure>(vault)](const Publisher::Published& published) {
    vault.pruner.Look(base::WallMicros());
    vault.grace_watch.Look(base::WallMicros());
    vault.quota_watch.Look(base::WallMicros());
    vault.tickets.Look(base::WallMicros());
    erasure->Look(published);
  };
  const auto beat = [&vault] {
    audit::Job job;
    job.decide = [&vault](sql::Database&, base::Micros) {
      audit::Decision heartbeat;
      heartbeat.record.action = "heartbeat";
      heartbeat.record.actor = SystemActor();
      heartbeat.record.epoch = vault.epoch.value();
      return heartbeat;
    };
    job.done = [](const Result<audit::Receipt>&) {};
    // One that is not taken is not missed: others are waiting to be written.
    static_cast<void>(vault.log->Submit(std::move(job)));
  };
  vault.publisher = std::make_unique<Publisher>(*vault.trail, *vault.log, beat, options);
}

}  // namespace strongroom::vault
