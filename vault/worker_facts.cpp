// What workers read before they call: profiles and rates.
#include "vault/notice.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kMostRates = 1000;  // a page; a rate has at most some 450 bytes

// Only a row that says SUSPENDED is worth the proof.
Result<bool> IsNoticed(const OpenVault& vault, Store& store, const std::string& key_ref) {
  TRY_ASSIGN(std::optional<KeyRow> row, store.FindKey(key_ref));
  if (!row || row->status != StateName(KeyState::kSuspended)) return false;
  const auto key = ProvenKey::Prove(vault, std::move(*row));
  if (!key) return false;
  TRY_ASSIGN(const std::optional<NoticeRow> notice, FindNotice(vault, store, *key));
  return notice.has_value();
}

}  // namespace

// The caller compares `customer` with the request's; the vault does so again at each resolve.
Result<Bytes> GetProfile(OpenVault& vault, Store& store, ByteView body) {
  const auto ref = DecodeText(body);
  if (!ref) return Refuse(Refusal::kMalformed);
  ProfileAnswer answer;
  // Read before the row: the row may then be newer than the epoch says, never older.
  answer.epoch = vault.epoch.value();
  TRY_ASSIGN(std::optional<ProfileRow> row, store.FindProfile(*ref));
  if (!row) return Refuse(Refusal::kProfileUnknown);
  TRY(CheckIntact(vault, *row));
  answer.profile_ref = row->profile_ref;
  answer.customer = row->customer;
  answer.mode = row->mode;
  answer.provider = row->provider;
  answer.model = row->model;
  answer.endpoint = row->endpoint;
  answer.status = row->status;
  answer.key_ref = row->key_ref;
  answer.system_prompt = row->system_prompt;
  answer.models_allowed = row->models_allowed;
  answer.api_version = row->api_version;
  answer.default_max_tokens = row->default_max_tokens;
  answer.default_temp_tenths = row->default_temp_tenths;
  answer.rpm = row->rpm;
  answer.tpm = row->tpm;
  answer.quota = row->quota;
  answer.over_quota_until = row->over_quota_until;
  if (row->key_ref) {
    TRY_ASSIGN(answer.key_noticed, IsNoticed(vault, store, *row->key_ref));
  }
  return answer.Encode();
}

Result<Bytes> GetRates(OpenVault& vault, Store& store, ByteView body) {
  const auto request = RatesRequest::Decode(body);
  if (!request) return Refuse(Refusal::kMalformed);
  RatesAnswer answer;
  answer.epoch = vault.epoch.value();
  TRY_ASSIGN(answer.rates, store.CurrentRates(base::WallMicros(), *request, kMostRates));
  answer.more = std::ssize(answer.rates) == kMostRates;
  return answer.Encode();
}

}  // namespace strongroom::vault
