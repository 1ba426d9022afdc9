#include "vault/store.h"

namespace strongroom::vault {

Result<VaultRow> Store::FindVault() {
  TRY_ASSIGN(sql::Statement * rows, database_.Query("SELECT VAULT_ID, EPOCH, CREATED_AT, TRAIL_PUBLIC_KEY FROM VAULT"));
  TRY_ASSIGN(const bool found, rows->Next());
  if (!found) return Fail(Code::kCorrupt, "the VAULT table is empty");
  VaultRow vault{rows->Text(0), rows->Int64(1), rows->Int64(2), rows->Blob(3)};
  TRY_ASSIGN(const bool more, rows->Next());
  rows->Reset();
  if (more) return Fail(Code::kCorrupt, "the VAULT table holds more than one row");
  return vault;
}

Result<void> Store::InsertVault(const VaultRow& row) {
  TRY(database_.Execute("INSERT INTO VAULT (VAULT_ID, EPOCH, CREATED_AT, TRAIL_PUBLIC_KEY) VALUES (?1, ?2, ?3, ?4)",
                        {std::string_view(row.vault_id), row.epoch, row.created_at, ByteView(row.trail_public_key)}));
  return {};
}

Result<void> Store::LockVault() {
  if (database_.engine() == sql::Engine::kSqlite) return {};
  TRY(database_.Execute("SELECT EPOCH FROM VAULT FOR UPDATE"));
  return {};
}

Result<std::int64_t> Store::MoveEpoch(std::int64_t past) {
  TRY(database_.Execute("UPDATE VAULT SET EPOCH = CASE WHEN EPOCH < ?1 THEN ?1 ELSE EPOCH END + 1", {past}));
  TRY_ASSIGN(const VaultRow vault, FindVault());
  return vault.epoch;
}

Result<std::vector<KekRow>> Store::ListKeks() {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT KEK_VERSION, CHECK_VALUE, STATUS, CREATED_AT, CHANGED_AT FROM KEK ORDER BY KEK_VERSION"));
  std::vector<KekRow> keks;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return keks;
    keks.push_back({rows->Int64(0), rows->Blob(1), rows->Text(2), rows->Int64(3), rows->Int64(4)});
  }
}

Result<void> Store::InsertKek(const KekRow& row) {
  TRY(database_.Execute(
      "INSERT INTO KEK (KEK_VERSION, CHECK_VALUE, STATUS, CREATED_AT, CHANGED_AT) VALUES (?1, ?2, ?3, ?4, ?5)",
      {row.version, ByteView(row.check_value), std::string_view(row.status), row.created_at, row.changed_at}));
  return {};
}

Result<void> Store::MoveKek(std::int64_t version, std::string_view from, std::string_view to, base::Micros now) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE KEK SET STATUS = ?1, CHANGED_AT = ?2 WHERE KEK_VERSION = ?3 AND STATUS = ?4",
                               {to, now, version, from}));
  if (changed != 1) return Fail(Code::kConflict, "the KEK's row was changed by somebody else");
  return {};
}

Result<std::optional<WrappedSecret>> Store::FindSecret(std::string_view name) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT KEK_VERSION, NONCE, WRAPPED FROM VAULT_SECRET WHERE SECRET_NAME = ?1", {name}));
  if (row == nullptr) return std::nullopt;
  WrappedSecret secret{row->Int64(0), row->Blob(1), row->Blob(2)};
  row->Reset();
  return secret;
}

Result<void> Store::InsertSecret(std::string_view name, const WrappedSecret& secret) {
  TRY(database_.Execute(
      "INSERT INTO VAULT_SECRET (SECRET_NAME, KEK_VERSION, NONCE, WRAPPED) VALUES (?1, ?2, ?3, ?4)",
      {name, secret.kek_version, ByteView(secret.nonce), ByteView(secret.ciphertext)}));
  return {};
}

Result<std::vector<std::string>> Store::ListSecrets() {
  TRY_ASSIGN(sql::Statement * rows, database_.Query("SELECT SECRET_NAME FROM VAULT_SECRET ORDER BY SECRET_NAME"));
  std::vector<std::string> names;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return names;
    names.push_back(rows->Text(0));
  }
}

Result<void> Store::UpdateSecret(std::string_view name, const WrappedSecret& secret, std::int64_t expected) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE VAULT_SECRET SET KEK_VERSION = ?1, NONCE = ?2, WRAPPED = ?3 "
                               "WHERE SECRET_NAME = ?4 AND KEK_VERSION = ?5",
                               {secret.kek_version, ByteView(secret.nonce), ByteView(secret.ciphertext), name, expected}));
  if (changed != 1) return Fail(Code::kConflict, "the vault's own key was changed by somebody else");
  return {};
}

Result<void> Store::EraseSecret(std::string_view name) {
  TRY_ASSIGN(const std::int64_t erased, database_.Execute("DELETE FROM VAULT_SECRET WHERE SECRET_NAME = ?1", {name}));
  if (erased != 1) return Fail(Code::kConflict, "the vault's own key was taken away by somebody else");
  return {};
}

Result<void> Store::PutTrailPublicKey(ByteView public_key) {
  TRY(database_.Execute("UPDATE VAULT SET TRAIL_PUBLIC_KEY = ?1", {public_key}));
  return {};
}

Result<std::optional<std::string>> Store::FirstRecord() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 0"));
  if (row == nullptr) return std::nullopt;
  const Bytes bytes = row->Blob(0);
  row->Reset();
  return std::string(base::AsText(bytes));
}

Result<std::int64_t> Store::NewestRecord() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT MAX(SEQ) FROM AUDIT_LOG"));
  const auto seq = row == nullptr ? std::nullopt : row->OptionalInt64(0);
  if (row != nullptr) row->Reset();
  if (!seq) return Fail(Code::kCorrupt, "the trail is empty");
  return *seq;
}

Result<std::vector<Rate>> Store::CurrentRates(base::Micros now, const RatesRequest& after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT MODEL, PROVIDER, INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK, EFFECTIVE_FROM "
                             "FROM RATE_CARD R WHERE EFFECTIVE_FROM = (SELECT MAX(N.EFFECTIVE_FROM) FROM RATE_CARD N "
                             "WHERE N.MODEL = R.MODEL AND N.PROVIDER = R.PROVIDER AND N.EFFECTIVE_FROM <= ?1) "
                             "AND (MODEL, PROVIDER) > (?2, ?3) ORDER BY MODEL, PROVIDER LIMIT ?4",
                             {now, std::string_view(after.after_model), std::string_view(after.after_provider), most}));
  std::vector<Rate> rates;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return rates;
    rates.push_back({rows->Text(0), rows->Text(1), rows->Int64(2), rows->Int64(3), rows->Int64(4)});
  }
}

Result<void> Store::InsertRate(const Rate& rate) {
  TRY(database_.Execute("INSERT INTO RATE_CARD (MODEL, PROVIDER, INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK, "
                        "EFFECTIVE_FROM) VALUES (?1, ?2, ?3, ?4, ?5)",
                        {std::string_view(rate.model), std::string_view(rate.provider), rate.input_micro_usd,
                         rate.output_micro_usd, rate.effective_from}));
  return {};
}

}  // namespace strongroom::vault
