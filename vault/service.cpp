#include "vault/service.h"

#include <utility>

#include "base/log.h"
#include "vault/load_keys.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// In the trail, `purpose` is why the caller says it asks (--reason TEXT, or the attempt a worker resolves for), and
// `reason` is the refusal's name ("KEY_REVOKED") where the outcome is not ok.
void MarkRefused(audit::Draft& record, Refusal refusal) {
  using enum Refusal;
  const bool our_fault = refusal == kDatabaseUnavailable || refusal == kKekMissing || refusal == kInternal ||
                         refusal == kSealed || refusal == kBusy ||
                         refusal == kDatabaseOlder;
  record.outcome = our_fault ? audit::Outcome::kError : audit::Outcome::kDenied;
  record.reason = std::string(RefusalName(refusal));
}

// Where the trail does not take a job, nothing was done.
Refusal NotTaken(const OpenVault& vault) {
  return vault.log->healthy() ? Refusal::kBusy : Refusal::kTrailUnavailable;
}

// RefuseOnRecord answers with a refusal once its record is durable.
void RefuseOnRecord(OpenVault& vault, std::uint64_t turn, audit::Draft record, Refusal refusal, Done done) {
  MarkRefused(record, refusal);
  const auto answer = std::make_shared<Done>(std::move(done));
  audit::Job job;
  job.turn = turn;
  job.decide = [record = std::move(record)](sql::Database&, base::Micros) { return audit::Decision{record, false}; };
  job.done = [answer, refusal](const Result<audit::Receipt>& receipt) {
    (*answer)(Refuse(receipt ? refusal : Refusal::kTrailUnavailable));
  };
  if (!vault.log->Submit(std::move(job))) (*answer)(Refuse(NotTaken(vault)));
}

// Hearing is one act on its way through the trail's writer, shared by the two halves of its job.
struct Hearing {
  Hearing(OpenVault& open, std::unique_ptr<Act> asked, audit::Draft draft, bool is_alone, Done answer)
      : vault(open), act(std::move(asked)), record(std::move(draft)), alone(is_alone), done(std::move(answer)) {}
  OpenVault& vault;
  std::unique_ptr<Act> act;
  const audit::Draft record;
  const bool alone;
  Done done;
  std::optional<Refusal> refusal;

  audit::Decision Decide(sql::Database& database, base::Micros now);
  void Finish(const Result<audit::Receipt>& receipt);

 private:
  Result<void> DecideAct(Store& store, base::Micros now, audit::Draft& draft);
  void ForgetOutcome() {
    act->new_epoch.reset();
    act->stops.clear();
  }
};

// Nothing is released from a database that is older than what was acknowledged, and no act is done on it. A resolve, which
// writes nothing, is decided all the same, so that its record says what was asked for.
Result<void> Hearing::DecideAct(Store& store, base::Micros now, audit::Draft& draft) {
  ForgetOutcome();
  Stops& stops = *vault.stops;
  if (alone && stops.older()) return Refuse(Refusal::kDatabaseOlder);
  vault.proofs.Look(store);
  auto decided = act->Decide(store, now, draft);
  // Only an act that runs alone writes rows; whether or not they are committed, what was read before may be past.
  if (alone) vault.proofs.Written();
  // The database was put back under our hands.
  if (act->new_epoch && *act->new_epoch <= stops.epoch()) stops.MarkOlder();
  if (stops.older()) return Refuse(Refusal::kDatabaseOlder);
  return decided;
}

audit::Decision Hearing::Decide(sql::Database& database, base::Micros now) {
  Store store(database);
  // A commit whose outcome was not known may have moved the epoch.
  if (vault.epoch.TakeDoubt()) {
    const auto row = store.FindVault();
    if (row) vault.epoch.Publish(row->epoch);
    // It may have been a rotation's step as well.
    if (!vault.sealed()) {
      if (auto keys = LoadKeys(vault.config, store, vault.vault_id)) vault.held.Put(std::move(*keys));
    }
    if (!row || !CatchUp(vault, store, row->epoch)) vault.epoch.Doubt();
  }
  refusal.reset();
  audit::Decision decision{record, false};
  const auto decided = DecideAct(store, now, decision.record);
  decision.record.epoch = act->new_epoch.value_or(vault.epoch.value());
  if (decided) return decision;
  refusal = AsRefusal(decided.error());
  ForgetOutcome();
  decision.record.epoch = vault.epoch.value();
  decision.record.after.reset();
  decision.undo = alone;
  MarkRefused(decision.record, *refusal);
  return decision;
}

void Hearing::Finish(const Result<audit::Receipt>& receipt) {
  if (!receipt) {
    if (alone) vault.epoch.Doubt();
    return done(Refuse(Refusal::kTrailUnavailable));
  }
  if (act->new_epoch) {
    const auto noted = vault.stops->Note(*act->new_epoch, act->stops);
    vault.epoch.Publish(*act->new_epoch);
    if (!noted) return done(Refuse(Refusal::kStopsUnavailable));
  }
  if (refusal) return done(Refuse(*refusal));
  done(act->Answer(*receipt));
}

void RunAct(OpenVault& vault, const Peer& peer, audit::Draft record, std::unique_ptr<Act> act, bool alone,
            Done done) {
  const auto hearing =
      std::make_shared<Hearing>(vault, std::move(act), std::move(record), alone, std::move(done));
  audit::Job job;
  job.turn = peer.uid;
  job.alone = alone;
  job.decide = [hearing](sql::Database& database, base::Micros now) { return hearing->Decide(database, now); };
  job.done = [hearing](const Result<audit::Receipt>& receipt) { hearing->Finish(receipt); };
  if (!vault.log->Submit(std::move(job))) hearing->done(Refuse(NotTaken(vault)));
}

