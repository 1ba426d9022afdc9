#include "vault/store.h"

#include "vault/key_state.h"

#define KEY_COLUMNS                                                                                           \
  "KEY_REF, CUSTOMER, PROVIDER, KEY_VERSION, ENCRYPTED_DEK, ENCRYPTED_KEY, NONCE_DEK, NONCE_KEY, "            \
  "KEK_VERSION, STATUS, CREATED_AT, LAST_USED_AT, REVOKED_AT, LABEL, ORIGIN, HOSTED, ROW_VERSION, "           \
  "GRACE_UNTIL, STATE_CHANGED_AT, FINGERPRINT, LIMIT_RPM, LIMIT_TPM"

#define LAST_USED "WHERE KEY_REF = ?1 AND OUTCOME = 'ok' AND ACTION IN ('resolve', 'probe', 'probe_suspect') ORDER BY AT DESC LIMIT 1"

#define WAS_HELD "WHERE KEY_REF = ?1 AND OUTCOME = 'ok' LIMIT 1"

#define ROTATIONS "WHERE ACTION <> 'resolve' AND AT = ?1 AND ACTION = 'rotate_key' AND OUTCOME = 'ok'"

namespace strongroom::vault {
namespace {

// In the order of KEY_COLUMNS.
KeyRow ReadKey(const sql::Statement& row) {
  KeyRow key;
  key.key_ref = row.Text(0);
  key.customer = row.Text(1);
  key.provider = row.Text(2);
  key.key_version = row.Int64(3);
  key.sealed.dek.ciphertext = row.Blob(4);
  key.sealed.key.ciphertext = row.Blob(5);
  key.sealed.dek.nonce = row.Blob(6);
  key.sealed.key.nonce = row.Blob(7);
  key.kek_version = row.Int64(8);
  key.status = row.Text(9);
  key.created_at = row.Int64(10);
  key.last_used_at = row.OptionalInt64(11);
  key.revoked_at = row.OptionalInt64(12);
  key.label = row.Text(13);
  key.origin = row.Text(14);
  key.hosted = row.Text(15);
  key.row_version = row.Int64(16);
  key.grace_until = row.OptionalInt64(17);
  key.state_changed_at = row.Int64(18);
  key.fingerprint = row.Text(19);
  key.limit = {row.OptionalInt64(20), row.OptionalInt64(21)};
  return key;
}

Result<std::vector<KeyRow>> ReadKeys(sql::Statement& rows) {
  std::vector<KeyRow> keys;
  while (true) {
    TRY_ASSIGN(const bool more, rows.Next());
    if (!more) return keys;
    keys.push_back(ReadKey(rows));
  }
}

std::string_view View(const std::string& text) { return text; }

}  // namespace

Result<std::optional<KeyRow>> Store::FindKey(std::string_view key_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT " KEY_COLUMNS " FROM KEY_VAULT WHERE KEY_REF = ?1", {key_ref}));
  if (row == nullptr) return std::nullopt;
  KeyRow key = ReadKey(*row);
  row->Reset();
  return key;
}

Result<std::vector<KeyRow>> Store::ListKeys(std::string_view customer, std::string_view status,
                                            std::string_view after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " KEY_COLUMNS " FROM KEY_VAULT WHERE (?1 = '' OR CUSTOMER = ?1) "
                             "AND (?2 = '' OR STATUS = ?2) AND KEY_REF > ?3 ORDER BY KEY_REF LIMIT ?4",
                             {customer, status, after, most}));
  return ReadKeys(*rows);
}

Result<std::vector<KeyRow>> Store::KeysChanged(base::Micros since, std::string_view after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " KEY_COLUMNS " FROM KEY_VAULT WHERE STATE_CHANGED_AT >= ?1 AND KEY_REF > ?2 AND "
                             "STATUS IN ('ROTATED', 'SUSPENDED', 'REVOKED', 'COMPROMISED', 'DESTROYED') ORDER BY KEY_REF LIMIT ?3",
                             {since, after, most}));
  return ReadKeys(*rows);
}

