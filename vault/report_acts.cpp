// Acts about keys that their providers refuse: workers' reports, the probe's outcome, and the way back.
#include <utility>

#include "vault/field_rules.h"
#include "vault/notice.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kUnauthorized = 401, kForbidden = 403, kTooMany = 429;

bool RefusesKey(std::int64_t status) { return status == kUnauthorized || status == kForbidden; }
// A provider counts only calls it has authenticated: 429 says that the key is good.
bool TakesKey(std::int64_t status) { return (status >= 200 && status < 300) || status == kTooMany; }
bool IsHttpStatus(std::int64_t status) { return status == 0 || (status >= 100 && status <= 599); }

std::string Words(std::int64_t status) { return status == 0 ? "no answer" : "HTTP " + std::to_string(status); }

Reply ToProbe(Suspects::Wait wait) {
  // Rounded up: not before it is due.
  const base::Micros micros = wait.value_or(0) + base::kMicrosPerMilli - 1;
  return Reply(ReportCallAnswer{wait.has_value(), micros / base::kMicrosPerMilli}.Encode());
}

class ReportCall final : public Act {
 public:
  ReportCall(OpenVault& vault, ReportCallRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return ToProbe(probe_); }

 private:
  OpenVault& vault_;
  const ReportCallRequest request_;
  Suspects::Wait probe_;
};

Result<void> ReportCall::Decide(Store& store, base::Micros, audit::Draft& record) {
  record.key_ref = request_.key_ref;
  record.customer = request_.customer;
  record.request_id = request_.request_id;
  // After a restart the attempt is read from here (vault/releases.cpp).
  record.purpose = "attempt " + std::to_string(request_.attempt) + " was answered by " + Words(request_.status);
  const bool formed = IsText(request_.request_id, kMostRequestId) && IsText(request_.customer, kMostCustomer) &&
                      (RefusesKey(request_.status) || TakesKey(request_.status));
  if (!formed) return Refuse(Refusal::kFieldInvalid);
  TRY_ASSIGN(const std::optional<KeyRow> row, store.FindKey(request_.key_ref));
  if (!row) return Refuse(Refusal::kKeyUnknown);
  record.key_version = row->key_version;
  // Reports lead to a probe, which opens the key: whoever was not given it says nothing of it. Once taken a call stays taken, also
  // where this record does not become durable.
  TRY(vault_.releases.TakeReport({record.actor.uid, request_.customer, request_.request_id, request_.attempt, request_.key_ref},
                                 base::MonoMicros()));
  if (RefusesKey(request_.status)) {
    probe_ = vault_.suspects.Refused(row->key_ref, record.actor.uid, base::MonoMicros());
  } else {
    vault_.suspects.Took(row->key_ref);
  }
  record.after = audit::Facts{{"probe", probe_ ? "yes" : "no"}};
  return {};
}

class ReportProbe final : public Act {
 public:
  ReportProbe(OpenVault& vault, ReportProbeRequest request) : vault_(vault), request_(std::move(request)) {}
  bool fenced() const override { return new_epoch.has_value(); }
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Result<void> Effect() override;
  Reply Answer(audit::Receipt&) override { return ToProbe(again_); }

 private:
  Result<void> Suspend(Store& store, base::Micros now, audit::Draft& record);

  OpenVault& vault_;
  const ReportProbeRequest request_;
  Suspects::Wait again_;
};

Result<void> ReportProbe::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = request_.key_ref;
  record.purpose = "the provider's answer to the probe: " + Words(request_.status);
  if (!IsHttpStatus(request_.status)) return Refuse(Refusal::kFieldInvalid);
  if (!vault_.suspects.IsProbing(request_.key_ref, record.actor.uid)) return Refuse(Refusal::kNoProbeOrdered);
  return RefusesKey(request_.status) ? Suspend(store, now, record) : Result<void>();
}

// A key that an admin has moved meanwhile is left as it is.
Result<void> ReportProbe::Suspend(Store& store, base::Micros now, audit::Draft& record) {
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, request_.key_ref));
  record.customer = key.row().customer;
  record.key_version = key.row().key_version;
  record.before = audit::Facts{{"status", key.row().status}};
  const auto next = NextState(key.state(), Move::kSuspend);
  if (next) {
    TRY(key.Write(vault_, store, *next, key.row().grace_until, now));
    NoticeRow notice{key.row().key_ref, key.row().row_version, request_.status, now, {}};
    TRY_ASSIGN(const auto keys, vault_.Keys());
    TRY_ASSIGN(notice.vault_mac, NoticeMac(*keys->profile_key, vault_.vault_id, notice));
    TRY(store.PutNotice(notice));
    stops.push_back({key.row().key_ref, key.row().row_version, *next});
    TRY_ASSIGN(new_epoch, store.MoveEpoch());
  }
  record.after = audit::Facts{{"status", key.row().status}};
  return {};
}

// Its record is durable: on the writer's thread, as the act ran alone.
Result<void> ReportProbe::Effect() {
  if (new_epoch) {
    vault_.suspects.Forget(request_.key_ref);
  } else {
    again_ = vault_.suspects.EndProbe(request_.key_ref, TakesKey(request_.status), base::MonoMicros());
  }
  return {};
}

class ResumeNoticed final : public Act {
 public:
  ResumeNoticed(OpenVault& vault, MoveRequest request) : vault_(vault), request_(std::move(request)) {}
  bool fenced() const override { return true; }
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const MoveRequest request_;
};

Result<void> ResumeNoticed::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = request_.ref;
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, request_.ref));
  record.customer = key.row().customer;
  record.key_version = key.row().key_version;
  record.before = audit::Facts{{"status", key.row().status}};
  TRY_ASSIGN(const std::optional<NoticeRow> notice, FindNotice(vault_, store, key));
  if (!notice) return Refuse(Refusal::kKeyMoveForbidden);
  if (!vault_.suspects.TakeTest(request_.ref, record.actor.uid, base::MonoMicros())) return Refuse(Refusal::kKeyNotProbed);
  TRY(key.Write(vault_, store, KeyState::kActive, key.row().grace_until, now));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = audit::Facts{{"move", "resume"}, {"status", key.row().status}, {"noticed_at", base::FormatTime(notice->noticed_at)}};
  return {};
}

}  // namespace

MadeAct MakeReportCall(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ReportCallRequest request, ReportCallRequest::Decode(body));
  return std::make_unique<ReportCall>(vault, std::move(request));
}

MadeAct MakeReportProbe(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ReportProbeRequest request, ReportProbeRequest::Decode(body));
  return std::make_unique<ReportProbe>(vault, std::move(request));
}

MadeAct MakeResumeNoticed(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(MoveRequest request, MoveRequest::Decode(body));
  return std::make_unique<ResumeNoticed>(vault, std::move(request));
}

}  // namespace strongroom::vault
