// Acts on profiles and on the rate card.
#include <algorithm>
#include <utility>

#include "vault/account_limit.h"
#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/profile_rules.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kMostMicroUsd = 1'000'000'000'000;  // a million dollars per million tokens

class SetProfile final : public Act {
 public:
  SetProfile(OpenVault& vault, SetProfileRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  // CheckIdentity is kNew where the row was no longer the vault's word and has been stated anew in full.
  Result<Binding> CheckIdentity(const ProfileRow& row) const;

  OpenVault& vault_;
  const SetProfileRequest request_;
};

// An intact profile's customer, mode and provider are not set_profile's to change. A row that was edited outside vaultd is
// believed in nothing: it takes an admin who states all that the MAC covers to make it the vault's word again.
Result<Binding> SetProfile::CheckIdentity(const ProfileRow& row) const {
  const ProfileFields& fields = request_.fields;
  const auto intact = CheckIntact(vault_, row);
  if (!intact) {
    const bool restated = fields.customer && fields.mode && fields.provider && fields.endpoint && fields.key_ref && fields.rpm && fields.tpm && fields.quota;
    if (!restated) return std::unexpected(intact.error());
    return Binding::kNew;
  }
  const bool same = fields.customer.value_or(row.customer) == row.customer &&
                    fields.mode.value_or(row.mode) == row.mode &&
                    fields.provider.value_or(row.provider) == row.provider;
  if (!same) return Refuse(Refusal::kFieldInvalid);
  return fields.endpoint || fields.key_ref ? Binding::kNew : Binding::kKept;
}

audit::Facts FactsOf(const ProfileRow& row) {
  audit::Facts facts{{"profile_ref", row.profile_ref}, {"mode", row.mode},         {"provider", row.provider},
                     {"model", row.model},             {"endpoint", row.endpoint}, {"status", row.status},
                     {"max_tokens", std::to_string(row.default_max_tokens)}};
  if (row.key_ref) facts["key_ref"] = *row.key_ref;
  if (row.rpm) facts["rpm"] = std::to_string(*row.rpm);
  if (row.tpm) facts["tpm"] = std::to_string(*row.tpm);
  if (row.quota) facts["quota"] = std::to_string(*row.quota);
  if (row.models_allowed) facts["models_allowed"] = *row.models_allowed;
  if (row.api_version) facts["api_version"] = *row.api_version;
  return facts;
}

Result<void> SetProfile::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.customer = request_.fields.customer;
  record.before = audit::Facts{{"profile_ref", request_.fields.profile_ref}};
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(std::optional<ProfileRow> row, store.FindProfile(request_.fields.profile_ref));
  if (!row) return Refuse(Refusal::kProfileUnknown);
  record.customer = row->customer;
  record.key_ref = row->key_ref;
  record.before = FactsOf(*row);
  if (row->status == "TERMINATED") return Refuse(Refusal::kProfileNotActive);
  TRY_ASSIGN(const Binding binding, CheckIdentity(*row));
  // Nobody knows of a row that was edited when its month was to end; a suspension that it states is kept.
  if (!CheckIntact(vault_, *row) && row->status != "SUSPENDED") LeaveOverQuota(*row);
  ApplyFields(request_.fields, *row);
  record.key_ref = row->key_ref;
  TRY(SealProfile(vault_, store, now, binding, *row));
  record.customer = row->customer;
  record.after = FactsOf(*row);
  if (auto written = store.UpdateProfile(*row); !written) {
    if (written.error().code() == Code::kAlreadyExists) return Refuse(Refusal::kProfileExists);
    return written;
  }
  TRY(CheckShares(vault_, store, row->key_ref));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

class MoveProfile final : public Act {
 public:
  bool fenced() const override { return true; }
  MoveProfile(OpenVault& vault, MoveRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  // Next is the status the move leads to; TERMINATED is final.
  Result<std::string> Next(const ProfileRow& row, const Result<void>& intact) const;

  OpenVault& vault_;
  const MoveRequest request_;
};

// To stop needs no proof of the row; to let it go on does.
Result<std::string> MoveProfile::Next(const ProfileRow& row, const Result<void>& intact) const {
  const bool suspend = request_.move == "suspend", resume = request_.move == "resume";
  if (!suspend && !resume && request_.move != "terminate") return Refuse(Refusal::kFieldInvalid);
  if (row.status == "TERMINATED") return Refuse(Refusal::kKeyMoveForbidden);
  if (!suspend && !resume) return "TERMINATED";
  if (suspend && row.status != "SUSPENDED") return "SUSPENDED";
  if (resume && row.status == "OVER_QUOTA") return Refuse(Refusal::kProfileOverQuota);
  if (!resume || row.status != "SUSPENDED") return Refuse(Refusal::kKeyMoveForbidden);
  if (!intact) return std::unexpected(intact.error());
  return "ACTIVE";
}

Result<void> MoveProfile::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.before = audit::Facts{{"profile_ref", request_.ref}};
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(std::optional<ProfileRow> row, store.FindProfile(request_.ref));
  if (!row) return Refuse(Refusal::kProfileUnknown);
  record.customer = row->customer;
  record.key_ref = row->key_ref;
  (*record.before)["status"] = row->status;
  const auto intact = CheckIntact(vault_, *row);
  TRY_ASSIGN(row->status, Next(*row, intact));
  TRY(WriteMoved(vault_, store, *row, intact.has_value(), now));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = audit::Facts{{"profile_ref", request_.ref}, {"status", row->status}};
  return {};
}

class SetRate final : public Act {
 public:
  explicit SetRate(SetRateRequest request) : request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  const SetRateRequest request_;
};

Result<void> SetRate::Decide(Store& store, base::Micros now, audit::Draft& record) {
  Rate rate = request_.rate;
  record.after = audit::Facts{{"model", rate.model}};
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(const std::vector<Rate> current, store.CurrentRates(now));
  const auto old = std::find_if(current.begin(), current.end(), [&rate](const Rate& row) {
    return row.model == rate.model && (rate.provider.empty() || row.provider == rate.provider);
  });
  // A model on the card already need not be told whose it is.
  if (rate.provider.empty() && old != current.end()) rate.provider = old->provider;
  const auto fits = [](std::int64_t price) { return price >= 0 && price <= kMostMicroUsd; };
  if (!IsText(rate.model, 80) || !DefaultEndpoint(rate.provider) || !fits(rate.input_micro_usd) ||
      !fits(rate.output_micro_usd)) {
    return Refuse(Refusal::kFieldInvalid);
  }
  rate.effective_from = now;
  const auto facts = [](const Rate& row) {
    return audit::Facts{{"model", row.model}, {"provider", row.provider},
                        {"input_micro_usd", std::to_string(row.input_micro_usd)},
                        {"output_micro_usd", std::to_string(row.output_micro_usd)}};
  };
  if (old != current.end()) record.before = facts(*old);
  record.after = facts(rate);
  TRY(store.InsertRate(rate));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

}  // namespace

MadeAct MakeSetProfile(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(SetProfileRequest request, SetProfileRequest::Decode(body));
  return std::make_unique<SetProfile>(vault, std::move(request));
}

MadeAct MakeMoveProfile(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(MoveRequest request, MoveRequest::Decode(body));
  return std::make_unique<MoveProfile>(vault, std::move(request));
}

MadeAct MakeSetRate(OpenVault&, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(SetRateRequest request, SetRateRequest::Decode(body));
  return std::make_unique<SetRate>(std::move(request));
}

}  // namespace strongroom::vault