Result<std::vector<KeyRow>> Store::KeysOutOfGrace(base::Micros until, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " KEY_COLUMNS " FROM KEY_VAULT WHERE STATUS = 'ROTATED' AND GRACE_UNTIL <= ?1 "
                             "ORDER BY GRACE_UNTIL, KEY_REF LIMIT ?2",
                             {until, most}));
  return ReadKeys(*rows);
}

Result<std::int64_t> Store::NewestVersion(std::string_view customer, std::string_view provider,
                                          std::string_view label) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT MAX(KEY_VERSION) FROM KEY_VAULT WHERE CUSTOMER = ?1 AND PROVIDER = ?2 "
                                "AND LABEL = ?3",
                                {customer, provider, label}));
  if (row == nullptr) return 0;
  const std::int64_t newest = row->Int64(0);
  row->Reset();
  return newest;
}

Result<void> Store::InsertKey(const KeyRow& row) {
  TRY(database_.Execute(
      "INSERT INTO KEY_VAULT (" KEY_COLUMNS
      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
      {View(row.key_ref), View(row.customer), View(row.provider), row.key_version,
       ByteView(row.sealed.dek.ciphertext), ByteView(row.sealed.key.ciphertext), ByteView(row.sealed.dek.nonce),
       ByteView(row.sealed.key.nonce), row.kek_version, View(row.status), row.created_at,
       sql::Optional(row.last_used_at), sql::Optional(row.revoked_at), View(row.label), View(row.origin),
       View(row.hosted), row.row_version, sql::Optional(row.grace_until), row.state_changed_at,
       View(row.fingerprint), sql::Optional(row.limit.rpm), sql::Optional(row.limit.tpm)}));
  return {};
}

Result<void> Store::UpdateKey(const KeyRow& row, std::int64_t expected) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE KEY_VAULT SET ENCRYPTED_DEK = ?1, NONCE_DEK = ?2, KEK_VERSION = ?3, "
                               "STATUS = ?4, LAST_USED_AT = ?5, REVOKED_AT = ?6, ROW_VERSION = ?7, "
                               "GRACE_UNTIL = ?8, STATE_CHANGED_AT = ?9, LIMIT_RPM = ?10, LIMIT_TPM = ?11 "
                               "WHERE KEY_REF = ?12 AND ROW_VERSION = ?13",
                               {ByteView(row.sealed.dek.ciphertext), ByteView(row.sealed.dek.nonce),
                                row.kek_version, View(row.status), sql::Optional(row.last_used_at),
                                sql::Optional(row.revoked_at), row.row_version, sql::Optional(row.grace_until),
                                row.state_changed_at, sql::Optional(row.limit.rpm), sql::Optional(row.limit.tpm),
                                View(row.key_ref), expected}));
  if (changed != 1) return Fail(Code::kConflict, "the key's row was changed by somebody else");
  return {};
}

Result<std::vector<KeyRow>> Store::KeysUnder(std::int64_t kek_version, std::string_view after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT KEY_REF, CUSTOMER, PROVIDER, KEY_VERSION, LABEL, ORIGIN, HOSTED, STATUS, GRACE_UNTIL, "
                             "KEK_VERSION, ROW_VERSION, ENCRYPTED_DEK, NONCE_DEK, LIMIT_RPM, LIMIT_TPM FROM KEY_VAULT "
                             "WHERE KEK_VERSION = ?1 AND KEY_REF > ?2 AND LENGTH(ENCRYPTED_DEK) > 0 ORDER BY KEY_REF LIMIT ?3",
                             {kek_version, after, most}));
  std::vector<KeyRow> keys;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return keys;
    KeyRow& key = keys.emplace_back();
    key.key_ref = rows->Text(0);
    key.customer = rows->Text(1);
    key.provider = rows->Text(2);
    key.key_version = rows->Int64(3);
    key.label = rows->Text(4);
    key.origin = rows->Text(5);
    key.hosted = rows->Text(6);
    key.status = rows->Text(7);
    key.grace_until = rows->OptionalInt64(8);
    key.kek_version = rows->Int64(9);
    key.row_version = rows->Int64(10);
    key.sealed.dek.ciphertext = rows->Blob(11);
    key.sealed.dek.nonce = rows->Blob(12);
    key.limit = {rows->OptionalInt64(13), rows->OptionalInt64(14)};
  }
}

