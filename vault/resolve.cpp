// Resolve and probe: the two ways a key leaves the vault.
#include <utility>

#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/notice.h"
#include "vault/operations.h"
#include "vault/proofs.h"

namespace strongroom::vault {
namespace {

// The contract counts characters, IsText bytes of UTF-8: up to four a character.
constexpr std::size_t kMostProfileRef = 40 * 4;
// Far above what a worker counts (PROTOCOL.md): this only keeps rubbish out of the trail.
constexpr std::int64_t kMostAttempts = 1'000'000;

// Decided is a key as it was proved, and when and at which epoch that was true.
struct Decided {
  std::shared_ptr<const ProvenKey> key;
  std::int64_t epoch = 0;
  base::Micros at = 0;  // MonoMicros
};

// OpenAt opens the key unless an act was acknowledged since it was decided: that act may have been its revoke. Whoever
// asks again is told by the rows as they are then. A key that was proved a moment ago and does not open has a damaged
// payload.
std::expected<SecretValue, Refusal> OpenAt(const OpenVault& vault, const Decided& decided) {
  // The lease first: one that was renewed since then was renewed behind the epoch it acknowledges.
  if (!vault.lease.Holds(decided.at)) return std::unexpected(Refusal::kLeaseOver);
  if (vault.epoch.value() != decided.epoch) return std::unexpected(Refusal::kBusy);
  if (vault.sealed()) return std::unexpected(Refusal::kSealed);
  if (vault.quarantine->in_force()) return std::unexpected(Refusal::kQuarantined);
  auto opened = decided.key->Open();
  if (opened) return std::move(*opened);
  const bool exhausted = opened.error().code() == Code::kResourceExhausted;
  return std::unexpected(exhausted ? AsRefusal(opened.error()) : Refusal::kKeyTampered);
}

// Release opens a key after its record is durable, on the server's thread. Where it does not open no key leaves, and the
// trail is told that this release did not happen. The refusal does not wait for that second record: it gives nothing
// away, and the first record, which says more than happened, is durable already.
std::function<Result<SecretValue>()> Release(OpenVault& vault, Decided decided, audit::Draft released) {
  return [&vault, decided = std::move(decided),
          record = std::make_shared<const audit::Draft>(std::move(released))]() -> Result<SecretValue> {
    auto opened = OpenAt(vault, decided);
    if (opened) return std::move(*opened);
    const Refusal refusal = opened.error();
    const auto not_recorded = [key_ref = decided.key->row().key_ref](const Error& error) {
      base::LogError("failed_release_not_recorded", error, {{"key_ref", key_ref}});
    };
    audit::Job job;
    job.turn = static_cast<std::uint64_t>(record->actor.uid);
    job.decide = [record, refusal](sql::Database&, base::Micros) {
      audit::Decision decision{*record, false};
      decision.record.outcome = audit::Outcome::kError;
      decision.record.reason = std::string(RefusalName(refusal));
      return decision;
    };
    job.done = [not_recorded](const Result<audit::Receipt>& receipt) {
      if (!receipt) not_recorded(receipt.error());
    };
    if (const auto taken = vault.log->Submit(std::move(job)); !taken) not_recorded(taken.error());
    return Refuse(refusal);
  };
}

// CheckRoom: on a full disk the room there is keeps the record of what was refused, and acts that stop a key.
Result<void> CheckRoom(const OpenVault& vault) {
  if (!vault.reserve->held()) return Refuse(Refusal::kTrailUnavailable);
  return {};
}

void NoteKey(const KeyRow& row, audit::Draft& record) {
  record.key_ref = row.key_ref;
  record.key_version = row.key_version;
}

// Keep is called on the writer's thread, which is also the one that publishes epochs: none moves while it decides.
Decided Keep(const OpenVault& vault, std::shared_ptr<const ProvenKey> key, base::Micros began) {
  return {std::move(key), vault.epoch.value(), began};
}

class Resolve final : public Act {
 public:
  Resolve(OpenVault& vault, ResolveRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt& receipt) override;
  void Undo() override;

 private:
  Result<void> Take(Store& store, const audit::Draft& record);
  ReleaseAsk AsRelease(const std::string& key_ref) const {
    return {uid_, request_.customer, request_.request_id, request_.attempt, key_ref};
  }
  Result<std::shared_ptr<const ProvenProfile>> FindProfile(Store& store, audit::Draft& record) const;
  Result<std::shared_ptr<const ProvenKey>> FindKey(Store& store, const std::string& key_ref) const;
  Result<void> CheckState(Store& store, const ProvenKey& key, base::Micros now) const;

