// The way back from a rotation, while the old key's grace lasts.
#include <utility>

#include "vault/account_limit.h"
#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/replacement.h"

namespace strongroom::vault {
namespace {

class RollBackKey final : public Act {
 public:
  bool fenced() const override { return true; }
  RollBackKey(OpenVault& vault, MoveRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  Result<KeyRow> FindCurrent(Store& store, const KeyRow& old_key) const;
  Result<void> PutAside(Store& store, KeyRow& current, base::Micros now);

  OpenVault& vault_;
  const MoveRequest request_;
};

Result<void> RollBackKey::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = request_.ref;
  TRY(TakeReason(request_.reason, record));
  if (request_.move != "rollback") return Refuse(Refusal::kFieldInvalid);
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, request_.ref));
  record.customer = key.row().customer;
  record.key_version = key.row().key_version;
  record.before = audit::Facts{{"status", key.row().status}};
  const auto next = NextState(key.state(), Move::kRollBack);
  if (!next) return Refuse(Refusal::kKeyNotRotated);
  if (!Opens(key.state(), key.row().grace_until, now)) return Refuse(Refusal::kRollbackLate);
  TRY_ASSIGN(KeyRow current, FindCurrent(store, key.row()));
  // As in the record of a rotation: the facts before are those of the key that is replaced.
  record.before = audit::Facts{{"key_ref", current.key_ref}, {"status", current.status}};
  const bool works = current.status == StateName(KeyState::kActive);
  // Its account is the same, and so is what that takes by now.
  if (const auto proven = ProvenKey::Prove(vault_, current)) TRY(key.WriteLimit(vault_, store, proven->row().limit));
  TRY(key.Write(vault_, store, *next, std::nullopt, now));
  TRY(PutAside(store, current, now));
  TRY_ASSIGN(const std::size_t profiles, RepointProfiles(vault_, store, current.key_ref, request_.ref, now));
  TRY(CheckShares(vault_, store, request_.ref));
  if (profiles == 0 && !works) return Refuse(Refusal::kRollbackUnclear);
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = audit::Facts{{"status", key.row().status}, {"old_status", current.status}, {"profiles", std::to_string(profiles)}};
  return {};
}

// FindCurrent is what stands in the key's place now. Where that was rotated in its turn, it is what stands in that one's place.
Result<KeyRow> RollBackKey::FindCurrent(Store& store, const KeyRow& old_key) const {
  KeyRow row = old_key;
  while (row.status == StateName(KeyState::kRotated)) {
    TRY_ASSIGN(const std::string by, ReplacedBy(store, row));
    TRY_ASSIGN(std::optional<KeyRow> next, store.FindKey(by));
    // Versions grow: so the way ends, whatever somebody wrote into the trail.
    const bool follows = next && next->customer == row.customer && next->provider == row.provider && next->label == row.label &&
                         next->key_version > row.key_version;
    if (!follows) return Refuse(Refusal::kRollbackUnclear);
    row = std::move(*next);
  }
  return row;
}

// The key that turned out wrong is stopped: nobody is to use it by mistake, and no grace runs for it. An admin resumes or revokes it. One that is stopped, or
// does not prove, opens for nobody as it is.
Result<void> RollBackKey::PutAside(Store& store, KeyRow& current, base::Micros now) {
  auto key = ProvenKey::Prove(vault_, current);
  if (!key || key->state() != KeyState::kActive) return {};
  TRY(key->Write(vault_, store, KeyState::kSuspended, key->row().grace_until, now));
  stops.push_back({current.key_ref, key->row().row_version, KeyState::kSuspended});
  current = key->row();
  return {};
}

}  // namespace

MadeAct MakeRollBackKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(MoveRequest request, MoveRequest::Decode(body));
  return std::make_unique<RollBackKey>(vault, std::move(request));
}

}  // namespace strongroom::vault
