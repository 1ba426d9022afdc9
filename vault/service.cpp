#include "vault/service.h"

#include <utility>

#include "base/log.h"
#include "vault/load_keys.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/status_away.h"
#include "vault/trail_start.h"
#include "vault/two_people.h"

namespace strongroom::vault {
namespace {

// Between two attempts to reach a database that answers questions no more.
constexpr base::Micros kReaderPause = 2 * base::kMicrosPerSecond;

// In the trail, `purpose` is why the caller says it asks (--reason TEXT, or the attempt a worker resolves for), and
// `reason` is the refusal's name ("KEY_REVOKED") where the outcome is not ok.
void MarkRefused(audit::Draft& record, Refusal refusal) {
  const Code code = RefusalError(refusal).code();
  const bool our_fault = code == Code::kUnavailable || code == Code::kInternal;
  record.outcome = our_fault ? audit::Outcome::kError : audit::Outcome::kDenied;
  record.reason = std::string(RefusalName(refusal));
}

// Where the trail does not take a job, nothing of it was done.
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
struct Hearing : std::enable_shared_from_this<Hearing> {
  Hearing(OpenVault& open, const OperationRow& row, std::unique_ptr<Act> asked, audit::Draft draft, Done answer)
      : vault(open), operation(row), act(std::move(asked)), turn(static_cast<std::uint64_t>(draft.actor.uid)),
        record(std::move(draft)), alone(row.runs != Runs::kGrouped),
        done(std::move(answer)) {}
  OpenVault& vault;
  const OperationRow& operation;
  std::unique_ptr<Act> act;
  const std::uint64_t turn;
  audit::Draft record;  // of a grouped act it is taken by Decide, which comes once
  const bool alone;
  std::optional<Bytes> digest;  // of an act that needs two people where they are demanded, and what it does
  std::string deed;
  bool always_two = false;
  const base::Micros begun = base::MonoMicros();
  Done done;
  std::optional<Refusal> refusal;

  // Run puts it into the queue of the trail's writer.
  void Run();