Result<void> Store::UpdateWrap(const KeyRow& row, std::int64_t expected, std::int64_t expected_kek) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE KEY_VAULT SET ENCRYPTED_DEK = ?1, NONCE_DEK = ?2, KEK_VERSION = ?3, "
                               "ROW_VERSION = ?4 WHERE KEY_REF = ?5 AND ROW_VERSION = ?6 AND KEK_VERSION = ?7",
                               {ByteView(row.sealed.dek.ciphertext), ByteView(row.sealed.dek.nonce), row.kek_version,
                                row.row_version, View(row.key_ref), expected, expected_kek}));
  if (changed != 1) return Fail(Code::kConflict, "the key's row was changed by somebody else");
  return {};
}

Result<std::int64_t> Store::CountOutside(std::int64_t active) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT (SELECT COUNT(*) FROM KEY_VAULT WHERE (KEK_VERSION < ?1 OR KEK_VERSION > ?1) AND "
                                "LENGTH(ENCRYPTED_DEK) > 0) + (SELECT COUNT(*) FROM KEY_TICKET WHERE KEK_VERSION <> ?1 AND "
                                "LENGTH(PRIVATE_KEY) > 0) + "
                                "(SELECT COUNT(*) FROM VAULT_SECRET WHERE KEK_VERSION <> ?1)",
                                {active}));
  if (row == nullptr) return Fail(Code::kInternal, "a count that is no row");
  const std::int64_t count = row->Int64(0);
  row->Reset();
  return count;
}

Result<std::optional<base::Micros>> Store::LastUsed(std::string_view key_ref) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne(one_log ? sql::Sql("SELECT AT FROM AUDIT_LOG " LAST_USED) : sql::Sql("SELECT AT FROM AUDIT_TRAIL " LAST_USED),
                                {key_ref}));
  if (row == nullptr) return std::nullopt;
  const base::Micros at = row->Int64(0);
  row->Reset();
  return at;
}

Result<bool> Store::WasHeld(std::string_view key_ref) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne(one_log ? sql::Sql("SELECT 1 FROM AUDIT_LOG " WAS_HELD) : sql::Sql("SELECT 1 FROM AUDIT_TRAIL " WAS_HELD), {key_ref}));
  if (row != nullptr) row->Reset();
  return row != nullptr;
}

Result<void> Store::RotationsAt(base::Micros at, const audit::TakeEntry& take) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * rows, database_.Query(one_log ? sql::Sql("SELECT RECORD FROM AUDIT_LOG " ROTATIONS)
                                                            : sql::Sql("SELECT RECORD FROM AUDIT_TRAIL " ROTATIONS),
                                                    {at}));
  return audit::EachEntry(*rows, take);
}

Result<bool> Store::IsHeldElsewhere(std::string_view fingerprint, std::string_view key_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT 1 FROM KEY_VAULT WHERE FINGERPRINT = ?1 AND KEY_REF <> ?2 LIMIT 1", {fingerprint, key_ref}));
  if (row != nullptr) row->Reset();
  return row != nullptr;
}

Result<std::vector<std::string>> Store::CopiesOf(std::string_view fingerprint, std::string_view key_ref, Copies which) {
  constexpr sql::Sql kInUse =
      "SELECT KEY_REF FROM KEY_VAULT WHERE FINGERPRINT = ?1 AND KEY_REF <> ?2 AND STATUS NOT IN ('COMPROMISED', 'REVOKED', 'DESTROYED') ORDER BY KEY_REF LIMIT 20";
  constexpr sql::Sql kWith = "SELECT KEY_REF FROM KEY_VAULT WHERE FINGERPRINT = ?1 AND KEY_REF <> ?2 AND STATUS = ?3 ORDER BY KEY_REF LIMIT 20";
  const std::string_view status = StateName(which == Copies::kCompromised ? KeyState::kCompromised : KeyState::kDestroyed);
  TRY_ASSIGN(sql::Statement * rows, which == Copies::kInUse ? database_.Query(kInUse, {fingerprint, key_ref}) : database_.Query(kWith, {fingerprint, key_ref, status}));
  std::vector<std::string> copies;
  for (;;) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return copies;
    copies.push_back(rows->Text(0));
  }
}

