// Facts for people, as JSON: keys, tickets and profiles. Columns are those of INTERFACES §2 in lower case;
// never a ciphertext.
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "vault/account_limit.h"
#include "vault/notice.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/proven_key.h"
#include "vault/proven_ticket.h"
#include "vault/replacement.h"
#include "vault/stop_unproven.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::ordered_json;

// A page of a list ends at so many rows, or with the row that reaches so many bytes: far below kMostBodyBytes, and a
// short while of the thread that answers everybody.
constexpr std::size_t kPageRows = 200, kPageBytes = 256 << 10;

// No answer of ours fails over a byte that is not UTF-8 in an edited row.
std::string Text(const Json& json) { return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace); }
Bytes Document(const Json& json) { return EncodeText(Text(json)); }

// Page makes a ListAnswer of the rows that were found, each made JSON by `describe` and named by its column `ref`.
template <typename Row, typename Owner>
Result<Bytes> Page(const std::vector<Row>& found, std::string Owner::*ref, const auto& describe) {
  ListAnswer answer;
  std::size_t bytes = 0;
  for (const Row& row : found) {
    if (bytes >= kPageBytes) break;
    TRY_ASSIGN(const Json json, describe(row));
    bytes += answer.rows.emplace_back(Text(json)).size();
  }
  const bool whole = answer.rows.size() == found.size() && found.size() < kPageRows;
  if (!whole) answer.next = found[answer.rows.size() - 1].*ref;
  return answer.Encode();
}

Json Time(const std::optional<base::Micros>& at) { return at ? Json(base::FormatTime(*at)) : Json(nullptr); }

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json TicketJson(const TicketRow& row, base::Micros now) {
  const bool over = row.status == kTicketOpen && row.expires_at <= now;
  return {{"ticket", row.ticket_id},
          {"customer", row.customer},
          {"provider", row.provider},
          {"endpoint", row.endpoint.empty() ? Json(nullptr) : Json(row.endpoint)},
          {"origin", row.origin},
          {"rotates", row.rotates.empty() ? Json(nullptr) : Json(row.rotates)},
          {"status", over ? std::string(kTicketExpired) : row.status},
          {"created_at", base::FormatTime(row.created_at)},
          {"expires_at", base::FormatTime(row.expires_at)},
          {"key_ref", row.key_ref.empty() ? Json(nullptr) : Json(row.key_ref)}};
}

// Of one that is over nothing is left to prove.
Json TicketIntact(const OpenVault& vault, Store& store, const TicketRow& row, base::Micros now) {
  const bool over = row.status == kTicketUsed || row.status == kTicketCancelled || row.expires_at <= now;
  if (over || vault.sealed()) return nullptr;
  return ProvenTicket::Prove(vault, store, row, now).has_value();
}

// LAST_USED_AT in the row is only as new as the last act on the key; the trail knows better.
Result<Json> KeyJson(Store& store, const KeyRow& row) {
  TRY_ASSIGN(const std::optional<base::Micros> used, store.LastUsed(row.key_ref));
  Json json;
  json["key_ref"] = row.key_ref;
  json["customer"] = row.customer;
  json["provider"] = row.provider;
  json["key_version"] = row.key_version;
  json["status"] = row.status;
  json["label"] = row.label;
  json["origin"] = row.origin;
  json["hosted"] = row.hosted;
  json["row_version"] = row.row_version;
  json["kek_version"] = row.kek_version;
  json["created_at"] = base::FormatTime(row.created_at);
  json["last_used_at"] = Time(used ? used : row.last_used_at);
  json["revoked_at"] = Time(row.revoked_at);
  json["grace_until"] = Time(row.grace_until);
  json["state_changed_at"] = base::FormatTime(row.state_changed_at);
  json["fingerprint"] = row.fingerprint;
  json["limit_rpm"] = OrNull(row.limit.rpm);
  json["limit_tpm"] = OrNull(row.limit.tpm);
  return json;
}

// Of a destroyed row nothing is left to prove, and without a KEK nothing can be.
Json KeyIntact(const KeyRow& row, const Result<ProvenKey>& proven) {
  const bool sealed = !proven && AsRefusal(proven.error()) == Refusal::kSealed;
  return IsDestroyed(row) || sealed ? Json(nullptr) : Json(proven.has_value());
}

// `intact` is whether VAULT_MAC is the row's own.
Json ProfileJson(const OpenVault& vault, const ProfileRow& row) {
  Json json;
  json["profile_ref"] = row.profile_ref;
  json["customer"] = row.customer;
  json["profile_name"] = row.profile_name;
  json["mode"] = row.mode;
  json["provider"] = row.provider;
  json["model"] = row.model;
  json["endpoint"] = row.endpoint;
  json["key_ref"] = OrNull(row.key_ref);
  json["default_max_tokens"] = row.default_max_tokens;
  json["default_temp"] =
      row.default_temp_tenths ? Json(static_cast<double>(*row.default_temp_tenths) / 10.0) : Json(nullptr);
  json["system_prompt"] = OrNull(row.system_prompt);
  json["rate_limit_rpm"] = OrNull(row.rpm);
  json["rate_limit_tpm"] = OrNull(row.tpm);
  json["monthly_quota_tokens"] = OrNull(row.quota);
  json["models_allowed"] = OrNull(row.models_allowed);
  json["api_version"] = OrNull(row.api_version);
  json["status"] = row.status;
  json["notes"] = OrNull(row.notes);
  json["created_at"] = base::FormatTime(row.created_at);
  json["updated_at"] = base::FormatTime(row.updated_at);
  // Sealed, nobody can tell.
  json["over_quota_until"] = Time(row.over_quota_until);
  json["intact"] = vault.sealed() ? Json(nullptr) : Json(CheckIntact(vault, row).has_value());
  return json;
}

