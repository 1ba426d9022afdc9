#include "vault/store.h"

#define PROFILE_COLUMNS                                                                                      \
  "PROFILE_REF, CUSTOMER, PROFILE_NAME, MODE, PROVIDER, MODEL, ENDPOINT, KEY_REF, DEFAULT_MAX_TOKENS, "      \
  "DEFAULT_TEMP, SYSTEM_PROMPT, RATE_LIMIT_RPM, RATE_LIMIT_TPM, MONTHLY_QUOTA_TOKENS, MODELS_ALLOWED, "      \
  "API_VERSION, VAULT_MAC, STATUS, NOTES, CREATED_AT, UPDATED_AT, OVER_QUOTA_UNTIL"

#define SERVED "WHERE CUSTOMER = ?1 AND AT >= ?2 AND ACTOR = ?3 AND ACTION = 'resolve' AND OUTCOME = 'ok' ORDER BY AT DESC LIMIT 1"

namespace strongroom::vault {
namespace {

// In the order of PROFILE_COLUMNS.
ProfileRow ReadProfile(const sql::Statement& row) {
  ProfileRow profile;
  profile.profile_ref = row.Text(0);
  profile.customer = row.Text(1);
  profile.profile_name = row.Text(2);
  profile.mode = row.Text(3);
  profile.provider = row.Text(4);
  profile.model = row.Text(5);
  profile.endpoint = row.Text(6);
  profile.key_ref = row.OptionalText(7);
  profile.default_max_tokens = row.Int64(8);
  profile.default_temp_tenths = row.OptionalInt64(9);
  profile.system_prompt = row.OptionalText(10);
  profile.rpm = row.OptionalInt64(11);
  profile.tpm = row.OptionalInt64(12);
  profile.quota = row.OptionalInt64(13);
  profile.models_allowed = row.OptionalText(14);
  profile.api_version = row.OptionalText(15);
  profile.vault_mac = row.Blob(16);
  profile.status = row.Text(17);
  profile.notes = row.OptionalText(18);
  profile.created_at = row.Int64(19);
  profile.updated_at = row.Int64(20);
  profile.over_quota_until = row.OptionalInt64(21);
  return profile;
}

Result<std::vector<ProfileRow>> ReadAll(sql::Statement& rows) {
  std::vector<ProfileRow> profiles;
  while (true) {
    TRY_ASSIGN(const bool more, rows.Next());
    if (!more) return profiles;
    profiles.push_back(ReadProfile(rows));
  }
}

std::string_view View(const std::string& text) { return text; }

Result<std::int64_t> Count(sql::Database& database, sql::Sql text) {
  TRY_ASSIGN(sql::Statement * row, database.QueryOne(text));
  if (row == nullptr) return Fail(Code::kInternal, "a count that is no row");
  const std::int64_t count = row->Int64(0);
  row->Reset();
  return count;
}

}  // namespace

Result<std::optional<ProfileRow>> Store::FindProfile(std::string_view profile_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT " PROFILE_COLUMNS " FROM AI_PROFILE WHERE PROFILE_REF = ?1", {profile_ref}));
  if (row == nullptr) return std::nullopt;
  ProfileRow profile = ReadProfile(*row);
  row->Reset();
  return profile;
}

Result<std::optional<BoundProfile>> Store::FindBoundProfile(std::string_view profile_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT PROFILE_REF, CUSTOMER, MODE, PROVIDER, ENDPOINT, KEY_REF, VAULT_MAC, STATUS, RATE_LIMIT_RPM, "
                                "RATE_LIMIT_TPM, MONTHLY_QUOTA_TOKENS, OVER_QUOTA_UNTIL FROM AI_PROFILE WHERE PROFILE_REF = ?1",
                                {profile_ref}));
  if (row == nullptr) return std::nullopt;
  BoundProfile profile{row->Text(0), row->Text(1),         row->Text(2), row->Text(3),
                       row->Text(4), row->OptionalText(5), row->Blob(6), row->Text(7),
                       row->OptionalInt64(8), row->OptionalInt64(9), row->OptionalInt64(10), row->OptionalInt64(11)};
  row->Reset();
  return profile;
}

Result<std::vector<ProfileRow>> Store::ListProfiles(std::string_view customer, std::string_view status,
                                                    std::string_view after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " PROFILE_COLUMNS " FROM AI_PROFILE WHERE (?1 = '' OR CUSTOMER = ?1) "
                             "AND (?2 = '' OR STATUS = ?2) AND PROFILE_REF > ?3 ORDER BY PROFILE_REF LIMIT ?4",
                             {customer, status, after, most}));
  return ReadAll(*rows);
}

