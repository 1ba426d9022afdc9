#include "audit/reader.h"

#include <limits>
#include <utility>

namespace strongroom::audit {
namespace {

constexpr std::int64_t kPage = 1000;
constexpr base::Micros kEndOfTime = std::numeric_limits<base::Micros>::max();

// Which of the indexes a search walks; what it does not cover is checked on each record.
enum class Way : std::uint8_t { kKey, kCustomer, kOutcome, kTime };

Way ChooseWay(const Filter& filter) {
  if (filter.key_ref) return Way::kKey;
  if (filter.customer) return Way::kCustomer;
  if (filter.outcome && *filter.outcome != "ok") return Way::kOutcome;
  return Way::kTime;
}

// Cursor is the place of the last row seen; rows come in order of (AT, SEQ), which is the order they were written in.
struct Cursor {
  base::Micros at;
  std::int64_t seq;
};

Result<sql::Statement*> QueryPage(sql::Database& database, Way way, const Filter& filter, const Cursor& after) {
  const base::Micros until = filter.until.value_or(kEndOfTime);
  switch (way) {
    case Way::kKey:
      return database.Query(
          "SELECT SEQ, AT, RECORD FROM AUDIT_LOG WHERE KEY_REF = ?1 AND (AT, SEQ) > (?2, ?3) AND AT <= ?4 "
          "ORDER BY AT, SEQ LIMIT ?5",
          {std::string_view(*filter.key_ref), after.at, after.seq, until, kPage});
    case Way::kCustomer:
      return database.Query(
          "SELECT SEQ, AT, RECORD FROM AUDIT_LOG WHERE CUSTOMER = ?1 AND (AT, SEQ) > (?2, ?3) AND AT <= ?4 "
          "ORDER BY AT, SEQ LIMIT ?5",
          {std::string_view(*filter.customer), after.at, after.seq, until, kPage});
    case Way::kOutcome:
      // The second condition is the partial index's own: without it the planner may not use that index.
      return database.Query(
          "SELECT SEQ, AT, RECORD FROM AUDIT_LOG WHERE OUTCOME = ?1 AND OUTCOME <> 'ok' AND (AT, SEQ) > (?2, ?3) "
          "AND AT <= ?4 ORDER BY AT, SEQ LIMIT ?5",
          {std::string_view(*filter.outcome), after.at, after.seq, until, kPage});
    case Way::kTime: break;
  }
  return database.Query("SELECT SEQ, AT, RECORD FROM AUDIT_LOG WHERE SEQ > ?1 ORDER BY SEQ LIMIT ?2",
                        {after.seq, kPage});
}

bool Holds(const std::optional<std::string>& wanted, const std::optional<std::string>& found) {
  return !wanted || wanted == found;
}

bool Matches(const Filter& filter, const Entry& entry) {
  const Draft& draft = entry.draft;
  const base::Micros time = entry.place.time;
  return Holds(filter.key_ref, draft.key_ref) && Holds(filter.customer, draft.customer) &&
         Holds(filter.actor, draft.actor.name) && Holds(filter.action, draft.action) &&
         Holds(filter.request_id, draft.request_id) && (!filter.outcome || *filter.outcome == OutcomeName(draft.outcome)) &&
         (!filter.since || time >= *filter.since) && (!filter.until || time <= *filter.until);
}

}  // namespace

Result<std::vector<std::string>> ListLogs(sql::Database& database) {
  std::vector<std::string> nodes;
  if (database.engine() == sql::Engine::kSqlite) return std::vector<std::string>{""};
  // One step along the primary key a log, however long they are.
  TRY_ASSIGN(sql::Statement * rows,
             database.Query("WITH RECURSIVE L(N) AS (SELECT MIN(NODE_ID) FROM AUDIT_TRAIL UNION ALL SELECT (SELECT MIN(NODE_ID) "
                            "FROM AUDIT_TRAIL WHERE NODE_ID > L.N) FROM L WHERE L.N IS NOT NULL) "
                            "SELECT N FROM L WHERE N IS NOT NULL UNION SELECT NODE_ID FROM NODE ORDER BY 1"));
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return nodes;
    nodes.push_back(rows->Text(0));
  }
}

// Times never go back along the trail.
Result<std::int64_t> FirstSeqAt(sql::Database& database, base::Micros since) {
  TRY_ASSIGN(sql::Statement * last, database.QueryOne("SELECT SEQ FROM AUDIT_LOG ORDER BY SEQ DESC LIMIT 1"));
  if (last == nullptr) return 0;
  std::int64_t low = 0;
  std::int64_t high = std::min(last->Int64(0), kMostInteger) + 1;  // an edited row may have any number
  last->Reset();
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    TRY_ASSIGN(sql::Statement * row,
               database.QueryOne("SELECT SEQ, AT FROM AUDIT_LOG WHERE SEQ >= ?1 ORDER BY SEQ LIMIT 1", {middle}));
    if (row == nullptr) break;
    if (row->Int64(1) < since) {
      low = std::min(row->Int64(0), kMostInteger) + 1;
    } else {
      high = middle;
    }
    row->Reset();
  }
  return low;
}

Result<std::int64_t> Search(sql::Database& database, const Filter& filter,
                            const std::function<void(const Entry&)>& each) {
  const Way way = ChooseWay(filter);
  Cursor cursor{filter.since.value_or(0), -1};
  if (way == Way::kTime) {
    TRY_ASSIGN(const std::int64_t first, FirstSeqAt(database, cursor.at));
    cursor.seq = first - 1;
  }
  std::int64_t found = 0;
  while (true) {
    std::vector<Entry> page;
    std::int64_t rows = 0;
    TRY_ASSIGN(sql::Statement * row, QueryPage(database, way, filter, cursor));
    while (true) {
      TRY_ASSIGN(const bool more, row->Next());
      if (!more) break;
      ++rows;
      const Cursor at{row->Int64(1), row->Int64(0)};
      // Columns that were edited (an AT that is no integer) must not lead in circles.
      if (way != Way::kTime && std::pair(at.at, at.seq) <= std::pair(cursor.at, cursor.seq)) {
        return Fail(Code::kCorrupt, "a record's columns are not what was written: run auditlog verify", at.seq);
      }
      cursor = at;
      const Bytes bytes = row->Blob(2);
      auto entry = Parse(base::AsText(bytes));
      if (!entry) return Fail(Code::kCorrupt, "a record is not what was written: run auditlog verify", cursor.seq);
      if (Matches(filter, *entry)) page.push_back(std::move(*entry));
    }
    for (const Entry& entry : page) {
      if (found == filter.limit) return found;
      each(entry);
      ++found;
    }
    if (rows < kPage || found == filter.limit || cursor.at > filter.until.value_or(kEndOfTime)) return found;
  }
}

}  // namespace strongroom::audit
