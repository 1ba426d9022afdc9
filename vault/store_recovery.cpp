// Recovery sets, and the KEKs that are sealed to one.
#include "vault/store.h"

// By the index of acts.
#define HAD_SET "WHERE ACTION <> 'resolve' AND ACTION <> 'report_call' AND ACTION = 'put_recovery' AND OUTCOME = 'ok' LIMIT 1"

namespace strongroom::vault {

Result<std::vector<RecoverySetRow>> Store::ListRecoverySets() {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT SET_NUMBER, SET_ID, PUBLIC_KEY, THRESHOLD, DIGESTS, CUSTODIANS, CREATED_AT, VAULT_MAC "
                             "FROM RECOVERY_SET ORDER BY SET_NUMBER"));
  std::vector<RecoverySetRow> sets;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return sets;
    sets.push_back({rows->Int64(0), rows->Text(1), rows->Blob(2), rows->Int64(3), rows->Blob(4), rows->Text(5),
                    rows->Int64(6), rows->Blob(7)});
  }
}

Result<void> Store::InsertRecoverySet(const RecoverySetRow& row) {
  TRY(database_.Execute("INSERT INTO RECOVERY_SET (SET_NUMBER, SET_ID, PUBLIC_KEY, THRESHOLD, DIGESTS, CUSTODIANS, "
                        "CREATED_AT, VAULT_MAC) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        {row.number, std::string_view(row.set_id), ByteView(row.public_key), row.threshold,
                         ByteView(row.digests), std::string_view(row.custodians), row.created_at, ByteView(row.vault_mac)}));
  return {};
}

Result<std::vector<SealedKekRow>> Store::ListSealedKeks(std::int64_t set_number) {
  TRY_ASSIGN(sql::Statement * rows, database_.Query("SELECT SET_NUMBER, KEK_VERSION, SEALED, VAULT_MAC FROM KEK_RECOVERY "
                                                    "WHERE SET_NUMBER = ?1 ORDER BY KEK_VERSION",
                                                    {set_number}));
  std::vector<SealedKekRow> keks;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return keks;
    keks.push_back({rows->Int64(0), rows->Int64(1), rows->Blob(2), rows->Blob(3)});
  }
}

Result<void> Store::InsertSealedKek(const SealedKekRow& row) {
  TRY(database_.Execute("INSERT INTO KEK_RECOVERY (SET_NUMBER, KEK_VERSION, SEALED, VAULT_MAC) VALUES (?1, ?2, ?3, ?4)",
                        {row.set_number, row.kek_version, ByteView(row.sealed), ByteView(row.vault_mac)}));
  return {};
}

Result<void> Store::EraseSealedKeks(std::int64_t but_of_set) {
  TRY(database_.Execute("DELETE FROM KEK_RECOVERY WHERE SET_NUMBER <> ?1", {but_of_set}));
  return {};
}

Result<void> Store::EraseSealedKek(std::int64_t kek_version) {
  TRY(database_.Execute("DELETE FROM KEK_RECOVERY WHERE KEK_VERSION = ?1", {kek_version}));
  return {};
}

Result<bool> Store::HadRecoverySet() {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne(one_log ? sql::Sql("SELECT 1 FROM AUDIT_LOG " HAD_SET) : sql::Sql("SELECT 1 FROM AUDIT_TRAIL " HAD_SET)));
  if (row != nullptr) row->Reset();
  return row != nullptr;
}

}  // namespace strongroom::vault
