#include "keytool/recovery_log.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "keytool/usage.h"

namespace strongroom::keytool {
namespace {

// Calls that were under way when a key was stopped may succeed behind the first that failed.
constexpr base::Micros kUnderWay = 60 * base::kMicrosPerSecond;
constexpr char kBetween = '\n';  // no name holds one

constexpr sql::Sql kColumnsOfAll =
    "SELECT KEY_REF, CUSTOMER, PROVIDER, STOPPED_AS, PROFILES, CUSTOMERS, STOPPED_AT, STARTED_BY, STARTED_AT, NEW_KEY_REF, REPLACED_AT, CALLS_FAILED, "
    "CLOSED_AT FROM RECOVERY WHERE (?1 = '' OR KEY_REF = ?1) AND (?2 = '' OR CUSTOMER = ?2) AND (?3 = '' OR PROVIDER = ?3) "
    "ORDER BY STARTED_AT DESC, KEY_REF";
constexpr sql::Sql kPut =
    "INSERT INTO RECOVERY (KEY_REF, CUSTOMER, PROVIDER, STOPPED_AS, PROFILES, CUSTOMERS, STOPPED_AT, STARTED_BY, STARTED_AT, NEW_KEY_REF, REPLACED_AT, "
    "CALLS_FAILED, CLOSED_AT) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
    "ON CONFLICT (KEY_REF) DO UPDATE SET STOPPED_AS = ?4, PROFILES = ?5, CUSTOMERS = ?6, STOPPED_AT = ?7, STARTED_BY = ?8, STARTED_AT = ?9, "
    "NEW_KEY_REF = ?10, REPLACED_AT = ?11, CALLS_FAILED = ?12, CLOSED_AT = ?13";
constexpr sql::Sql kRefused =
    "SELECT REQUEST_ID, COALESCE(PROFILE_REF, ''), COALESCE(KEY_REF, ''), LOGGED_AT FROM USAGE_LOG "
    "WHERE CUSTOMER = ?1 AND LOGGED_AT >= ?2 AND ERROR_CODE = 'PROVIDER_AUTH' ORDER BY LOGGED_AT";
constexpr sql::Sql kLastGood =
    "SELECT LOGGED_AT FROM USAGE_LOG WHERE CUSTOMER = ?1 AND KEY_REF = ?2 AND STATUS = 'success' ORDER BY LOGGED_AT DESC LIMIT 1";
constexpr sql::Sql kFirstGood =
    "SELECT LOGGED_AT FROM USAGE_LOG WHERE CUSTOMER = ?1 AND KEY_REF = ?2 AND LOGGED_AT >= ?3 AND STATUS = 'success' ORDER BY LOGGED_AT LIMIT 1";

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : std::string(1, kBetween)) + name;
  return text;
}

std::set<std::string> Split(const std::string& text) {
  std::set<std::string> names;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(kBetween, from), text.size());
    names.insert(text.substr(from, end - from));
    from = end + 1;
  }
  return names;
}

RecoveryRow ReadRow(const sql::Statement& row) {
  RecoveryRow read;
  read.key_ref = row.Text(0);
  read.customer = row.Text(1);
  read.provider = row.Text(2);
  read.stopped_as = row.Text(3);
  read.profiles = Split(row.Text(4));
  read.customers = Split(row.Text(5));
  read.stopped_at = row.Int64(6);
  read.started_by = row.Text(7);
  read.started_at = row.Int64(8);
  read.new_key_ref = row.OptionalText(9).value_or("");
  read.replaced_at = row.OptionalInt64(10);
  read.calls_failed = row.Int64(11);
  read.closed_at = row.OptionalInt64(12);
  return read;
}

Result<std::vector<RecoveryRow>> ReadRows(sql::Database& database, const std::string& key_ref, const std::string& customer, const std::string& provider) {
  TRY_ASSIGN(sql::Statement* const rows,
             database.Query(kColumnsOfAll, {std::string_view(key_ref), std::string_view(customer), std::string_view(provider)}));
  std::vector<RecoveryRow> read;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return read;
    read.push_back(ReadRow(*rows));
  }
}

struct Refused {
  std::string request_id;
  base::Micros at = 0;
  bool since = false;  // with the new key
};

// EachRefused takes the requests of one customer that failed since then for want of the key, or of the one in its place. The vault refuses without
// naming a key: then the time tells.
Result<void> EachRefused(sql::Database& database, const RecoveryRow& row, const std::string& customer, base::Micros since,
                         const std::function<void(Refused)>& take) {
  TRY_ASSIGN(sql::Statement* const rows, database.Query(kRefused, {std::string_view(customer), since}));
  const bool resumed = row.new_key_ref == row.key_ref;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return {};
    const std::string key_ref = rows->Text(2);
    Refused refused{rows->Text(0), rows->Int64(3), false};
    const bool later = row.replaced_at && refused.at >= *row.replaced_at;
    refused.since = key_ref.empty() || resumed ? later : key_ref != row.key_ref;
    const bool ours = key_ref.empty() ? row.profiles.contains(rows->Text(1)) : key_ref == row.key_ref || key_ref == row.new_key_ref;
    if (ours) take(std::move(refused));
  }
}

Result<std::optional<base::Micros>> FirstOf(Result<sql::Statement*> asked) {
  TRY_ASSIGN(sql::Statement* const row, std::move(asked));
  if (row == nullptr) return std::nullopt;
  const base::Micros at = row->Int64(0);
  row->Reset();
  return at;
}