  OpenVault& vault_;
  const ResolveRequest request_;
  Decided decided_;
  std::int64_t uid_ = -1;
  bool watched_ = false;
  std::string taken_;  // the key whose release was counted, empty where none was
};

// Both rows are read anew unless they cannot have changed: an edit of the database, or an act, counts from the next
// resolve on.
Result<std::shared_ptr<const ProvenProfile>> Resolve::FindProfile(Store& store, audit::Draft& record) const {
  auto profile = vault_.proofs.UnchangedProfile(request_.profile_ref);
  std::optional<BoundProfile> row;
  if (!profile) {
    TRY_ASSIGN(row, store.FindBoundProfile(request_.profile_ref));
  }
  const BoundProfile* found = profile ? &profile->row() : row ? &*row : nullptr;
  // Another customer's profile is refused like none at all: who asks learns nothing of it.
  if (found == nullptr || found->customer != request_.customer) return Refuse(Refusal::kProfileUnknown);
  record.key_ref = found->key_ref;
  if (!profile) {
    TRY_ASSIGN(profile, vault_.proofs.OfProfile(std::move(*row)));
  }
  if (profile->row().status == "OVER_QUOTA") return Refuse(Refusal::kProfileOverQuota);
  if (profile->row().status != "ACTIVE") return Refuse(Refusal::kProfileNotActive);
  if (!profile->row().key_ref) return Refuse(Refusal::kProfileNeedsKey);
  return profile;
}

Result<std::shared_ptr<const ProvenKey>> Resolve::FindKey(Store& store, const std::string& key_ref) const {
  if (auto known = vault_.proofs.UnchangedKey(key_ref)) return known;
  TRY_ASSIGN(std::optional<KeyRow> row, store.FindKey(key_ref));
  // The profile, which was proved, names it, and no act deletes a key's row.
  if (!row) return Refuse(Refusal::kKeyTampered);
  return vault_.proofs.OfKey(std::move(*row));
}

// A worker leaves the requests of a key that was noticed in the queue, and answers those of one that an admin has stopped.
Result<void> Resolve::CheckState(Store& store, const ProvenKey& key, base::Micros now) const {
  auto usable = key.CheckState(now);
  if (usable || key.state() != KeyState::kSuspended) return usable;
  TRY_ASSIGN(const std::optional<NoticeRow> notice, FindNotice(vault_, store, key));
  if (notice) return Refuse(Refusal::kKeyNoticed);
  return usable;
}

Result<void> Resolve::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.customer = request_.customer;
  record.request_id = request_.request_id;
  record.purpose = "attempt " + std::to_string(request_.attempt) + " profile " + request_.profile_ref;
  const bool formed = IsText(request_.request_id, kMostRequestId) && IsText(request_.customer, kMostCustomer) &&
                      IsText(request_.profile_ref, kMostProfileRef) && request_.attempt >= 1 &&
                      request_.attempt <= kMostAttempts;
  if (!formed) return Refuse(Refusal::kFieldInvalid);
  const base::Micros began = base::MonoMicros();
  if (!vault_.lease.Holds(began)) return Refuse(Refusal::kLeaseOver);
  TRY_ASSIGN(const auto profile, FindProfile(store, record));
  TRY_ASSIGN(auto key, FindKey(store, *profile->row().key_ref));
  NoteKey(key->row(), record);
  if (key->row().customer != profile->row().customer && !key->context().hosted) return Refuse(Refusal::kKeyNotYours);
  if (key->row().provider != profile->row().provider) return Refuse(Refusal::kKeyProviderMismatch);
  TRY(CheckState(store, *key, now));
  TRY(CheckRoom(vault_));
  if (vault_.quarantine->in_force()) return Refuse(Refusal::kQuarantined);
  if (!(profile->origin() == key->context().origin)) return Refuse(Refusal::kOriginMismatch);
  // Sealed keys are https by the rules of intake; this is the last look before one goes out.
  if (!profile->origin().is_https()) return Refuse(Refusal::kOriginNotTls);
  TRY(Take(store, record));
  watched_ = vault_.suspects.IsWatched(*record.key_ref);
  decided_ = Keep(vault_, std::move(key), began);
  return {};
}

// Last of all, so that nothing is counted that is refused for another reason.
Result<void> Resolve::Take(Store& store, const audit::Draft& record) {
  uid_ = record.actor.uid;
  const std::string& key_ref = *record.key_ref;
  TRY(vault_.releases.Take(store, vault_.epoch.value(), AsRelease(key_ref), base::MonoMicros()));
  taken_ = key_ref;
  return {};
}

void Resolve::Undo() {
  if (!taken_.empty()) vault_.releases.GiveBack(AsRelease(taken_));
  taken_.clear();
}

Reply Resolve::Answer(audit::Receipt& receipt) {
  ResolveAnswer answer;
  answer.origin = decided_.key->row().origin;
  answer.key_ref = decided_.key->row().key_ref;
  answer.epoch = decided_.epoch;
  answer.seq = receipt.seq;
  answer.trail_size = vault_.trail->size();
  answer.watched = watched_;
  Reply reply(answer.Encode());
  reply.open_secret = Release(vault_, std::move(decided_), std::move(receipt.record));
  return reply;
}

// How often a key opens that nobody has activated: its provider may be away, or the admin who asks be interrupted.
constexpr std::int64_t kMostProbes = 10;

// By whose will a key is probed.
enum class Prober : std::uint8_t { kAdmin, kWorker };

class Probe final : public Act {
 public:
  Probe(OpenVault& vault, std::string key_ref, Prober prober) : vault_(vault), key_ref_(std::move(key_ref)), prober_(prober) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt& receipt) override;
  void Undo() override;