// RoleFor is the role under which a peer may do it, empty for none.
std::string_view RoleFor(const Peer& peer, std::uint8_t allowed) {
  for (const Role role : {Role::kWorker, Role::kAdmin, Role::kAuditor}) {
    if (peer.Has(role) && (allowed & static_cast<std::uint8_t>(role)) != 0) return RoleName(role);
  }
  return {};
}

audit::Draft DraftFor(const Peer& peer, std::string_view action, std::string_view role) {
  audit::Draft record;
  record.action = action;
  record.actor = ActorOf(peer, role);
  return record;
}

Result<Reply> AnswerFact(OpenVault& vault, FactHandler handler, ByteView body) {
  Store store(*vault.reader);
  auto answer = handler(vault, store, body);
  // A connection that broke does not mend by itself: ask once more on a new one.
  if (!answer && answer.error().refusal() == 0 && answer.error().code() == Code::kUnavailable) {
    auto reader = OpenReader(vault.config);
    if (!reader) return Refuse(AsRefusal(reader.error()));
    vault.reader = std::move(*reader);
    Store again(*vault.reader);
    answer = handler(vault, again, body);
  }
  if (!answer) return Refuse(AsRefusal(answer.error()));
  if (answer->size() > kMostBodyBytes) return Refuse(Refusal::kAnswerTooLarge);
  return Reply(std::move(*answer));
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kAdmin:
      return "admin";
    case Role::kWorker:
      return "worker";
    case Role::kAuditor:
      return "auditor";
  }
  CHECK(false && "a role without a name");
  return {};
}

struct Service::State {
  explicit State(std::unique_ptr<OpenVault> open) : vault(std::move(open)) {}
  std::unique_ptr<OpenVault> vault;
};

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::expected<std::unique_ptr<Service>, VaultProblem> Service::Open(const base::Config& config) {
  auto vault = LoadVault(config);
  if (!vault) return std::unexpected(vault.error());
  audit::Draft record;
  record.action = "vaultd_start";
  record.actor = SystemActor();
  record.epoch = (*vault)->epoch.value();
  record.after = audit::Facts{{"version", STRONGROOM_VERSION},
                              {"single_user", config.vault.single_user ? "yes" : "no"}};
  if (const auto receipt = (*vault)->log->Append(std::move(record)); !receipt) {
    return std::unexpected(VaultProblem{"the start cannot be recorded: " + receipt.error().Message()});
  }
  return std::unique_ptr<Service>(new Service(std::make_unique<State>(std::move(*vault))));
}

Service::~Service() {
  audit::Draft record;
  record.action = "vaultd_stop";
  record.actor = SystemActor();
  record.epoch = epoch();
  const auto receipt = state_->vault->log->Append(std::move(record));
  if (!receipt) base::LogError("vaultd_stop_not_recorded", receipt.error());
  // The last connection to close must be one that may write: it takes SQLite's write-ahead log away, and with it older
  // pages, such as the DEK of a key that was destroyed.
  state_->vault->reader.reset();
}

void Service::Handle(const Peer& peer, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret,
                     Done done) {
  OpenVault& vault = *state_->vault;
  const OperationRow* row = FindOperation(operation);
  if (row == nullptr) {
    audit::Draft record = DraftFor(peer, "unknown_operation", {});
    record.purpose = "operation " + std::to_string(operation);
    return RefuseOnRecord(vault, peer.uid, std::move(record), Refusal::kUnknownOperation, std::move(done));
  }
  const std::string_view role = RoleFor(peer, row->roles);
  audit::Draft record = DraftFor(peer, row->action, role);
  const auto refuse = [&](Refusal refusal) {
    RefuseOnRecord(vault, peer.uid, std::move(record), refusal, std::move(done));
  };
  if (role.empty()) return refuse(Refusal::kNoRole);
  if (vault.sealed() && !row->while_sealed) return refuse(Refusal::kSealed);
  if (secret.has_value() != row->carries_key) return refuse(Refusal::kMalformed);
  if (const auto* fact = std::get_if<FactHandler>(&row->handler)) {
    auto answer = AnswerFact(vault, *fact, body);
    // That a name an admin looks up is not there is an answer; everything else that is refused is recorded.
    const bool only_missing = !answer && answer.error().code() == Code::kNotFound && role != RoleName(Role::kWorker);
    if (!answer && !only_missing) return refuse(RefusalOf(answer.error()));
    return done(std::move(answer));
  }
  auto act = std::get<ActHandler>(row->handler)(vault, body, std::move(secret));
  if (!act) return refuse(Refusal::kMalformed);
  RunAct(vault, peer, std::move(record), std::move(*act), row->runs == Runs::kAlone, std::move(done));
}

void Service::RecordStrangers(std::int64_t count, const Peer& latest) {
  audit::Draft record = DraftFor(latest, "strangers_closed", {});
  record.after = audit::Facts{{"count", std::to_string(count)}};
  RefuseOnRecord(*state_->vault, latest.uid, std::move(record), Refusal::kNoRole, [](const Result<Reply>&) {});
}

void Service::OnEpoch(std::function<void(std::int64_t)> handler) {
  state_->vault->epoch.OnChange(std::move(handler));
}

std::int64_t Service::epoch() const { return state_->vault->epoch.value(); }

}  // namespace strongroom::vault
