#include "worker/batch/ledger.h"

#include <algorithm>
#include <random>

#define BATCH_COLUMNS                                                                                           \
  "BATCH_ID, STATUS, CUSTOMER, PROFILE_REF, INPUT_FILE, INPUT_SHA256, OUTPUT_FILE, INITIATED_BY, TOTAL_UNITS, " \
  "PROCESSED_UNITS, FAILED_UNITS, IN_FLIGHT, TIMEOUT_MS, INITIATED_AT, STARTED_AT, COMPLETED_AT, NOTES"

namespace strongroom::worker {
namespace {

// A batch id is "B", yymmddHHMMSS, and letters that are not taken for one another.
constexpr std::string_view kLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
constexpr std::size_t kIdDigits = 12, kIdLetters = 4;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// In the order of BATCH_COLUMNS.
BatchRecord ReadBatch(const sql::Statement& row) {
  BatchRecord batch;
  batch.batch_id = row.Text(0);
  batch.status = row.Text(1);
  batch.customer = row.Text(2);
  batch.profile_ref = row.Text(3);
  batch.input_file = row.Text(4);
  batch.input_sha256 = row.Text(5);
  batch.output_file = row.Text(6);
  batch.initiated_by = row.Text(7);
  batch.total = row.Int64(8);
  batch.processed = row.Int64(9);
  batch.failed = row.Int64(10);
  batch.in_flight = row.Int64(11);
  batch.timeout_ms = row.Int64(12);
  batch.initiated_at = row.Int64(13);
  batch.started_at = row.OptionalInt64(14);
  batch.completed_at = row.OptionalInt64(15);
  batch.notes = row.OptionalText(16).value_or("");
  return batch;
}

}  // namespace

std::string NewBatchId(base::Micros now) {
  std::string id = "B";
  for (const char c : base::FormatTime(now).substr(2, 17)) {
    if (IsDigit(c)) id += c;
  }
  std::random_device random;
  for (std::size_t i = 0; i < kIdLetters; ++i) id += kLetters[random() % kLetters.size()];
  return id;
}

bool IsBatchId(std::string_view text) {
  if (text.size() != 1 + kIdDigits + kIdLetters || text.front() != 'B') return false;
  return std::ranges::all_of(text.substr(1, kIdDigits), IsDigit) &&
         std::ranges::all_of(text.substr(1 + kIdDigits), [](char c) { return kLetters.find(c) != std::string_view::npos; });
}

Result<void> InsertBatch(sql::Database& database, const BatchRecord& batch) {
  TRY(database.Execute("INSERT INTO AI_BATCH (BATCH_ID, BATCH_TYPE, INITIATED_BY, INITIATED_AT, STATUS, TOTAL_UNITS, "
                       "CUSTOMER, PROFILE_REF, INPUT_FILE, INPUT_SHA256, OUTPUT_FILE, IN_FLIGHT, TIMEOUT_MS) "
                       "VALUES (?1, 'jsonl', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                       {batch.batch_id, batch.initiated_by, batch.initiated_at, batch.status, batch.total,
                        batch.customer, batch.profile_ref, batch.input_file, batch.input_sha256, batch.output_file,
                        batch.in_flight, batch.timeout_ms}));
  return {};
}

Result<BatchRecord> FindBatch(sql::Database& database, const std::string& batch_id) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT " BATCH_COLUMNS " FROM AI_BATCH WHERE BATCH_ID = ?1", {batch_id}));
  if (row == nullptr) return Fail(Code::kNotFound, "no batch of that id: see `batch status`");
  BatchRecord batch = ReadBatch(*row);
  row->Reset();
  return batch;
}

Result<std::vector<BatchRecord>> ListBatches(sql::Database& database, std::int64_t most) {
  TRY_ASSIGN(sql::Statement* const rows,
             database.Query("SELECT " BATCH_COLUMNS " FROM AI_BATCH ORDER BY INITIATED_AT DESC LIMIT ?1", {most}));
  std::vector<BatchRecord> batches;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return batches;
    batches.push_back(ReadBatch(*rows));
  }
}

Result<void> UpdateBatch(sql::Database& database, const BatchRecord& batch) {
  TRY(database.Execute("UPDATE AI_BATCH SET STATUS = ?1, PROCESSED_UNITS = ?2, FAILED_UNITS = ?3, STARTED_AT = ?4, "
                       "COMPLETED_AT = ?5, NOTES = ?6 WHERE BATCH_ID = ?7",
                       {batch.status, batch.processed, batch.failed, sql::Optional(batch.started_at),
                        sql::Optional(batch.completed_at), batch.notes, batch.batch_id}));
  return {};
}