 private:
  Result<void> AllowWorker(Store& store, const ProvenKey& key, const ReleaseAsk& ask, base::Micros now);
  Result<void> AllowAdmin(Store& store, ProvenKey& key, const ReleaseAsk& ask, base::Micros now);

  OpenVault& vault_;
  const std::string key_ref_;
  const Prober prober_;
  Decided decided_;
  bool counted_ = false;  // for the key
};

// A worker may probe what it was told to, once, when it is due, and within the ceilings of every release: behind them it stays ordered.
Result<void> Probe::AllowWorker(Store& store, const ProvenKey& key, const ReleaseAsk& ask, base::Micros now) {
  TRY(key.CheckState(now));
  const base::Micros mono = base::MonoMicros();
  const Suspects::Wait due = vault_.suspects.Due(key_ref_, ask.uid, mono);
  if (!due) return Refuse(Refusal::kNoProbeOrdered);
  if (*due > 0) return Refuse(Refusal::kProbeEarly);
  TRY(vault_.releases.TakeProbe(store, vault_.epoch.value(), ask, mono));
  counted_ = true;
  vault_.suspects.BeginProbe(key_ref_, ask.uid, mono);
  return {};
}

Result<void> Probe::AllowAdmin(Store& store, ProvenKey& key, const ReleaseAsk& ask, base::Micros now) {
  const bool pending = key.state() == KeyState::kPending, suspended = key.state() == KeyState::kSuspended;
  // ROW_VERSION is bound into the wrap, and only a probe moves it while PENDING.
  if (pending && key.row().row_version > kMostProbes) return Refuse(Refusal::kKeyProbeSpent);
  if (!pending && !suspended) TRY(key.CheckState(now));
  TRY(vault_.releases.TakeTest(ask, base::MonoMicros()));
  if (pending) return key.Touch(vault_, store, now);
  if (suspended) vault_.suspects.NoteTest(key_ref_, ask.uid, base::MonoMicros());
  return {};
}

void Probe::Undo() {
  if (counted_) vault_.releases.GiveBackProbe({-1, {}, {}, 0, key_ref_});
  counted_ = false;
}

Result<void> Probe::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = key_ref_;
  const base::Micros began = base::MonoMicros();
  if (!vault_.lease.Holds(began)) return Refuse(Refusal::kLeaseOver);
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, key_ref_));
  NoteKey(key.row(), record);
  record.customer = key.row().customer;
  record.purpose = "probe of a key that is " + key.row().status;
  TRY(CheckRoom(vault_));
  if (vault_.quarantine->in_force()) return Refuse(Refusal::kQuarantined);
  const ReleaseAsk ask{record.actor.uid, key.row().customer, {}, 0, key_ref_};
  TRY(prober_ == Prober::kWorker ? AllowWorker(store, key, ask, now) : AllowAdmin(store, key, ask, now));
  decided_ = Keep(vault_, std::make_shared<const ProvenKey>(std::move(key)), began);
  return {};
}

Reply Probe::Answer(audit::Receipt& receipt) {
  ProbeAnswer answer;
  answer.key_ref = decided_.key->row().key_ref;
  answer.provider = decided_.key->row().provider;
  answer.origin = decided_.key->row().origin;
  answer.seq = receipt.seq;
  Reply reply(answer.Encode());
  reply.open_secret = Release(vault_, std::move(decided_), std::move(receipt.record));
  return reply;
}

}  // namespace

MadeAct MakeResolve(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ResolveRequest request, ResolveRequest::Decode(body));
  return std::make_unique<Resolve>(vault, std::move(request));
}

MadeAct MakeProbe(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string key_ref, DecodeText(body));
  return std::make_unique<Probe>(vault, std::move(key_ref), Prober::kAdmin);
}

MadeAct MakeProbeSuspect(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string key_ref, DecodeText(body));
  return std::make_unique<Probe>(vault, std::move(key_ref), Prober::kWorker);
}

}  // namespace strongroom::vault
