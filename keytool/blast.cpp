#include "keytool/blast.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/config.h"

namespace strongroom::keytool {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostWaiting = 20'000;

constexpr sql::Sql kCalls =
    "SELECT CUSTOMER, COALESCE(PROFILE_REF, ''), COALESCE(KEY_REF, ''), STATUS, COALESCE(ERROR_CODE, ''), " SUMS_OF_CALLS ", "
    "CAST(SUM(CASE WHEN LOGGED_AT >= ?3 THEN 1 ELSE 0 END) AS BIGINT) FROM USAGE_LOG WHERE LOGGED_AT >= ?1 AND "
    "(KEY_REF = ?2 OR (KEY_REF IS NULL AND STATUS <> 'success')) GROUP BY CUSTOMER, PROFILE_REF, KEY_REF, STATUS, ERROR_CODE";
constexpr sql::Sql kReplies =
    "SELECT R.LIBRARY, R.NAME, U.KEY_REF, U.PROFILE_REF, COUNT(*) FROM USAGE_LOG U JOIN REPLY_MESSAGE R ON R.CUSTOMER = U.CUSTOMER "
    "AND R.REQUEST_ID = U.REQUEST_ID WHERE U.LOGGED_AT >= ?1 AND (U.KEY_REF = ?2 OR (U.KEY_REF IS NULL AND U.STATUS <> 'success')) "
    "AND R.CONTENT_HASH IS NOT NULL GROUP BY R.LIBRARY, R.NAME, U.KEY_REF, U.PROFILE_REF";
constexpr sql::Sql kWaiting = "SELECT LIBRARY, NAME, MESSAGE FROM QUEUE_MESSAGE ORDER BY MESSAGE_ID LIMIT ?1";
constexpr sql::Sql kCallOf = "SELECT COALESCE(MODEL, ''), WORKER_ID FROM USAGE_LOG WHERE CUSTOMER = ?1 AND REQUEST_ID = ?2";

// ProfileOf is whom a waiting message asks for; empty where it is no request.
std::string ProfileOf(const std::string& message) {
  const Json request = Json::parse(message, nullptr, false);
  const auto profile = request.is_object() ? request.find("profile_ref") : request.end();
  return request.is_object() && profile != request.end() && profile->is_string() ? profile->get<std::string>() : "";
}

class Reading {
 public:
  Reading(sql::Database& database, const BlastQuestion& question) : database_(database), question_(question) {}
  Result<void> Calls(Blast& blast);
  Result<void> Replies(Blast& blast);
  Result<void> Waiting(Blast& blast);

 private:
  // A call that failed before it had a key is one of this key's where its profile uses it.
  bool Concerns(const std::string& key_ref, const std::string& profile) const {
    return key_ref == question_.key_ref || (key_ref.empty() && question_.profiles.contains(profile));
  }

  sql::Database& database_;
  const BlastQuestion& question_;
};

Result<void> Reading::Calls(Blast& blast) {
  const base::Micros lately = question_.now - kRecentMinutes * 60 * base::kMicrosPerSecond;
  // The window may be shorter than the last minutes.
  const base::Micros from = std::min(question_.since, lately);
  for (const bool recent : {false, true}) {
    TRY_ASSIGN(sql::Statement* const rows, database_.Query(kCalls, {recent ? from : question_.since, std::string_view(question_.key_ref), lately}));
    for (;;) {
      TRY_ASSIGN(const bool more, rows->Next());
      if (!more) break;
      if (!Concerns(rows->Text(2), rows->Text(1))) continue;
      const bool failed = rows->Text(3) != "success";
      if (recent) {
        if (failed) blast.failed_lately += rows->Int64(10);
        continue;
      }
      const CallSums sums = CallSums::Read(*rows, 5);
      blast.customers.insert(rows->Text(0));
      if (rows->Text(2) == question_.key_ref) blast.calls += sums;
      if (!failed) continue;
      blast.failed += sums.requests;
      blast.errors[rows->Text(4)] += sums.requests;
    }
  }
  return {};
}

Result<void> Reading::Replies(Blast& blast) {
  TRY_ASSIGN(sql::Statement* const rows, database_.Query(kReplies, {question_.since, std::string_view(question_.key_ref)}));
  for (;;) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return {};
    if (Concerns(rows->Text(2), rows->Text(3))) blast.replied[rows->Text(0) + "/" + rows->Text(1)] += rows->Int64(4);
  }
}

Result<void> Reading::Waiting(Blast& blast) {
  TRY_ASSIGN(sql::Statement* const rows, database_.Query(kWaiting, {kMostWaiting}));
  std::int64_t looked = 0;
  for (;;) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) break;
    ++looked;
    if (question_.profiles.contains(ProfileOf(rows->Text(2)))) ++blast.waiting[rows->Text(0) + "/" + rows->Text(1)];
  }
  blast.waiting_cut = looked == kMostWaiting;
  return {};
}

}  // namespace

Outcome<Blast> ReadBlast(const Context& context, const BlastQuestion& question) {
  const auto config = base::LoadConfig(context.home);
  if (!config) return Failed("NO_HOME", config.error().text);
  TRY_ASSIGN(const auto database, OpenWorkDatabase(context));
  Blast blast;
  blast.waiting_known = config->queue == "database";
  Reading reading(*database, question);
  auto read = reading.Calls(blast);
  if (read) read = reading.Replies(blast);
  if (read && blast.waiting_known) read = reading.Waiting(blast);
  if (!read) return FailedBy(read.error(), "the work database cannot be read");
  return blast;
}

Outcome<CallLog> CallLog::Open(const Context& context) {
  CallLog log;
  TRY_ASSIGN(log.database_, OpenWorkDatabase(context));
  return log;
}

Outcome<CallOf> CallLog::Find(const std::string& customer, const std::string& request_id) {
  CallOf call;
  if (request_id.empty()) return call;
  const auto row = database_->QueryOne(kCallOf, {std::string_view(customer), std::string_view(request_id)});
  if (!row) return FailedBy(row.error(), "USAGE_LOG cannot be read");
  if (*row == nullptr) return call;
  call = {(*row)->Text(0), (*row)->Text(1)};
  (*row)->Reset();
  return call;
}

}  // namespace strongroom::keytool