Result<std::vector<TakenReply>> TakeReplies(sql::Database& database, const QueueName& queue, base::Micros now,
                                            std::int64_t most) {
  TRY_ASSIGN(sql::Statement* const rows,
             database.Query("UPDATE REPLY_MESSAGE SET TAKEN_AT = ?1 WHERE REPLY_ID IN (SELECT REPLY_ID FROM "
                            "REPLY_MESSAGE WHERE LIBRARY = ?2 AND NAME = ?3 AND TAKEN_AT IS NULL ORDER BY REPLY_ID "
                            "LIMIT ?4) RETURNING REQUEST_ID, MESSAGE",
                            {now, queue.library, queue.name, most}));
  std::vector<TakenReply> taken;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return taken;
    TakenReply reply;
    reply.request_id = rows->Text(0);
    reply.message = rows->Text(1);
    taken.push_back(std::move(reply));
  }
}

Result<std::optional<std::string>> FindReply(sql::Database& database, const std::string& customer,
                                             const std::string& request_id) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT MESSAGE FROM REPLY_MESSAGE WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 "
                               "AND CONTENT_HASH IS NOT NULL",
                               {customer, request_id}));
  if (row == nullptr) return std::nullopt;
  std::string message = row->Text(0);
  row->Reset();
  return message;
}

Result<std::map<std::string, std::string>> BrokenReplies(sql::Database& database, const QueueName& queue,
                                                         const std::string& customer) {
  TRY_ASSIGN(sql::Statement* const rows,
             database.Query("SELECT REQUEST_ID, MESSAGE FROM REPLY_MESSAGE WHERE CONTENT_HASH IS NULL AND "
                            "LIBRARY = ?1 AND NAME = ?2 AND CUSTOMER = ?3 AND REQUEST_ID IS NOT NULL",
                            {queue.library, queue.name, customer}));
  std::map<std::string, std::string> replies;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return replies;
    replies[rows->Text(0)] = rows->Text(1);
  }
}

Result<void> TakeReplyBack(sql::Database& database, const std::string& customer, const std::string& request_id) {
  TRY(database.Execute("DELETE FROM REPLY_MESSAGE WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 AND CONTENT_HASH IS NOT NULL", {customer, request_id}));
  TRY(database.Execute("DELETE FROM USAGE_LOG WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2 AND ERROR_CODE = 'PROVIDER_AUTH'", {customer, request_id}));
  return {};
}

Result<bool> IsHeld(sql::Database& database, std::int64_t id) {
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?1 AND LEASE_OWNER = ?2", {id, kHeldOwner}));
  if (row == nullptr) return Fail(Code::kInternal, "a count that is no row");
  const bool held = row->Int64(0) > 0;
  row->Reset();
  return held;
}

Result<bool> Withdraw(sql::Database& database, std::int64_t id, base::Micros now) {
  TRY_ASSIGN(const std::int64_t deleted,
             database.Execute("DELETE FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?1 AND CALL_BEGUN_AT IS NULL AND "
                              "(LEASE_OWNER IS NULL OR LEASE_UNTIL < ?2 OR LEASE_OWNER = ?3)",
                              {id, now, kHeldOwner}));
  return deleted == 1;
}

Result<std::optional<std::int64_t>> CancelUnclaimed(sql::Database& database, std::int64_t id, const Identity& identity,
                                                    base::Micros now) {
  // An earlier, interrupted run may have left another message of the same request.
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT COUNT(CASE WHEN LEASE_OWNER IS NOT NULL AND LEASE_UNTIL >= ?2 THEN 1 END), "
                               "COALESCE(MAX(ATTEMPTS), 0) FROM QUEUE_MESSAGE "
                               "WHERE MESSAGE_ID = ?1 OR (CUSTOMER = ?3 AND REQUEST_ID = ?4)",
                               {id, now, identity.customer, identity.request_id}));
  if (row == nullptr) return Fail(Code::kInternal, "a count that is no row");
  const bool held = row->Int64(0) > 0;
  const std::int64_t begun = row->Int64(1);
  row->Reset();
  if (held) return std::nullopt;
  TRY(database.Execute("DELETE FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?1 OR (CUSTOMER = ?2 AND REQUEST_ID = ?3)",
                       {id, identity.customer, identity.request_id}));
  return begun;
}

}  // namespace strongroom::worker