Result<std::vector<ProfileRow>> Store::ProfilesOfKey(std::string_view key_ref) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " PROFILE_COLUMNS " FROM AI_PROFILE WHERE KEY_REF = ?1 ORDER BY PROFILE_REF",
                             {key_ref}));
  return ReadAll(*rows);
}

Result<std::optional<std::int64_t>> Store::RpmOfKey(std::string_view key_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT COUNT(*), COUNT(RATE_LIMIT_RPM), CAST(SUM(RATE_LIMIT_RPM) AS BIGINT) "
                                "FROM AI_PROFILE WHERE KEY_REF = ?1 AND STATUS = 'ACTIVE'",
                                {key_ref}));
  if (row == nullptr) return std::nullopt;
  const bool all = row->Int64(0) > 0 && row->Int64(0) == row->Int64(1);
  const std::optional<std::int64_t> sum = all ? row->OptionalInt64(2) : std::nullopt;
  row->Reset();
  return sum;
}

Result<void> Store::InsertProfile(const ProfileRow& row) {
  TRY(database_.Execute(
      "INSERT INTO AI_PROFILE (" PROFILE_COLUMNS
      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
      {View(row.profile_ref), View(row.customer), View(row.profile_name), View(row.mode), View(row.provider),
       View(row.model), View(row.endpoint), sql::Optional(row.key_ref), row.default_max_tokens,
       sql::Optional(row.default_temp_tenths), sql::Optional(row.system_prompt), sql::Optional(row.rpm),
       sql::Optional(row.tpm), sql::Optional(row.quota), sql::Optional(row.models_allowed),
       sql::Optional(row.api_version), ByteView(row.vault_mac), View(row.status), sql::Optional(row.notes),
       row.created_at, row.updated_at, sql::Optional(row.over_quota_until)}));
  return {};
}

Result<void> Store::UpdateProfile(const ProfileRow& row) {
  TRY_ASSIGN(
      const std::int64_t changed,
      database_.Execute("UPDATE AI_PROFILE SET CUSTOMER = ?1, PROFILE_NAME = ?2, MODE = ?3, PROVIDER = ?4, "
                        "MODEL = ?5, ENDPOINT = ?6, KEY_REF = ?7, DEFAULT_MAX_TOKENS = ?8, DEFAULT_TEMP = ?9, "
                        "SYSTEM_PROMPT = ?10, RATE_LIMIT_RPM = ?11, RATE_LIMIT_TPM = ?12, "
                        "MONTHLY_QUOTA_TOKENS = ?13, MODELS_ALLOWED = ?14, API_VERSION = ?15, VAULT_MAC = ?16, "
                        "STATUS = ?17, NOTES = ?18, UPDATED_AT = ?19, OVER_QUOTA_UNTIL = ?20 WHERE PROFILE_REF = ?21",
                        {View(row.customer), View(row.profile_name), View(row.mode), View(row.provider),
                         View(row.model), View(row.endpoint), sql::Optional(row.key_ref), row.default_max_tokens,
                         sql::Optional(row.default_temp_tenths), sql::Optional(row.system_prompt),
                         sql::Optional(row.rpm), sql::Optional(row.tpm), sql::Optional(row.quota),
                         sql::Optional(row.models_allowed), sql::Optional(row.api_version),
                         ByteView(row.vault_mac), View(row.status), sql::Optional(row.notes), row.updated_at,
                         sql::Optional(row.over_quota_until), View(row.profile_ref)}));
  if (changed != 1) return Fail(Code::kConflict, "the profile's row was changed by somebody else");
  return {};
}

Result<std::int64_t> Store::CountProfiles() { return Count(database_, "SELECT COUNT(*) FROM AI_PROFILE"); }

Result<std::int64_t> Store::CountOverQuota() { return Count(database_, "SELECT COUNT(*) FROM AI_PROFILE WHERE STATUS = 'OVER_QUOTA'"); }

Result<std::vector<std::string>> Store::ProfilesOverQuota(base::Micros until, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT PROFILE_REF FROM AI_PROFILE WHERE STATUS = 'OVER_QUOTA' AND OVER_QUOTA_UNTIL <= ?1 "
                             "ORDER BY OVER_QUOTA_UNTIL, PROFILE_REF LIMIT ?2",
                             {until, most}));
  std::vector<std::string> refs;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return refs;
    refs.push_back(rows->Text(0));
  }
}

Result<bool> Store::WasServed(std::string_view customer, std::string_view actor, base::Micros since) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne(one_log ? sql::Sql("SELECT SEQ FROM AUDIT_LOG " SERVED) : sql::Sql("SELECT SEQ FROM AUDIT_TRAIL " SERVED),
                                                      {customer, since, actor}));
  if (row == nullptr) return false;
  row->Reset();
  return true;
}

}  // namespace strongroom::vault
