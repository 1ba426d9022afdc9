// Settle: reply, usage and acknowledgement in one transaction.
#include "worker/queue/queue.h"

#include <algorithm>

namespace strongroom::worker {
namespace {

// PutReply returns false where the request has a reply already: the first one stands.
Result<bool> PutReply(sql::Database& database, const Settlement& settlement, base::Micros now) {
  using sql::Parameter;
  const Parameter none{std::monostate{}};
  const auto& identity = settlement.identity;
  TRY_ASSIGN(
      const std::int64_t inserted,
      database.Execute("INSERT INTO REPLY_MESSAGE (LIBRARY, NAME, CUSTOMER, REQUEST_ID, CONTENT_HASH, MESSAGE, "
                       "CREATED_AT) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                       "ON CONFLICT (CUSTOMER, REQUEST_ID) WHERE CONTENT_HASH IS NOT NULL DO NOTHING",
                       {settlement.reply_to->library, settlement.reply_to->name,
                        identity ? Parameter(std::string_view(identity->customer)) : sql::Optional(settlement.customer),
                        identity ? Parameter(std::string_view(identity->request_id)) : sql::Optional(settlement.request_id),
                        identity ? Parameter(ByteView(identity->content_hash)) : none, settlement.reply, now}));
  return inserted == 1;
}

Result<void> CountTokens(sql::Database& database, const Usage& usage, std::string_view worker, base::Micros now) {
  const std::int64_t tokens = std::max<std::int64_t>(usage.tokens_in.value_or(0), 0) + std::max<std::int64_t>(usage.tokens_out.value_or(0), 0);
  if (tokens == 0) return {};
  TRY(database.Execute("INSERT INTO MONTH_USAGE (PROFILE_REF, MONTH_START, WORKER_ID, TOKENS) VALUES (?1, ?2, ?3, ?4) "
                       "ON CONFLICT (PROFILE_REF, MONTH_START, WORKER_ID) DO UPDATE SET TOKENS = MONTH_USAGE.TOKENS + EXCLUDED.TOKENS",
                       {usage.profile_ref, base::MonthOf(now), worker, tokens}));
  return {};
}

// A usage row that is there already was counted then.
Result<void> PutUsage(sql::Database& database, const Usage& usage, std::int64_t pid, std::string_view worker,
                      base::Micros now) {
  TRY_ASSIGN(const std::int64_t inserted, database.Execute("INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROFILE_REF, PROVIDER, MODEL, STATUS, "
                       "TOKENS_IN, TOKENS_OUT, LATENCY_MS, COST_BASIS_USD, ERROR_CODE, ATTEMPTS, KEY_REF, WORKER_ID, "
                       "VERSION, LOGGED_AT) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "
                       "ON CONFLICT (CUSTOMER, REQUEST_ID) DO NOTHING",
                       {pid, usage.request_id, usage.customer, usage.profile_ref, sql::Optional(usage.provider),
                        usage.model, usage.status, sql::Optional(usage.tokens_in), sql::Optional(usage.tokens_out),
                        sql::Optional(usage.latency_ms), usage.cost_usd, sql::Optional(usage.error_code),
                        usage.attempts, sql::Optional(usage.key_ref), worker, usage.version, now}));
  return inserted == 1 ? CountTokens(database, usage, worker, now) : Result<void>();
}

Result<void> PutDeadLetter(sql::Database& database, const Settlement& settlement, base::Micros now) {
  TRY(database.Execute("INSERT INTO DEAD_LETTER (LIBRARY, NAME, MESSAGE, REASON, DEAD_AT) "
                       "SELECT LIBRARY, NAME, MESSAGE, ?1, ?2 FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?3 AND LEASE_OWNER = ?4",
                       {settlement.dead_reason, now, settlement.id, settlement.owner}));
  return {};
}

}  // namespace

Result<Settled> Settle(sql::Database& database, const Settlement& settlement, std::int64_t pid, std::string_view worker,
                       base::Micros now) {
  if (!settlement.reply_to) TRY(PutDeadLetter(database, settlement, now));
  // The delete decides who settles: whoever lost the lease deletes nothing, and must then write nothing.
  TRY_ASSIGN(const std::int64_t deleted,
             database.Execute("DELETE FROM QUEUE_MESSAGE WHERE MESSAGE_ID = ?1 AND LEASE_OWNER = ?2",
                              {settlement.id, settlement.owner}));
  if (deleted == 0) return Settled::kLostLease;
  if (!settlement.reply_to) return Settled::kSettled;
  return Answer(database, settlement, pid, worker, now);
}

Result<std::int64_t> TokensOf(sql::Database& database, std::string_view profile_ref, base::Micros month) {
  TRY_ASSIGN(sql::Statement * row,
             database.QueryOne("SELECT CAST(COALESCE(SUM(TOKENS), 0) AS BIGINT) FROM MONTH_USAGE WHERE PROFILE_REF = ?1 AND MONTH_START = ?2",
                               {profile_ref, month}));
  if (row == nullptr) return 0;
  const std::int64_t tokens = row->Int64(0);
  row->Reset();
  return tokens;
}

Result<Settled> Answer(sql::Database& database, const Settlement& settlement, std::int64_t pid, std::string_view worker,
                       base::Micros now) {
  TRY_ASSIGN(const bool first, PutReply(database, settlement, now));
  if (!first) return Settled::kAnsweredBefore;
  if (settlement.response_text) TRY(StoreText(database, *settlement.response_text, now));
  if (settlement.usage) TRY(PutUsage(database, *settlement.usage, pid, worker, now));
  return Settled::kSettled;
}

}  // namespace strongroom::worker