Result<base::Micros> FirstRefusal(sql::Database& database, const RecoveryRow& row, base::Micros changed_at, base::Micros created_at) {
  base::Micros first = changed_at;
  for (const std::string& customer : row.customers) {
    TRY_ASSIGN(const auto good, FirstOf(database.QueryOne(kLastGood, {std::string_view(customer), std::string_view(row.key_ref)})));
    const base::Micros since = good ? std::min(*good, changed_at) - kUnderWay : created_at;
    TRY(EachRefused(database, row, customer, since, [&first](const Refused& refused) { first = std::min(first, refused.at); }));
  }
  return first;
}

// IsBatchId is false for what no batch is called: the work database is written by many, and a command line is made of the id.
bool IsBatchId(std::string_view id) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";
  return !id.empty() && id.front() != '-' && id.find_first_not_of(kPlain) == std::string_view::npos;
}

Result<std::optional<BatchFacts>> ReadBatch(sql::Database& database, const std::string& batch_id) {
  if (!IsBatchId(batch_id)) return std::nullopt;
  TRY_ASSIGN(sql::Statement* const row,
             database.QueryOne("SELECT STATUS, INPUT_FILE, INITIATED_BY FROM AI_BATCH WHERE BATCH_ID = ?1", {std::string_view(batch_id)}));
  if (row == nullptr) return std::nullopt;
  BatchFacts facts{batch_id, row->Text(0), row->Text(1), row->Text(2)};
  row->Reset();
  return facts;
}

// A batch numbers its rows behind its own id.
std::string BatchIdIn(const std::string& request_id) {
  const std::size_t dash = request_id.rfind('-');
  return dash == std::string::npos ? "" : request_id.substr(0, dash);
}

Result<FailedCalls> ReadFailed(sql::Database& database, const RecoveryRow& row) {
  std::map<std::string, std::vector<std::string>> by_prefix;
  FailedCalls failed;
  for (const std::string& customer : row.customers) {
    TRY(EachRefused(database, row, customer, row.stopped_at, [&](Refused refused) {
      if (refused.since) ++failed.refused_since;
      else by_prefix[BatchIdIn(refused.request_id)].push_back(std::move(refused.request_id));
    }));
  }
  for (auto& [prefix, ids] : by_prefix) {
    TRY_ASSIGN(const auto batch, ReadBatch(database, prefix));
    std::ranges::move(ids, std::back_inserter(failed.left[batch ? prefix : std::string()]));
  }
  return failed;
}

template <typename T>
Outcome<T> OrSay(Result<T> read) {
  if (!read) return FailedBy(read.error(), "the work database");
  return std::move(*read);
}

}  // namespace

std::int64_t FailedCalls::CountLeft() const {
  std::int64_t count = 0;
  for (const auto& [batch, ids] : left) count += std::ssize(ids);
  return count;
}

Outcome<RecoveryLog> RecoveryLog::Open(const Context& context) {
  TRY_ASSIGN(auto database, OpenWorkDatabase(context, sql::Access::kReadWrite));
  return RecoveryLog(std::move(database));
}

Outcome<std::optional<RecoveryRow>> RecoveryLog::Find(const std::string& key_ref) {
  TRY_ASSIGN(auto rows, OrSay(ReadRows(*database_, key_ref, "", "")));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

Outcome<std::vector<RecoveryRow>> RecoveryLog::List(const std::string& customer, const std::string& provider) {
  TRY_ASSIGN(auto rows, OrSay(ReadRows(*database_, "", customer, provider)));
  if (!customer.empty() || !provider.empty()) std::erase_if(rows, [](const RecoveryRow& row) { return row.closed_at.has_value(); });
  return rows;
}

Outcome<void> RecoveryLog::Put(const RecoveryRow& row) {
  const std::string profiles = Joined(row.profiles), customers = Joined(row.customers);
  const std::optional<std::string> new_key = row.new_key_ref.empty() ? std::nullopt : std::optional(row.new_key_ref);
  const auto put = database_->Execute(kPut, {std::string_view(row.key_ref), std::string_view(row.customer), std::string_view(row.provider),
                                             std::string_view(row.stopped_as), std::string_view(profiles), std::string_view(customers), row.stopped_at,
                                             std::string_view(row.started_by), row.started_at, sql::Optional(new_key), sql::Optional(row.replaced_at),
                                             row.calls_failed, sql::Optional(row.closed_at)});
  if (!put) return FailedBy(put.error(), "how far this is cannot be kept in the work database");
  return {};
}

Outcome<base::Micros> RecoveryLog::StoppedAt(const RecoveryRow& row, base::Micros changed_at, base::Micros created_at) {
  return OrSay(FirstRefusal(*database_, row, changed_at, created_at));
}

Outcome<FailedCalls> RecoveryLog::FailedCallsOf(const RecoveryRow& row) { return OrSay(ReadFailed(*database_, row)); }

Outcome<std::optional<base::Micros>> RecoveryLog::FirstCall(const RecoveryRow& row) {
  std::optional<base::Micros> first;
  for (const std::string& customer : row.customers) {
    TRY_ASSIGN(const auto at, OrSay(FirstOf(database_->QueryOne(kFirstGood, {std::string_view(customer), std::string_view(row.new_key_ref),
                                                                             row.replaced_at.value_or(row.started_at)}))));
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

Outcome<std::optional<BatchFacts>> RecoveryLog::FindBatch(const std::string& batch_id) { return OrSay(ReadBatch(*database_, batch_id)); }

}  // namespace strongroom::keytool
