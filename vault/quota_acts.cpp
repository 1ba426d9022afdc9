// A month's tokens: how a profile comes to be OVER_QUOTA, and how it comes back. Tokens are counted where requests are settled (USAGE_LOG, the
// work database), which vaultd does not read: a worker tells it. What it may tell is bounded: only of a customer whose key it was given in this
// month, only of this month, and only against the quota as the vault knows it. Whoever may do that could have spent the tokens as well.
#include <utility>

#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/profile_rules.h"
#include "vault/quota_watch.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kActive = "ACTIVE", kOverQuota = "OVER_QUOTA";

audit::Facts FactsOf(const ProfileRow& row) {
  audit::Facts facts{{"profile_ref", row.profile_ref}, {"status", row.status}};
  if (row.quota) facts["quota"] = std::to_string(*row.quota);
  if (row.over_quota_until) facts["over_quota_until"] = base::FormatTime(*row.over_quota_until);
  return facts;
}

// FindIntact is the profile's row where it is the vault's word, and tells the record whose it is.
Result<ProfileRow> FindIntact(const OpenVault& vault, Store& store, const std::string& profile_ref, audit::Draft& record) {
  record.before = audit::Facts{{"profile_ref", profile_ref}};
  TRY_ASSIGN(std::optional<ProfileRow> row, store.FindProfile(profile_ref));
  if (!row) return Refuse(Refusal::kProfileUnknown);
  record.customer = row->customer;
  record.key_ref = row->key_ref;
  record.before = FactsOf(*row);
  TRY(CheckIntact(vault, *row));
  return std::move(*row);
}

// Put writes the row under a MAC of its own and has workers ask for it anew.
Result<std::int64_t> Put(const OpenVault& vault, Store& store, ProfileRow row, base::Micros now, audit::Draft& record) {
  row.updated_at = now;
  TRY(SignProfile(vault, row));
  TRY(store.UpdateProfile(row));
  record.after = FactsOf(row);
  return store.MoveEpoch();
}

class ReportQuota final : public Act {
 public:
  ReportQuota(OpenVault& vault, ReportQuotaRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const ReportQuotaRequest request_;
};

Result<void> ReportQuota::Decide(Store& store, base::Micros now, audit::Draft& record) {
  const bool formed = IsText(request_.request_id, kMostRequestId) && request_.tokens >= 0;
  if (!formed) return Refuse(Refusal::kFieldInvalid);
  record.request_id = request_.request_id;
  record.purpose = std::to_string(request_.tokens) + " tokens this month, as the worker counts";
  TRY_ASSIGN(ProfileRow row, FindIntact(vault_, store, request_.profile_ref, record));
  const base::Micros month = base::MonthOf(now);
  TRY_ASSIGN(const bool served, store.WasServed(row.customer, record.actor.name, month));
  if (!served) return Refuse(Refusal::kNotServed);
  if (request_.month != month || !row.quota || request_.tokens < *row.quota) return Refuse(Refusal::kQuotaNotSpent);
  // Another worker was first, or an admin.
  if (row.status != kActive) return {};
  row.status = kOverQuota;
  row.over_quota_until = base::MonthAfter(now);
  TRY_ASSIGN(new_epoch, Put(vault_, store, std::move(row), now, record));
  return {};
}

class RenewQuota final : public Act {
 public:
  RenewQuota(OpenVault& vault, std::string profile_ref) : vault_(vault), profile_ref_(std::move(profile_ref)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const std::string profile_ref_;
};

Result<void> RenewQuota::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.purpose = "another month has begun";
  TRY_ASSIGN(ProfileRow row, FindIntact(vault_, store, profile_ref_, record));
  if (row.status != kOverQuota || !row.over_quota_until || *row.over_quota_until > now) return Refuse(Refusal::kConflict);
  LeaveOverQuota(row);
  TRY_ASSIGN(new_epoch, Put(vault_, store, std::move(row), now, record));
  return {};
}

}  // namespace

QuotaWatch::QuotaWatch(OpenVault& vault) : Errand(vault, {"renew_quota", "quota_renewed", "quota_not_renewed", "profile_ref"}) {}

Result<std::vector<std::string>> QuotaWatch::Find(Store& store, base::Micros until, std::int64_t most) const {
  return store.ProfilesOverQuota(until, most);
}

std::unique_ptr<Act> QuotaWatch::Make(const std::string& profile_ref) { return std::make_unique<RenewQuota>(vault_, profile_ref); }

bool QuotaWatch::IsOfRow(Refusal why) const { return why == Refusal::kProfileTampered; }

MadeAct MakeReportQuota(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ReportQuotaRequest request, ReportQuotaRequest::Decode(body));
  return std::make_unique<ReportQuota>(vault, std::move(request));
}

}  // namespace strongroom::vault
