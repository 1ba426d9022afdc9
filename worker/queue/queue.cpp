#include "worker/queue/queue.h"

namespace strongroom::worker {
namespace {

Result<std::vector<Claimed>> ReadClaimed(Result<sql::Statement*> rows) {
  if (!rows) return Fail(rows.error());
  std::vector<Claimed> claimed;
  while (true) {
    TRY_ASSIGN(const bool more, (*rows)->Next());
    if (!more) return claimed;
    Claimed one;
    one.id = (*rows)->Int64(0);
    one.message = (*rows)->Text(1);
    one.claims = (*rows)->Int64(2);
    one.attempts = (*rows)->Int64(3);
    one.claimed_at = (*rows)->Int64(4);
    one.call_begun_at = (*rows)->OptionalInt64(5);
    one.deadline = (*rows)->OptionalInt64(6);
    claimed.push_back(std::move(one));
  }
}

// FirstHash is the content hash of a request's stored reply, nullopt where it has none.
Result<std::optional<Bytes>> FirstHash(sql::Database& database, const Identity& identity) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT CONTENT_HASH FROM REPLY_MESSAGE WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 "
                               "AND CONTENT_HASH IS NOT NULL",
                               {identity.customer, identity.request_id}));
  if (row == nullptr) return std::nullopt;
  Bytes hash = row->Blob(0);
  row->Reset();
  return hash;
}

Result<bool> Acknowledge(sql::Database& database, std::int64_t id, std::string_view owner) {
  TRY_ASSIGN(const std::int64_t deleted,
             database.Execute("DELETE FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?1 AND LEASE_OWNER = ?2", {id, owner}));
  return deleted == 1;
}

}  // namespace

Result<std::int64_t> Submit(sql::Database& database, const QueueName& queue, std::string_view message) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("INSERT INTO QUEUE_MESSAGE (LIBRARY, NAME, MESSAGE) VALUES (?1, ?2, ?3) "
                               "RETURNING MESSAGE_ID",
                               {queue.library, queue.name, message}));
  if (row == nullptr) return Fail(Code::kInternal, "the queue took a message but named none");
  const std::int64_t id = row->Int64(0);
  row->Reset();
  return id;
}

Result<std::vector<Claimed>> ClaimWaiting(sql::Database& database, const QueueName& queue, std::string_view owner,
                                          base::Micros now, base::Micros lease_until, std::int64_t most) {
  return ReadClaimed(database.Query(
      "UPDATE QUEUE_MESSAGE SET LEASE_OWNER = ?1, LEASE_UNTIL = ?2, CLAIMS = CLAIMS + 1, "
      "CLAIMED_AT = COALESCE(CLAIMED_AT, ?3) WHERE MESSAGE_ID IN (SELECT MESSAGE_ID FROM QUEUE_MESSAGE "
      "WHERE LIBRARY = ?4 AND NAME = ?5 AND LEASE_OWNER IS NULL ORDER BY MESSAGE_ID LIMIT ?6) "
      "RETURNING MESSAGE_ID, MESSAGE, CLAIMS, ATTEMPTS, CLAIMED_AT, CALL_BEGUN_AT, DEADLINE",
      {owner, lease_until, now, queue.library, queue.name, most}));
}

Result<std::vector<Claimed>> ClaimExpired(sql::Database& database, const QueueName& queue, std::string_view owner,
                                          base::Micros now, base::Micros lease_until, std::int64_t most) {
  return ReadClaimed(database.Query(
      "UPDATE QUEUE_MESSAGE SET LEASE_OWNER = ?1, LEASE_UNTIL = ?2, CLAIMS = CLAIMS + 1, "
      "CLAIMED_AT = COALESCE(CLAIMED_AT, ?3) WHERE MESSAGE_ID IN (SELECT MESSAGE_ID FROM QUEUE_MESSAGE "
      "WHERE LEASE_OWNER IS NOT NULL AND LEASE_UNTIL < ?3 AND LIBRARY = ?4 AND NAME = ?5 "
      "ORDER BY LEASE_UNTIL LIMIT ?6) "
      "RETURNING MESSAGE_ID, MESSAGE, CLAIMS, ATTEMPTS, CLAIMED_AT, CALL_BEGUN_AT, DEADLINE",
      {owner, lease_until, now, queue.library, queue.name, most}));
}

Result<std::int64_t> RenewLeases(sql::Database& database, std::string_view owner, base::Micros lease_until) {
  return database.Execute("UPDATE QUEUE_MESSAGE SET LEASE_UNTIL = ?1 WHERE LEASE_OWNER = ?2", {lease_until, owner});
}

