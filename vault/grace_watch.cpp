#include "vault/grace_watch.h"

#include <memory>
#include <utility>

#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {


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

GraceWatch::GraceWatch(OpenVault& vault) : Errand(vault, {"end_grace", "grace_ended", "grace_not_ended", "key_ref"}) {}

Result<std::vector<std::string>> GraceWatch::Find(Store& store, base::Micros until, std::int64_t most) const {
  TRY_ASSIGN(const std::vector<KeyRow> keys, store.KeysOutOfGrace(until, most));
  std::vector<std::string> refs;
  for (const KeyRow& key : keys) refs.push_back(key.key_ref);
  return refs;
}

std::unique_ptr<Act> GraceWatch::Make(const std::string& key_ref) { return std::make_unique<EndGrace>(vault_, key_ref); }

bool GraceWatch::IsOfRow(Refusal why) const {
  return why == Refusal::kKeyTampered || why == Refusal::kKekMissing || why == Refusal::kKekRetired;
}

}  // namespace strongroom::vault