 private:
  audit::Decision Decide(sql::Database& database, base::Micros now);
  void Finish(Result<audit::Receipt> receipt);
  bool Submit();
  void AnswerFenced();
  bool member_checked_ = false;
  Result<void> DecideAct(Store& store, base::Micros now, audit::Draft& draft);
  Result<void> DecideByTwo(Store& store, base::Micros now, audit::Draft& draft);
  void ForgetOutcome() {
    act->Undo();
    act->two_people.reset();
    act->new_epoch.reset();
    act->stops.clear();
  }
};

// Nothing is released from a database that is older than what was acknowledged, and no act is done on it. A resolve, which
// writes nothing, is decided all the same, so that its record says what was asked for.
Result<void> Hearing::DecideAct(Store& store, base::Micros now, audit::Draft& draft) {
  ForgetOutcome();
  Stops& stops = *vault.stops;
  if (alone && stops.older() && !operation.while_older) return Refuse(Refusal::kDatabaseOlder);
  if (alone) TRY(store.LockVault());
  // Once an act, in the transaction that it is done in: a node that was removed a moment ago does none.
  if (alone && vault.nodes != nullptr && !std::exchange(member_checked_, true)) TRY(vault.nodes->CheckMember(store));
  vault.proofs.Look(store);
  auto decided = digest ? DecideByTwo(store, now, draft) : act->Decide(store, now, draft);
  // Only an act that runs alone writes rows; whether or not they are committed, what was read before may be past.
  if (alone) vault.proofs.Written();
  // The database was put back under our hands.
  if (act->new_epoch && *act->new_epoch <= stops.epoch()) stops.MarkOlder();
  if (stops.older() && !operation.while_older) return Refuse(Refusal::kDatabaseOlder);
  return decided;
}

// The approval is used in the transaction of the act: both are done, or neither.
Result<void> Hearing::DecideByTwo(Store& store, base::Micros now, audit::Draft& draft) {
  TRY_ASSIGN(const bool demanded, TwoPeopleDemanded(vault, store));
  if (!demanded && !always_two) return act->Decide(store, now, draft);
  auto approval = FindApproved(vault, store, operation, *digest, draft.actor.uid, now);
  if (!approval) {
    draft.before = audit::Facts{{"act", deed}, {"digest", base::Hex(*digest)}};
    return std::unexpected(approval.error());
  }
  TRY(act->Decide(store, now, draft));
  return UseApproval(vault, store, std::move(*approval), draft);
}

audit::Decision Hearing::Decide(sql::Database& database, base::Micros now) {
  Store store(database);
  // A commit whose outcome was not known may have moved the epoch.
  if (vault.epoch.TakeDoubt()) {
    const auto row = store.FindVault();
    if (row) vault.epoch.Publish(row->epoch);
    // It may have been a rotation's step as well.
    if (!vault.sealed()) {
      const auto held = vault.held.Get();
      const Keyring offered = held ? held->keyring : Keyring();
      if (auto keys = LoadKeys(vault.config, store, vault.vault_id, vault.node_id, &offered)) vault.held.Put(std::move(*keys));
    }
    if (!row || !CatchUp(vault, store, row->epoch)) vault.epoch.Doubt();
  }
  refusal.reset();
  audit::Decision decision;
  decision.record = alone ? record : std::move(record);
  const auto decided = DecideAct(store, now, decision.record);
  decision.record.epoch = act->new_epoch.value_or(vault.epoch.value());
  if (decided) TellStop(act->stops, decision.record);
  if (decided) return decision;
  refusal = AsRefusal(decided.error());
  ForgetOutcome();
  decision.record.epoch = vault.epoch.value();
  decision.record.after.reset();
  decision.undo = alone;
  MarkRefused(decision.record, *refusal);
  return decision;
}

void Hearing::Finish(Result<audit::Receipt> receipt) {
  if (!receipt) {
    act->Undo();
    if (alone) vault.epoch.Doubt();
    return done(Refuse(Refusal::kTrailUnavailable));
  }
  if (act->new_epoch) {
    // Another node's act came in between, and may have stopped keys too.
    if (*act->new_epoch != vault.epoch.value() + 1) vault.epoch.Doubt();
    const auto noted = vault.stops->Note(*act->new_epoch, act->stops, act->two_people);
    vault.epoch.Publish(*act->new_epoch);
    if (!noted) return done(Refuse(Refusal::kStopsUnavailable));
  }
  if (refusal) return done(Refuse(*refusal));
  if (const auto effect = act->Effect(); !effect) return done(Refuse(AsRefusal(effect.error())));
  // Where it cannot go on, what is durable is answered, and asked on from.
  if (act->GoesOn() && !vault.stopping.load() && Submit()) return;
  if (act->fenced()) return AnswerFenced();
  done(act->Answer(*receipt));
}

void Hearing::Run() {
  if (!Submit()) done(Refuse(NotTaken(vault)));
}

bool Hearing::Submit() {
  audit::Job job;
  job.turn = turn;
  job.alone = alone;
  const auto self = shared_from_this();
  job.decide = [self](sql::Database& database, base::Micros now) { return self->Decide(database, now); };
  job.done = [self](Result<audit::Receipt> receipt) { self->Finish(std::move(receipt)); };
  return vault.log->Submit(std::move(job)).has_value();
}

void Hearing::AnswerFenced() {
  const auto answer = [self = shared_from_this()](Result<std::vector<std::string>> unheard) {
    if (!unheard) return self->done(std::unexpected(unheard.error()));
    StoppedAnswer stopped;
    stopped.took = base::MonoMicros() - self->begun;
    stopped.unheard = std::move(*unheard);
    self->done(Reply(stopped.Encode()));
  };
  if (vault.nodes == nullptr) return answer(std::vector<std::string>());
  vault.nodes->Fence(*act->new_epoch, answer);
}

// PrepareAndRun has an act prepared in the anteroom and then runs it; false where somebody is there.
bool PrepareAndRun(const std::shared_ptr<Hearing>& hearing) {
  OpenVault& vault = hearing->vault;
  return vault.anteroom.Enter([&vault, hearing] {
    hearing->act->Prepare();
    hearing->done = [&vault, answer = std::move(hearing->done)](Result<Reply> reply) {
      vault.anteroom.Leave();
      answer(std::move(reply));
    };
    hearing->Run();
  });
}

void RunCeremony(const std::shared_ptr<Hearing>& hearing) {
  if (PrepareAndRun(hearing)) return;
  RefuseOnRecord(hearing->vault, hearing->turn, hearing->record, Refusal::kBusy, std::move(hearing->done));
}

std::shared_ptr<Hearing> OwnHearing(OpenVault& vault, std::string_view action, std::unique_ptr<Act> act, Done done) {
  static constexpr OperationRow kOwn{{}, "", 0, true, Carries::kNoKey, Runs::kAlone, ActHandler(nullptr)};
  audit::Draft record;
  record.action = action;
  record.actor = SystemActor();
  return std::make_shared<Hearing>(vault, kOwn, std::move(act), std::move(record), std::move(done));
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

// NameProfile tells the record which profile was asked for, and whose its row says it is.
void NameProfile(OpenVault& vault, ByteView body, audit::Draft& record) {
  const auto ref = DecodeText(body);
  if (!ref) return;
  record.purpose = "profile " + *ref;
  const auto row = Store(*vault.reader).FindProfile(*ref);
  if (row && *row) record.customer = (*row)->customer;
}

Result<Reply> AnswerFact(OpenVault& vault, FactHandler handler, ByteView body) {
  Store store(*vault.reader);
  auto answer = handler(vault, store, body);
  // A connection that broke does not mend by itself: ask once more on a new one.
  const bool broke = !answer && answer.error().refusal() == 0 && answer.error().code() == Code::kUnavailable;
  // A server that is away must not keep everybody else waiting at each question.
  if (broke && base::MonoMicros() >= vault.reader_retry_at) {
    auto reader = OpenReader(vault.config, vault.node_id);
    vault.reader_retry_at = reader ? 0 : base::MonoMicros() + kReaderPause;
    if (reader) {
      vault.reader = std::move(*reader);
      Store again(*vault.reader);
      answer = handler(vault, again, body);
    } else {
      answer = std::unexpected(reader.error());
    }
  }
  if (!answer) {
    const Refusal refusal = AsRefusal(answer.error());
    // Who asks how things stand is told that the database is away.
    if (refusal == Refusal::kDatabaseUnavailable && handler == &Status) return Reply(StatusWithoutDatabase(vault));
    return Refuse(refusal);
  }
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

bool RunOwnCeremony(OpenVault& vault, std::string_view action, std::unique_ptr<Act> act, Done done) {
  return PrepareAndRun(OwnHearing(vault, action, std::move(act), std::move(done)));
}

void RunOwn(OpenVault& vault, std::string_view action, std::unique_ptr<Act> act, Done done) {
  OwnHearing(vault, action, std::move(act), std::move(done))->Run();
}

struct Service::State {
  explicit State(std::unique_ptr<OpenVault> open) : vault(std::move(open)) {}
  std::unique_ptr<OpenVault> vault;
};

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::expected<std::unique_ptr<Service>, VaultProblem> Service::Open(const base::Config& config) {
  auto vault = LoadVault(config);
  if (!vault) return std::unexpected(vault.error());
  if (const auto told = TellOfTrail(**vault); !told) {
    return std::unexpected(VaultProblem{"what became of the trail cannot be recorded: " + told.error().Message()});
  }
  audit::Draft record;
  record.action = "vaultd_start";
  record.actor = SystemActor();
  record.epoch = (*vault)->epoch.value();
  record.after = audit::Facts{{"version", STRONGROOM_VERSION},
                              {"single_user", config.vault.single_user ? "yes" : "no"}};
  if (const auto receipt = (*vault)->log->Append(std::move(record)); !receipt) {
    return std::unexpected(VaultProblem{"the start cannot be recorded: " + receipt.error().Message()});
  }
  if ((*vault)->nodes != nullptr) (*vault)->nodes->AllowActs();
  StartPublishing(**vault);
  return std::unique_ptr<Service>(new Service(std::make_unique<State>(std::move(*vault))));
}

Service::~Service() {
  state_->vault->stopping = true;
  state_->vault->anteroom.Close();  // its record comes before that of the stop
  audit::Draft record;
  record.action = "vaultd_stop";
  record.actor = SystemActor();
  record.epoch = epoch();
  const auto leave = [&vault = *state_->vault](sql::Database& database) {
    vault.ahead.Stop();
    if (vault.nodes == nullptr) return;
    Store store(database);
    if (const auto left = vault.nodes->Leave(store); !left) base::LogError("lease_not_left", left.error());
  };
  const auto receipt = state_->vault->log->Append(std::move(record), leave);
  if (!receipt) base::LogError("vaultd_stop_not_recorded", receipt.error());
  // The last connection to close must be one that may write: it takes SQLite's write-ahead log away, and with it older
  // pages, such as the DEK of a key that was destroyed.
  state_->vault->reader.reset();
  state_->vault->publisher.reset();  // the checkpoint of the stop too
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
  if (vault.sealed() && !row->while_sealed) {
    // A worker waits within its deadline as ever; whoever acts here has to go elsewhere.
    const bool gone = vault.nodes != nullptr && vault.nodes->removed() && role != RoleName(Role::kWorker);
    return refuse(gone ? Refusal::kNodeRemoved : Refusal::kSealed);
  }
  const bool fits = row->carries == Carries::kMayKey || secret.has_value() == (row->carries == Carries::kKey);
  if (!fits) return refuse(Refusal::kMalformed);
  if (const auto* fact = std::get_if<FactHandler>(&row->handler)) {
    auto answer = AnswerFact(vault, *fact, body);
    // That a name an admin looks up is not there is an answer; everything else that is refused is recorded.
    const bool only_missing = !answer && answer.error().code() == Code::kNotFound && role != RoleName(Role::kWorker);
    const bool tampered = !answer && row->operation == Operation::kGetProfile && RefusalOf(answer.error()) == Refusal::kProfileTampered;
    if (tampered) NameProfile(vault, body, record);
    if (!answer && !only_missing) return refuse(RefusalOf(answer.error()));
    return done(std::move(answer));
  }
  auto act = std::get<ActHandler>(row->handler)(vault, body, std::move(secret));
  if (!act) return refuse(Refusal::kMalformed);
  const auto hearing = std::make_shared<Hearing>(vault, *row, std::move(*act), std::move(record), std::move(done));
  if (row->two_people != nullptr) {
    if (auto sensitive = row->two_people(body)) {
      hearing->digest = ActDigest(row->operation, sensitive->body.empty() ? body : sensitive->body);
      hearing->deed = std::move(sensitive->act);
      hearing->always_two = sensitive->always && !vault.config.vault.single_user;
    }
  }
  if (row->runs == Runs::kCeremony) return RunCeremony(hearing);
  hearing->Run();
}

void Service::Hurry() { state_->vault->anteroom.Interrupt(); }

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
