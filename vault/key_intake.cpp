// Taking a key in: add it as PENDING, then activate it together with the profile that uses it.
#include <utility>

#include "vault/account_limit.h"
#include "vault/field_rules.h"
#include "vault/key_format.h"
#include "vault/new_key.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/profile_rules.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

class AddKey final : public Act {
 public:
  AddKey(OpenVault& vault, AddKeyRequest request, SecretValue key)
      : vault_(vault), request_(std::move(request)), key_(std::move(key)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(key_ref_)); }

 private:
  OpenVault& vault_;
  const AddKeyRequest request_;
  const SecretValue key_;
  std::string key_ref_;
};

Result<void> AddKey::Decide(Store& store, base::Micros now, audit::Draft& record) {
  if (!request_.customer.empty()) record.customer = request_.customer;
  TRY(TakeReason(request_.reason, record));
  if (!KeyFormat::Check(key_.View())) return Refuse(Refusal::kKeyFormat);
  const NewPlace asked{request_.customer, request_.provider, request_.label, request_.endpoint, request_.hosted};
  TRY_ASSIGN(const Place place, request_.like.empty() ? PlaceFor(asked) : PlaceLike(vault_, store, request_.like));
  TRY_ASSIGN(key_ref_, HoldPending(vault_, store, place, key_.View(), now, record));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

class ActivateKey final : public Act {
 public:
  ActivateKey(OpenVault& vault, ActivateKeyRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  Result<void> Activate(Store& store, base::Micros now, audit::Draft& record);
  Result<void> PutProfile(Store& store, base::Micros now, audit::Draft& record) const;
  Result<void> CheckReplaceable(Store& store, const ProfileRow& old, const ProfileFields& fields) const;
  Result<ProfileFields> Fields(Store& store) const;

  OpenVault& vault_;
  const ActivateKeyRequest request_;
};

Result<void> ActivateKey::Decide(Store& store, base::Micros now, audit::Draft& record) {
  if (!request_.key_ref.empty()) record.key_ref = request_.key_ref;
  if (request_.profile) record.customer = request_.profile->customer;
  TRY(TakeReason(request_.reason, record));
  record.before.emplace();
  record.after = audit::Facts{{"probed", request_.probed ? "yes" : "no"}};
  if (request_.key_ref.empty() && !request_.profile) return Refuse(Refusal::kFieldInvalid);
  if (!request_.key_ref.empty()) TRY(Activate(store, now, record));
  if (request_.profile) TRY(PutProfile(store, now, record));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

Result<void> ActivateKey::Activate(Store& store, base::Micros now, audit::Draft& record) {
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, request_.key_ref));
  record.key_version = key.row().key_version;
  if (!record.customer) record.customer = key.row().customer;
  const auto next = NextState(key.state(), Move::kActivate);
  if (!next) return Refuse(Refusal::kKeyMoveForbidden);
  (*record.before)["status"] = key.row().status;
  TRY(CheckNotLeaked(vault_, store, key.row()));
  TRY(key.Write(vault_, store, *next, std::nullopt, now));
  TRY(InheritLimit(vault_, store, key, *record.after));
  (*record.after)["status"] = key.row().status;
  return {};
}

// The key being activated is the profile's, and gives customer and provider where the request names none.
Result<ProfileFields> ActivateKey::Fields(Store& store) const {
  ProfileFields fields = *request_.profile;
  if (request_.key_ref.empty()) return fields;
  if (fields.key_ref.value_or(request_.key_ref) != request_.key_ref) return Refuse(Refusal::kFieldInvalid);
  fields.key_ref = request_.key_ref;
  TRY_ASSIGN(const ProvenKey key, ProvenKey::Find(vault_, store, request_.key_ref));
  if (!fields.customer) fields.customer = key.row().customer;
  if (!fields.provider) fields.provider = key.row().provider;
  return fields;
}

// A profile whose key still works is not taken from under its callers by an onboarding; rotate and set_profile are there
// for that. One whose key was stopped gets the new key.
Result<void> ActivateKey::CheckReplaceable(Store& store, const ProfileRow& old, const ProfileFields& fields) const {
  if (!old.key_ref || old.key_ref == fields.key_ref) return {};
  const auto key = ProvenKey::Find(vault_, store, *old.key_ref);
  if (key && key->state() == KeyState::kActive) return Refuse(Refusal::kProfileExists);
  return {};
}

Result<void> ActivateKey::PutProfile(Store& store, base::Micros now, audit::Draft& record) const {
  TRY_ASSIGN(const ProfileFields fields, Fields(store));
  (*record.before)["profile_ref"] = fields.profile_ref;
  TRY_ASSIGN(const std::optional<ProfileRow> old, store.FindProfile(fields.profile_ref));
  if (old) {
    if (old->customer != fields.customer) return Refuse(Refusal::kProfileExists);
    // Never put our own MAC over somebody else's edit.
    TRY(CheckIntact(vault_, *old));
    TRY(CheckReplaceable(store, *old, fields));
    if (old->status == "TERMINATED") return Refuse(Refusal::kProfileNotActive);
    if (old->key_ref) (*record.before)["profile_key_ref"] = *old->key_ref;
    (*record.before)["endpoint"] = old->endpoint;
  }
  ProfileRow row = old ? *old : NewProfile(fields, now);
  // Repointed at another provider, a profile does not keep the old one's endpoint.
  if (old && fields.provider && *fields.provider != old->provider && !fields.endpoint) row.endpoint.clear();
  ApplyFields(fields, row);
  TRY(SealProfile(vault_, store, now, Binding::kNew, row));
  if (row.key_ref) {
    (*record.after)["profile_key_ref"] = *row.key_ref;
    if (!record.key_ref) record.key_ref = row.key_ref;
  }
  (*record.after)["endpoint"] = row.endpoint;
  (*record.after)["model"] = row.model;
  (*record.after)["mode"] = row.mode;
  if (row.rpm) (*record.after)["rpm"] = std::to_string(*row.rpm);
  if (row.tpm) (*record.after)["tpm"] = std::to_string(*row.tpm);
  if (row.quota) (*record.after)["quota"] = std::to_string(*row.quota);
  const auto written = old ? store.UpdateProfile(row) : store.InsertProfile(row);
  if (!written && written.error().code() == Code::kAlreadyExists) return Refuse(Refusal::kProfileExists);
  TRY(written);
  return CheckShares(vault_, store, row.key_ref);
}

}  // namespace

MadeAct MakeAddKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  TRY_ASSIGN(AddKeyRequest request, AddKeyRequest::Decode(body));
  return std::make_unique<AddKey>(vault, std::move(request), std::move(*secret));
}

MadeAct MakeActivateKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ActivateKeyRequest request, ActivateKeyRequest::Decode(body));
  return std::make_unique<ActivateKey>(vault, std::move(request));
}

}  // namespace strongroom::vault