Result<void> Store::EachRelease(std::int64_t most, const audit::TakeEntry& take) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT RECORD FROM AUDIT_LOG WHERE SEQ > (SELECT MAX(SEQ) FROM AUDIT_LOG) - ?1 "
                             "AND ACTION IN ('resolve', 'probe', 'probe_suspect', 'report_call') AND OUTCOME = 'ok' ORDER BY SEQ",
                             {most}));
  return audit::EachEntry(*rows, take);
}

Result<std::map<std::string, std::int64_t>> Store::CountKeysByStatus() {
  TRY_ASSIGN(sql::Statement * rows, database_.Query("SELECT STATUS, COUNT(*) FROM KEY_VAULT GROUP BY STATUS"));
  std::map<std::string, std::int64_t> counts;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return counts;
    counts[rows->Text(0)] = rows->Int64(1);
  }
}

Result<std::vector<std::string>> Store::NamesOutside(std::int64_t active, std::int64_t retiring) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT KEY_REF FROM KEY_VAULT WHERE (KEK_VERSION < ?1 OR KEK_VERSION > ?1) AND KEK_VERSION <> ?2 AND LENGTH(ENCRYPTED_DEK) > 0 "
                             "UNION ALL SELECT 'ticket ' || TICKET_ID FROM KEY_TICKET WHERE KEK_VERSION <> ?1 AND KEK_VERSION <> ?2 AND LENGTH(PRIVATE_KEY) > 0 "
                             "ORDER BY 1 LIMIT 20",
                             {active, retiring}));
  std::vector<std::string> names;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return names;
    names.push_back(rows->Text(0));
  }
}

Result<std::map<std::int64_t, std::int64_t>> Store::CountKeysByKek() {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT KEK_VERSION, COUNT(*) FROM KEY_VAULT WHERE LENGTH(ENCRYPTED_DEK) > 0 "
                             "GROUP BY KEK_VERSION"));
  std::map<std::int64_t, std::int64_t> counts;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return counts;
    counts[rows->Int64(0)] = rows->Int64(1);
  }
}

Result<std::optional<NoticeRow>> Store::FindNotice(std::string_view key_ref) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT KEY_REF, ROW_VERSION, HTTP_STATUS, NOTICED_AT, VAULT_MAC FROM KEY_NOTICE WHERE KEY_REF = ?1", {key_ref}));
  if (row == nullptr) return std::nullopt;
  NoticeRow found{row->Text(0), row->Int64(1), row->Int64(2), row->Int64(3), row->Blob(4)};
  row->Reset();
  return found;
}

Result<void> Store::PutNotice(const NoticeRow& row) {
  TRY(EraseNotice(row.key_ref));
  TRY(database_.Execute("INSERT INTO KEY_NOTICE (KEY_REF, ROW_VERSION, HTTP_STATUS, NOTICED_AT, VAULT_MAC) VALUES (?1, ?2, ?3, ?4, ?5)",
                        {View(row.key_ref), row.row_version, row.http_status, row.noticed_at, ByteView(row.vault_mac)}));
  return {};
}

Result<void> Store::EraseNotice(std::string_view key_ref) {
  TRY(database_.Execute("DELETE FROM KEY_NOTICE WHERE KEY_REF = ?1", {key_ref}));
  return {};
}

Result<std::int64_t> Store::CountNotices() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT COUNT(*) FROM KEY_NOTICE WHERE EXISTS (SELECT 1 FROM KEY_VAULT WHERE "
                                                      "KEY_VAULT.KEY_REF = KEY_NOTICE.KEY_REF AND STATUS = 'SUSPENDED')"));
  if (row == nullptr) return Fail(Code::kInternal, "a count that is no row");
  const std::int64_t count = row->Int64(0);
  row->Reset();
  return count;
}

}  // namespace strongroom::vault
