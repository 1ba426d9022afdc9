#include "vault/profile_rules.h"

#include <algorithm>

#include "vault/field_rules.h"
#include "vault/key_ref.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kMostInt = 2'147'483'647;  // the columns are Db2 integers
constexpr std::int64_t kMostTempTenths = 10;

void ApplyText(const std::optional<std::string>& from, std::string& to) {
  if (from) to = *from;
}

void ApplyText(const std::optional<std::string>& from, std::optional<std::string>& to) {
  if (!from) return;
  to = from->empty() ? std::nullopt : from;
}

void ApplyLimit(const std::optional<std::int64_t>& from, std::optional<std::int64_t>& to) {
  if (!from) return;
  to = *from == 0 ? std::nullopt : from;
}

bool IsOptionalText(const std::optional<std::string>& text, std::size_t most, Lines lines = Lines::kOne) {
  return !text || IsText(*text, most, lines);
}

bool IsLimit(const std::optional<std::int64_t>& limit, std::int64_t most) {
  return !limit || (*limit >= 1 && *limit <= most);
}

bool TextsFit(const ProfileRow& row) {
  return IsText(row.profile_ref, 40) && CheckCustomer(row.customer) && IsText(row.profile_name, 50) &&
         (row.mode == "B" || row.mode == "H") && DefaultEndpoint(row.provider) && IsText(row.model, 80) &&
         IsText(row.endpoint, 200) && IsOptionalText(row.system_prompt, 4000, Lines::kMany) &&
         IsOptionalText(row.models_allowed, 1000) && IsOptionalText(row.api_version, 20) &&
         IsOptionalText(row.notes, 2000, Lines::kMany);
}

bool NumbersFit(const ProfileRow& row) {
  const std::int64_t temp = row.default_temp_tenths.value_or(0);
  return row.default_max_tokens >= 1 && row.default_max_tokens <= kMostInt && temp >= 0 && temp <= kMostTempTenths &&
         IsLimit(row.rpm, kMostInt) && IsLimit(row.tpm, kMostInt) && IsLimit(row.quota, audit::kMostInteger);
}

Result<void> CheckKeyless(const OpenVault& vault, const ProfileRow& row, const Origin& origin) {
  if (NeedsKey(row.provider)) return Refuse(Refusal::kProfileNeedsKey);
  const bool safe = origin.is_https() || origin.is_loopback() || vault.config.provider.allow_http;
  if (!safe) return Refuse(Refusal::kOriginNotTls);
  return {};
}

Result<void> CheckKeyed(const OpenVault& vault, Store& store, base::Micros now, const ProfileRow& row,
                        const Origin& origin) {
  // Its requests carry no key header: a key it names could only leak.
  if (!NeedsKey(row.provider)) return Refuse(Refusal::kKeyProviderMismatch);
  if (!origin.is_https()) return Refuse(Refusal::kOriginNotTls);
  TRY_ASSIGN(const ProvenKey key, ProvenKey::Find(vault, store, *row.key_ref));
  // Mode says whose key it is: B the customer's own, H the house's.
  const bool own = key.row().customer == row.customer;
  if (row.mode == "H" ? !key.context().hosted : !own) return Refuse(Refusal::kKeyNotYours);
  if (key.row().provider != row.provider) return Refuse(Refusal::kKeyProviderMismatch);
  if (!(key.context().origin == origin)) return Refuse(Refusal::kOriginMismatch);
  return key.CheckState(now);
}

}  // namespace

ProfileRow NewProfile(const ProfileFields& fields, base::Micros now) {
  ProfileRow row;
  row.profile_ref = fields.profile_ref;
  row.profile_name = fields.profile_ref;
  row.mode = "B";
  row.status = "ACTIVE";
  row.created_at = now;
  return row;
}

void ApplyFields(const ProfileFields& fields, ProfileRow& row) {
  ApplyText(fields.customer, row.customer);
  ApplyText(fields.mode, row.mode);
  ApplyText(fields.provider, row.provider);
  ApplyText(fields.profile_name, row.profile_name);
  ApplyText(fields.model, row.model);
  ApplyText(fields.endpoint, row.endpoint);
  ApplyText(fields.key_ref, row.key_ref);
  ApplyText(fields.system_prompt, row.system_prompt);
  ApplyText(fields.models_allowed, row.models_allowed);
  ApplyText(fields.api_version, row.api_version);
  ApplyText(fields.notes, row.notes);
  ApplyLimit(fields.rpm, row.rpm);
  ApplyLimit(fields.tpm, row.tpm);
  const auto quota = row.quota;
  ApplyLimit(fields.quota, row.quota);
  if (row.status == "OVER_QUOTA" && quota && (!row.quota || *row.quota > *quota)) LeaveOverQuota(row);
  if (fields.default_max_tokens) row.default_max_tokens = *fields.default_max_tokens;
  if (fields.default_temp_tenths) {
    row.default_temp_tenths = *fields.default_temp_tenths == -1 ? std::nullopt : fields.default_temp_tenths;
  }
}

Result<void> SealProfile(const OpenVault& vault, Store& store, base::Micros now, Binding binding, ProfileRow& row) {
  if (row.endpoint.empty()) row.endpoint = DefaultEndpoint(row.provider).value_or("");
  if (!TextsFit(row) || !NumbersFit(row)) return Refuse(Refusal::kFieldInvalid);
  const auto origin = Origin::OfEndpoint(row.endpoint);
  if (!origin) return Refuse(Refusal::kFieldInvalid);
  if (!row.key_ref) TRY(CheckKeyless(vault, row, *origin));
  if (row.key_ref && binding == Binding::kNew) TRY(CheckKeyed(vault, store, now, row, *origin));
  row.updated_at = now;
  return SignProfile(vault, row);
}

void LeaveOverQuota(ProfileRow& row) {
  row.status = "ACTIVE";
  row.over_quota_until.reset();
}

Result<void> WriteMoved(const OpenVault& vault, Store& store, ProfileRow& row, bool intact, base::Micros now) {
  row.over_quota_until.reset();
  row.updated_at = now;
  // An edited ENDPOINT need not even have an origin to sign.
  const bool signable = intact || (row.status == "TERMINATED" && Origin::OfEndpoint(row.endpoint));
  if (signable) TRY(SignProfile(vault, row));
  return store.UpdateProfile(row);
}

}  // namespace strongroom::vault