Result<Admission> Begin(sql::Database& database, std::int64_t id, std::string_view owner, const Identity& identity,
                        std::int64_t attempt, base::Micros now, base::Micros deadline) {
  TRY_ASSIGN(const std::optional<Bytes> answered, FirstHash(database, identity));
  if (answered) return *answered == identity.content_hash ? Admission::kAnswered : Admission::kOtherContent;
  TRY_ASSIGN(sql::Statement* const other,
             database.QueryOne("SELECT CONTENT_HASH FROM QUEUE_MESSAGE WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 "
                               "AND MESSAGE_ID <> ?3",
                               {identity.customer, identity.request_id, id}));
  if (other != nullptr) {
    const bool same = other->Blob(0) == identity.content_hash;
    other->Reset();
    return same ? Admission::kUnderWay : Admission::kOtherContent;
  }
  TRY_ASSIGN(const std::int64_t changed,
             database.Execute("UPDATE QUEUE_MESSAGE SET CALL_BEGUN_AT = ?1, ATTEMPTS = ?2, DEADLINE = ?3, "
                              "CUSTOMER = ?4, REQUEST_ID = ?5, CONTENT_HASH = ?6 "
                              "WHERE MESSAGE_ID = ?7 AND LEASE_OWNER = ?8",
                              {now, attempt, deadline, identity.customer, identity.request_id,
                               ByteView(identity.content_hash), id, owner}));
  return changed == 1 ? Admission::kBegun : Admission::kLostLease;
}

Result<void> CallEnded(sql::Database& database, std::int64_t id, std::string_view owner) {
  TRY(database.Execute("UPDATE QUEUE_MESSAGE SET CALL_BEGUN_AT = NULL WHERE MESSAGE_ID = ?1 AND LEASE_OWNER = ?2",
                       {id, owner}));
  return {};
}

Result<void> StoreText(sql::Database& database, const StoredText& text, base::Micros now) {
  TRY(database.Execute("INSERT INTO AI_PROMPTS (PROMPT_REF, CUSTOMER, CONTENT, CREATED_AT) VALUES (?1, ?2, ?3, ?4) "
                       "ON CONFLICT (PROMPT_REF) DO NOTHING",
                       {text.ref, text.customer, text.content, now}));
  return {};
}

Result<std::string> LoadText(sql::Database& database, std::string_view ref, std::string_view customer) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT CONTENT FROM AI_PROMPTS WHERE PROMPT_REF = ?1 AND CUSTOMER = ?2",
                               {ref, customer}));
  if (row == nullptr) return Fail(Code::kNotFound, "no stored text of that name for this customer");
  std::string text = row->Text(0);
  row->Reset();
  return text;
}

Result<void> AnswerAgain(sql::Database& database, std::int64_t id, std::string_view owner, const Identity& identity) {
  TRY_ASSIGN(const bool held, Acknowledge(database, id, owner));
  if (!held) return {};
  TRY(database.Execute("UPDATE REPLY_MESSAGE SET TAKEN_AT = NULL WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 "
                       "AND CONTENT_HASH IS NOT NULL",
                       {identity.customer, identity.request_id}));
  return {};
}

Result<void> Drop(sql::Database& database, std::int64_t id, std::string_view owner) {
  TRY(Acknowledge(database, id, owner));
  return {};
}

Result<void> Hold(sql::Database& database, std::int64_t id, std::string_view owner, base::Micros until) {
  TRY(database.Execute("UPDATE QUEUE_MESSAGE SET LEASE_OWNER = ?1, LEASE_UNTIL = ?2, CLAIMED_AT = NULL, CLAIMS = 0, ATTEMPTS = 0, "
                       "CALL_BEGUN_AT = NULL, DEADLINE = NULL WHERE MESSAGE_ID = ?3 AND LEASE_OWNER = ?4",
                       {kHeldOwner, until, id, owner}));
  return {};
}

Result<std::int64_t> Unhold(sql::Database& database, const QueueName& queue) {
  return database.Execute("UPDATE QUEUE_MESSAGE SET LEASE_OWNER = NULL, LEASE_UNTIL = NULL WHERE LEASE_OWNER = ?1 AND LIBRARY = ?2 AND NAME = ?3",
                          {kHeldOwner, queue.library, queue.name});
}

Result<void> Release(sql::Database& database, std::int64_t id, std::string_view owner) {
  TRY(database.Execute("UPDATE QUEUE_MESSAGE SET LEASE_OWNER = NULL, LEASE_UNTIL = NULL, CALL_BEGUN_AT = NULL "
                       "WHERE MESSAGE_ID = ?1 AND LEASE_OWNER = ?2",
                       {id, owner}));
  return {};
}

}  // namespace strongroom::worker