// What is left of an account's limit; null where there is none, or nobody can tell what was given away.
Json Left(const std::optional<std::int64_t>& limit, std::int64_t shares) { return limit ? Json(*limit - shares) : Json(nullptr); }

void AddShares(const OpenVault& vault, Store& store, const KeyRow& row, Json& json) {
  for (const char* name : {"shares_rpm", "shares_tpm", "left_rpm", "left_tpm"}) json[name] = nullptr;
  json["without_share"] = Json::array();  // profiles that an account with a limit has no room for
  if (row.hosted != "Y") return;
  const auto shares = SharesOf(vault, store, row);
  if (!shares) return;
  json["shares_rpm"] = shares->rpm;
  json["shares_tpm"] = shares->tpm;
  json["left_rpm"] = Left(row.limit.rpm, shares->rpm);
  json["left_tpm"] = Left(row.limit.tpm, shares->tpm);
  std::set<std::string> without(shares->without_rpm.begin(), shares->without_rpm.end());
  without.insert(shares->without_tpm.begin(), shares->without_tpm.end());
  for (const std::string& profile : without) json["without_share"].push_back(profile);
}

// DestroyableFrom is known of a REVOKED key; a time beyond all times is an edited one.
std::optional<base::Micros> DestroyableFrom(const KeyRow& row) {
  const bool waits = row.status == StateName(KeyState::kRevoked);
  if (!waits || row.state_changed_at > std::numeric_limits<base::Micros>::max() - kRevokedKept) return std::nullopt;
  return row.state_changed_at + kRevokedKept;
}

}  // namespace

Result<Bytes> ListKeys(OpenVault& vault, Store& store, ByteView body) {
  const auto request = ListRequest::Decode(body);
  if (!request) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<KeyRow> keys,
             store.ListKeys(request->customer, request->status, request->after, kPageRows));
  return Page(keys, &KeyRow::key_ref, [&vault, &store](const KeyRow& row) -> Result<Json> {
    TRY_ASSIGN(Json json, KeyJson(store, row));
    json["intact"] = KeyIntact(row, ProvenKey::Prove(vault, row));
    return json;
  });
}

Result<Bytes> ListTickets(OpenVault& vault, Store& store, ByteView body) {
  const auto request = ListRequest::Decode(body);
  if (!request) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<TicketRow> tickets, store.ListTickets(request->customer, request->status, request->after, kPageRows));
  const base::Micros now = base::WallMicros();
  return Page(tickets, &TicketRow::ticket_id, [&vault, &store, now](const TicketRow& row) {
    Json json = TicketJson(row, now);
    json["intact"] = TicketIntact(vault, store, row, now);
    return Result<Json>(std::move(json));
  });
}

Result<Bytes> ShowKey(OpenVault& vault, Store& store, ByteView body) {
  const auto ref = DecodeText(body);
  if (!ref) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::optional<KeyRow> row, store.FindKey(*ref));
  if (!row) {
    TRY_ASSIGN(const Refusal gone, RowGone(vault, store, *ref));
    return Refuse(gone);
  }
  TRY_ASSIGN(Json json, KeyJson(store, *row));
  json["destroyable_from"] = Time(DestroyableFrom(*row));
  // Whose it is is nobody's to know.
  TRY_ASSIGN(json["also_held"], store.IsHeldElsewhere(row->fingerprint, row->key_ref));
  // But of one that leaked: who else has it must be stopped too.
  json["copies"] = Json::array();
  if (row->status == StateName(KeyState::kCompromised)) {
    TRY_ASSIGN(json["copies"], store.CopiesOf(row->fingerprint, row->key_ref, Copies::kInUse));
  }
  const auto proven = ProvenKey::Prove(vault, *row);
  json["intact"] = KeyIntact(*row, proven);
  json["noticed_at"] = nullptr;  // since when it is SUSPENDED because its provider refused it
  json["noticed_http_status"] = nullptr;
  if (proven) {
    TRY_ASSIGN(const std::optional<NoticeRow> notice, FindNotice(vault, store, *proven));
    if (notice) {
      json["noticed_at"] = base::FormatTime(notice->noticed_at);
      json["noticed_http_status"] = notice->http_status;
    }
  }
  TRY_ASSIGN(const std::string replaced_by, ReplacedBy(store, *row));
  TRY_ASSIGN(const std::string replaces, Replaces(store, *row));
  json["replaced_by"] = replaced_by.empty() ? Json(nullptr) : Json(replaced_by);  // of a ROTATED key
  json["replaces"] = replaces.empty() ? Json(nullptr) : Json(replaces);           // a key that is ROTATED still
  AddShares(vault, store, *row, json);
  json["profiles"] = Json::array();
  TRY_ASSIGN(const std::vector<ProfileRow> profiles, store.ProfilesOfKey(*ref));
  for (const ProfileRow& profile : profiles) json["profiles"].push_back(profile.profile_ref);
  return Document(json);
}

Result<Bytes> ListProfiles(OpenVault& vault, Store& store, ByteView body) {
  const auto request = ListRequest::Decode(body);
  if (!request) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<ProfileRow> profiles,
             store.ListProfiles(request->customer, request->status, request->after, kPageRows));
  return Page(profiles, &ProfileRow::profile_ref,
              [&vault](const ProfileRow& row) { return Result<Json>(ProfileJson(vault, row)); });
}

Result<Bytes> ShowProfile(OpenVault& vault, Store& store, ByteView body) {
  const auto ref = DecodeText(body);
  if (!ref) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::optional<ProfileRow> row, store.FindProfile(*ref));
  if (!row) return Refuse(Refusal::kProfileUnknown);
  return Document(ProfileJson(vault, *row));
}

}  // namespace strongroom::vault
