// Propose, approve, deny, list, and the switch: how two people do what one may not.
#include <nlohmann/json.hpp>
#include <utility>

#include "vault/cipher.h"
#include "vault/field_rules.h"
#include "vault/two_people.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostOpen = 100, kMostListed = 200;

Result<void> Sign(const OpenVault& vault, ApprovalRow& row) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY_ASSIGN(row.mac, ApprovalMac(*keys->approval_key, vault.vault_id, row));
  return {};
}

Result<void> Verify(const OpenVault& vault, const ApprovalRow& row) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  return VerifyApproval(*keys->approval_key, vault.vault_id, row);
}

// Expire closes what nobody used in time; the record of the act that found it names it.
Result<void> Expire(const OpenVault& vault, Store& store, base::Micros now, audit::Facts& facts) {
  TRY_ASSIGN(std::vector<ApprovalRow> overdue, store.OverdueApprovals(now));
  std::string names;
  for (ApprovalRow& row : overdue) {
    // An edited row is left as it is, for people to see.
    if (!Verify(vault, row)) continue;
    const std::string from = std::exchange(row.status, std::string(kExpired));
    TRY(Sign(vault, row));
    TRY(store.UpdateApproval(row, from));
    names += (names.empty() ? "" : " ") + row.approval_id;
  }
  if (!names.empty()) facts["expired"] = names;
  return store.DropApprovals(now - kApprovalShown);
}

class ProposeAct final : public Act {
 public:
  ProposeAct(OpenVault& vault, ProposeRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override {
    const Json json = {{"approval", row_.approval_id},
                       {"status", row_.status},
                       {"act", row_.act},
                       {"expires_at", base::FormatTime(row_.expires_at)}};
    return Reply(EncodeText(json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace)));
  }

 private:
  Result<void> Insert(Store& store, base::Micros now, const audit::Draft& record, SensitiveAct sensitive, Bytes digest);

  OpenVault& vault_;
  const ProposeRequest request_;
  ApprovalRow row_;
};

Result<void> ProposeAct::Decide(Store& store, base::Micros now, audit::Draft& record) {
  const auto body = base::Unhex(request_.body);
  const bool in_range = request_.operation > 0 && request_.operation < 256;
  const OperationRow* operation = in_range ? FindOperation(static_cast<std::uint8_t>(request_.operation)) : nullptr;
  if (!body || operation == nullptr || operation->two_people == nullptr) return Refuse(Refusal::kFieldInvalid);
  std::optional<SensitiveAct> sensitive = operation->two_people(*body);
  if (!sensitive) return Refuse(Refusal::kFieldInvalid);
  TRY(TakeReason(sensitive->reason, record));
  audit::Facts facts{{"act", sensitive->act}, {"operation", std::string(operation->action)}};
  Bytes digest = ActDigest(operation->operation, sensitive->body.empty() ? *body : sensitive->body);
  facts["digest"] = base::Hex(digest);
  record.after = facts;
  TRY(RefuseRoot(record.actor.uid));
  TRY_ASSIGN(const bool demanded, TwoPeopleDemanded(vault_, store));
  const bool always = sensitive->always && !vault_.config.vault.single_user;
  if (!demanded && !always) return Refuse(Refusal::kTwoPeopleOff);
  TRY(Expire(vault_, store, now, facts));
  TRY_ASSIGN(std::optional<ApprovalRow> known, store.FindApprovalOf(digest, record.actor.uid, now));
  if (known) {
    TRY(Verify(vault_, *known));
    if (known->status == kDenied) return Refuse(Refusal::kApprovalDenied);
    row_ = std::move(*known);
  } else {
    TRY(Insert(store, now, record, std::move(*sensitive), std::move(digest)));
  }
  facts["approval"] = row_.approval_id;
  facts["status"] = row_.status;
  facts["expires_at"] = base::FormatTime(row_.expires_at);
  record.after = std::move(facts);
  return {};
}

Result<void> ProposeAct::Insert(Store& store, base::Micros now, const audit::Draft& record, SensitiveAct sensitive,
                                Bytes digest) {
  TRY_ASSIGN(const std::int64_t open, store.CountOpenApprovals(now));
  if (open >= kMostOpen) return Refuse(Refusal::kBusy);
  row_.approval_id = base::Hex(Cipher::RandomNonce()).substr(0, 12);
  row_.operation = request_.operation;
  row_.digest = std::move(digest);
  row_.act = std::move(sensitive.act);
  row_.reason = std::move(sensitive.reason);
  row_.author_uid = record.actor.uid;
  row_.author = record.actor.name;
  row_.proposed_at = now;
  row_.expires_at = now + kApprovalHolds;
  row_.status = kProposed;
  TRY(Sign(vault_, row_));
  return store.InsertApproval(row_);
}

