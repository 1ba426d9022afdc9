// Store: the rows of tickets.
#include "vault/store.h"

namespace strongroom::vault {
namespace {

#define TICKET_COLUMNS                                                                                                     \
  "TICKET_ID, CUSTOMER, PROVIDER, ENDPOINT, ORIGIN, ROTATES, PUBLIC_KEY, CREATED_AT, EXPIRES_AT, STATUS, CHANGED_AT, KEY_REF, " \
  "KEK_VERSION, NONCE, PRIVATE_KEY"

// The index of customers serves: a ticket's end has its customer.
#define TICKET_ENDS "WHERE CUSTOMER = ?1 AND AT >= ?2 AND ACTION IN ('accept_ticket', 'cancel_ticket', 'offboard') AND OUTCOME = 'ok'"

TicketRow Read(const sql::Statement& rows) {
  TicketRow row;
  row.ticket_id = rows.Text(0);
  row.customer = rows.Text(1);
  row.provider = rows.Text(2);
  row.endpoint = rows.Text(3);
  row.origin = rows.Text(4);
  row.rotates = rows.Text(5);
  row.public_key = rows.Blob(6);
  row.created_at = rows.Int64(7);
  row.expires_at = rows.Int64(8);
  row.status = rows.Text(9);
  row.changed_at = rows.Int64(10);
  row.key_ref = rows.Text(11);
  row.kek_version = rows.Int64(12);
  row.nonce = rows.Blob(13);
  row.private_key = rows.Blob(14);
  return row;
}

Result<std::vector<TicketRow>> ReadAll(sql::Statement& rows) {
  std::vector<TicketRow> all;
  while (true) {
    TRY_ASSIGN(const bool more, rows.Next());
    if (!more) return all;
    all.push_back(Read(rows));
  }
}

}  // namespace

Result<std::optional<TicketRow>> Store::FindTicket(std::string_view ticket_id) {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT " TICKET_COLUMNS " FROM KEY_TICKET WHERE TICKET_ID = ?1", {ticket_id}));
  if (row == nullptr) return std::nullopt;
  TicketRow found = Read(*row);
  row->Reset();
  return found;
}

Result<std::vector<TicketRow>> Store::ListTickets(std::string_view customer, std::string_view status, std::string_view after,
                                                  std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " TICKET_COLUMNS " FROM KEY_TICKET WHERE (?1 = '' OR CUSTOMER = ?1) AND (?2 = '' OR STATUS = ?2) "
                             "AND TICKET_ID > ?3 ORDER BY TICKET_ID LIMIT ?4",
                             {customer, status, after, most}));
  return ReadAll(*rows);
}

Result<std::vector<TicketRow>> Store::TicketsUnder(std::int64_t kek_version, std::string_view after, std::int64_t most) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT " TICKET_COLUMNS " FROM KEY_TICKET WHERE KEK_VERSION = ?1 AND TICKET_ID > ?2 "
                             "AND LENGTH(PRIVATE_KEY) > 0 ORDER BY TICKET_ID LIMIT ?3",
                             {kek_version, after, most}));
  return ReadAll(*rows);
}

Result<std::int64_t> Store::CountOpenTickets() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT COUNT(*) FROM KEY_TICKET WHERE STATUS = 'OPEN'"));
  const std::int64_t count = row == nullptr ? 0 : row->Int64(0);
  if (row != nullptr) row->Reset();
  return count;
}

Result<bool> Store::TicketsOverdue(base::Micros now) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT 1 FROM KEY_TICKET WHERE STATUS = 'OPEN' AND EXPIRES_AT <= ?1 LIMIT 1", {now}));
  if (row != nullptr) row->Reset();
  return row != nullptr;
}

Result<void> Store::InsertTicket(const TicketRow& row) {
  TRY(database_.Execute("INSERT INTO KEY_TICKET (" TICKET_COLUMNS
                        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', ?12, ?13, ?14)",
                        {std::string_view(row.ticket_id), std::string_view(row.customer), std::string_view(row.provider),
                         std::string_view(row.endpoint), std::string_view(row.origin), std::string_view(row.rotates),
                         ByteView(row.public_key), row.created_at, row.expires_at, std::string_view(row.status), row.changed_at,
                         row.kek_version, ByteView(row.nonce), ByteView(row.private_key)}));
  return {};
}

Result<void> Store::UpdateTicketWrap(const TicketRow& row, std::int64_t expected) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE KEY_TICKET SET KEK_VERSION = ?1, NONCE = ?2, PRIVATE_KEY = ?3 WHERE TICKET_ID = ?4 AND KEK_VERSION = ?5",
                               {row.kek_version, ByteView(row.nonce), ByteView(row.private_key), std::string_view(row.ticket_id), expected}));
  if (changed != 1) return Fail(Code::kConflict, "the ticket's row was changed by somebody else");
  return {};
}

Result<void> Store::EndTicket(std::string_view ticket_id, std::string_view to, std::string_view key_ref, base::Micros now) {
  const Bytes none;
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE KEY_TICKET SET STATUS = ?1, KEY_REF = ?2, CHANGED_AT = ?3, NONCE = ?4, PRIVATE_KEY = ?4 "
                               "WHERE TICKET_ID = ?5 AND STATUS = 'OPEN'",
                               {to, key_ref, now, ByteView(none), ticket_id}));
  if (changed != 1) return Fail(Code::kConflict, "the ticket's row was changed by somebody else");
  return {};
}

Result<std::int64_t> Store::ExpireTickets(base::Micros now) {
  const Bytes none;
  return database_.Execute("UPDATE KEY_TICKET SET STATUS = 'EXPIRED', CHANGED_AT = ?1, NONCE = ?2, PRIVATE_KEY = ?2 "
                           "WHERE STATUS = 'OPEN' AND EXPIRES_AT <= ?1",
                           {now, ByteView(none)});
}

Result<void> Store::DropTickets(base::Micros changed_before) {
  TRY(database_.Execute("DELETE FROM KEY_TICKET WHERE STATUS <> 'OPEN' AND LENGTH(PRIVATE_KEY) = 0 AND CHANGED_AT < ?1", {changed_before}));
  return {};
}

Result<void> Store::EachTicketEnd(std::string_view customer, base::Micros since, const audit::TakeEntry& take) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * rows, database_.Query(one_log ? sql::Sql("SELECT RECORD FROM AUDIT_LOG " TICKET_ENDS)
                                                            : sql::Sql("SELECT RECORD FROM AUDIT_TRAIL " TICKET_ENDS),
                                                    {customer, since}));
  return audit::EachEntry(*rows, take);
}

}  // namespace strongroom::vault
