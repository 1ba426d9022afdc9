// Store: the rows of two-person acts.
#include "vault/store.h"

namespace strongroom::vault {
namespace {

#define APPROVAL_COLUMNS                                                                                         \
  "APPROVAL_ID, OPERATION, ACT_DIGEST, ACT, REASON, AUTHOR_UID, AUTHOR, PROPOSED_AT, EXPIRES_AT, STATUS, DECIDER_UID, " \
  "DECIDER, DECIDED_AT, APPROVAL_MAC"

ApprovalRow Read(const sql::Statement& rows) {
  ApprovalRow row;
  row.approval_id = rows.Text(0);
  row.operation = rows.Int64(1);
  row.digest = rows.Blob(2);
  row.act = rows.Text(3);
  row.reason = rows.Text(4);
  row.author_uid = rows.Int64(5);
  row.author = rows.Text(6);
  row.proposed_at = rows.Int64(7);
  row.expires_at = rows.Int64(8);
  row.status = rows.Text(9);
  row.decider_uid = rows.OptionalInt64(10);
  row.decider = rows.Text(11);
  row.decided_at = rows.Int64(12);
  row.mac = rows.Blob(13);
  return row;
}

Result<std::vector<ApprovalRow>> ReadAll(sql::Statement& rows) {
  std::vector<ApprovalRow> all;
  while (true) {
    TRY_ASSIGN(const bool more, rows.Next());
    if (!more) return all;
    all.push_back(Read(rows));
  }
}

Result<std::optional<ApprovalRow>> ReadOne(sql::Statement* row) {
  if (row == nullptr) return std::nullopt;
  ApprovalRow found = Read(*row);
  row->Reset();
  return found;
}

}  // namespace

Result<std::optional<ApprovalRow>> Store::FindApproval(std::string_view approval_id) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT " APPROVAL_COLUMNS " FROM APPROVAL WHERE APPROVAL_ID = ?1", {approval_id}));
  return ReadOne(row);
}

Result<std::optional<ApprovalRow>> Store::FindApprovalOf(ByteView digest, std::int64_t author_uid, base::Micros now) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT " APPROVAL_COLUMNS " FROM APPROVAL WHERE ACT_DIGEST = ?1 AND AUTHOR_UID = ?2 "
                                "AND EXPIRES_AT > ?3 AND STATUS IN ('PROPOSED', 'APPROVED', 'DENIED') "
                                "ORDER BY PROPOSED_AT DESC LIMIT 1",
                                {digest, author_uid, now}));
  return ReadOne(row);
}

Result<std::vector<ApprovalRow>> Store::ListApprovals(std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " APPROVAL_COLUMNS " FROM APPROVAL ORDER BY PROPOSED_AT DESC, APPROVAL_ID LIMIT ?1", {most}));
  return ReadAll(*rows);
}

Result<std::vector<ApprovalRow>> Store::OverdueApprovals(base::Micros now) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " APPROVAL_COLUMNS " FROM APPROVAL WHERE EXPIRES_AT <= ?1 "
                             "AND STATUS IN ('PROPOSED', 'APPROVED') ORDER BY PROPOSED_AT LIMIT 100", {now}));
  return ReadAll(*rows);
}

Result<std::int64_t> Store::CountOpenApprovals(base::Micros now) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT COUNT(*) FROM APPROVAL WHERE EXPIRES_AT > ?1 AND STATUS IN ('PROPOSED', 'APPROVED')",
                                {now}));
  const std::int64_t count = row == nullptr ? 0 : row->Int64(0);
  if (row != nullptr) row->Reset();
  return count;
}

Result<void> Store::InsertApproval(const ApprovalRow& row) {
  TRY(database_.Execute("INSERT INTO APPROVAL (" APPROVAL_COLUMNS
                        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, NULL, NULL, ?11)",
                        {std::string_view(row.approval_id), row.operation, ByteView(row.digest), std::string_view(row.act),
                         std::string_view(row.reason), row.author_uid, std::string_view(row.author), row.proposed_at,
                         row.expires_at, std::string_view(row.status), ByteView(row.mac)}));
  return {};
}

Result<void> Store::UpdateApproval(const ApprovalRow& row, std::string_view from) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE APPROVAL SET STATUS = ?1, DECIDER_UID = ?2, DECIDER = ?3, DECIDED_AT = ?4, "
                               "APPROVAL_MAC = ?5 WHERE APPROVAL_ID = ?6 AND STATUS = ?7",
                               {std::string_view(row.status), sql::Optional(row.decider_uid), std::string_view(row.decider),
                                row.decided_at, ByteView(row.mac), std::string_view(row.approval_id), from}));
  if (changed != 1) return Fail(Code::kConflict, "the approval's row was changed by somebody else");
  return {};
}

Result<void> Store::DropApprovals(base::Micros expired_before) {
  TRY(database_.Execute("DELETE FROM APPROVAL WHERE EXPIRES_AT < ?1", {expired_before}));
  return {};
}

Result<std::optional<SwitchRow>> Store::FindSwitch() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT STATE, CHANGED_AT, SWITCH_MAC FROM TWO_PEOPLE"));
  if (row == nullptr) return std::nullopt;
  SwitchRow found{row->Text(0) != "OFF", row->Int64(1), row->Blob(2)};
  row->Reset();
  return found;
}

Result<void> Store::PutSwitch(const SwitchRow& row) {
  TRY(database_.Execute("DELETE FROM TWO_PEOPLE"));
  TRY(database_.Execute("INSERT INTO TWO_PEOPLE (STATE, CHANGED_AT, SWITCH_MAC) VALUES (?1, ?2, ?3)",
                        {std::string_view(row.on ? "ON" : "OFF"), row.changed_at, ByteView(row.mac)}));
  return {};
}

Result<void> Store::EachAct(std::string_view action, base::Micros since,
                            const audit::TakeEntry& take) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND AT >= ?1 AND ACTION = ?2 "
                             "AND OUTCOME = 'ok'",
                             {since, action}));
  return audit::EachEntry(*rows, take);
}

}  // namespace strongroom::vault