// Verdict is the second person's yes or no.
class Verdict final : public Act {
 public:
  Verdict(OpenVault& vault, VerdictRequest request, std::string_view to)
      : vault_(vault), request_(std::move(request)), to_(to) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(act_)); }

 private:
  Result<void> CheckPerson(const ApprovalRow& row, std::int64_t uid) const;

  OpenVault& vault_;
  const VerdictRequest request_;
  const std::string_view to_;
  std::string act_;
};

// A no may be the author's own: it stops the act. It may also take back a yes that was not used yet.
Result<void> Verdict::CheckPerson(const ApprovalRow& row, std::int64_t uid) const {
  TRY(RefuseRoot(uid));
  if (to_ == kDenied) return {};
  if (uid == row.author_uid) return Refuse(Refusal::kApprovalOwn);
  return {};
}

Result<void> Verdict::Decide(Store& store, base::Micros now, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  record.before = audit::Facts{{"approval", request_.approval_id}};
  TRY_ASSIGN(std::optional<ApprovalRow> row, store.FindApproval(request_.approval_id));
  if (!row) return Refuse(Refusal::kApprovalUnknown);
  TRY(Verify(vault_, *row));
  audit::Facts facts{{"approval", row->approval_id},
                     {"act", row->act},
                     {"author", row->author},
                     {"author_uid", std::to_string(row->author_uid)},
                     {"digest", base::Hex(row->digest)},
                     {"status", std::string(to_)}};
  (*record.before)["status"] = row->status;
  TRY(CheckPerson(*row, record.actor.uid));
  if (now >= row->expires_at) return Refuse(Refusal::kApprovalExpired);
  const bool open = row->status == kProposed || (to_ == kDenied && row->status == kApproved);
  if (!open) return Refuse(Refusal::kApprovalClosed);
  const std::string from = std::exchange(row->status, std::string(to_));
  row->decider_uid = record.actor.uid;
  row->decider = record.actor.name;
  row->decided_at = now;
  TRY(Sign(vault_, *row));
  TRY(store.UpdateApproval(*row, from));
  TRY(Expire(vault_, store, now, facts));
  record.after = std::move(facts);
  act_ = row->act;
  return {};
}

class RequireTwoPeople final : public Act {
 public:
  RequireTwoPeople(OpenVault& vault, RequireRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const RequireRequest request_;
};

Result<void> RequireTwoPeople::Decide(Store& store, base::Micros now, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  if (request_.on && vault_.config.vault.single_user) return Refuse(Refusal::kSingleUser);
  TRY_ASSIGN(const auto keys, vault_.Keys());
  SwitchRow row{request_.on, now, {}};
  TRY_ASSIGN(row.mac, SwitchMac(*keys->approval_key, vault_.vault_id, row));
  TRY(store.PutSwitch(row));
  record.after = audit::Facts{{"two_people", request_.on ? "on" : "off"}};
  two_people = request_.on;
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

}  // namespace

Result<Bytes> ListApprovals(OpenVault& vault, Store& store, ByteView body) {
  if (!body.empty()) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<ApprovalRow> rows, store.ListApprovals(kMostListed));
  const auto keys = vault.held.Get();
  const base::Micros now = base::WallMicros();
  Json json = Json::array();
  for (const ApprovalRow& row : rows) {
    const bool open = row.status == kProposed || row.status == kApproved;
    const bool over = open && now >= row.expires_at;
    json.push_back({{"approval", row.approval_id},
                    {"status", over ? std::string(kExpired) : row.status},
                    {"act", row.act},
                    {"reason", row.reason},
                    {"author", row.author},
                    {"author_uid", row.author_uid},
                    {"proposed_at", base::FormatTime(row.proposed_at)},
                    {"expires_at", base::FormatTime(row.expires_at)},
                    {"decided_by", row.decider_uid ? Json(row.decider) : Json(nullptr)},
                    {"digest", base::Hex(row.digest)},
                    {"intact", keys ? Json(VerifyApproval(*keys->approval_key, vault.vault_id, row).has_value())
                                    : Json(nullptr)}});
  }
  return EncodeText(json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace));
}

std::optional<SensitiveAct> LeavesTwoPeople(ByteView body) {
  auto request = RequireRequest::Decode(body);
  if (!request || request->on) return std::nullopt;
  return SensitiveAct{"leave two-person mode", std::move(request->reason), {}};
}

MadeAct MakeProposeAct(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ProposeRequest request, ProposeRequest::Decode(body));
  return std::make_unique<ProposeAct>(vault, std::move(request));
}
MadeAct MakeApproveAct(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(VerdictRequest request, VerdictRequest::Decode(body));
  return std::make_unique<Verdict>(vault, std::move(request), kApproved);
}
MadeAct MakeDenyAct(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(VerdictRequest request, VerdictRequest::Decode(body));
  return std::make_unique<Verdict>(vault, std::move(request), kDenied);
}
MadeAct MakeRequireTwoPeople(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(RequireRequest request, RequireRequest::Decode(body));
  return std::make_unique<RequireTwoPeople>(vault, std::move(request));
}

}  // namespace strongroom::vault
