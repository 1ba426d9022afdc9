// Store: pages of this node's log, and what all nodes' logs say of keys.
#include <limits>

#include "audit/prune.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

#define LOG_COLUMNS "SEQ, AT, ACTION, OUTCOME, COALESCE(KEY_REF, ''), RECORD"
#define PAGE " AND AT >= ?1 AND AT >= ?2 AND (AT > ?2 OR SEQ > ?3) ORDER BY AT, SEQ LIMIT ?4"

// One by the index of keys, the other by that of acts: neither looks at what it does not answer with.
constexpr sql::Sql kAboutKey = "SELECT " LOG_COLUMNS " FROM AUDIT_LOG WHERE KEY_REF = ?5" PAGE;
constexpr sql::Sql kActs = "SELECT " LOG_COLUMNS " FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION <> 'report_call'" PAGE;

#define STOPS                                                                                                                 \
  "WHERE ACTION <> 'resolve' AND AT >= ?1 AND AT <= ?2 AND OUTCOME = 'ok' AND ACTION IN ('move_key', 'rotate_key', 'rollback_key', " \
  "'end_grace', 'offboard', 'report_probe') "
constexpr sql::Sql kStops = "SELECT RECORD, AT, '', SEQ FROM AUDIT_LOG " STOPS "AND (AT < ?2 OR SEQ < ?3) ORDER BY AT DESC, SEQ DESC LIMIT ?4";
constexpr sql::Sql kStopsOfAll = "SELECT RECORD, AT, NODE_ID, SEQ FROM AUDIT_TRAIL " STOPS
                                 "AND (AT < ?2 OR NODE_ID < ?5 OR (NODE_ID = ?5 AND SEQ < ?3)) ORDER BY AT DESC, NODE_ID DESC, SEQ DESC LIMIT ?4";

// From name to name by the index of keys, however many records a key has: that index is in the order of bytes.
constexpr sql::Sql kNextName = "SELECT KEY_REF FROM AUDIT_LOG WHERE KEY_REF > ?1 AND KEY_REF < ?2 ORDER BY KEY_REF LIMIT 1";
// Elsewhere the order is the database's, so it goes by the acts that bring keys in.
constexpr sql::Sql kNames = "SELECT DISTINCT KEY_REF FROM AUDIT_TRAIL WHERE ACTION <> 'resolve' AND CUSTOMER = ?1 AND ACTION IN ('add_key', 'accept_ticket') AND "
                            "OUTCOME = 'ok' AND KEY_REF IS NOT NULL";

}  // namespace

Result<std::vector<LogRow>> Store::ListAbout(std::string_view key_ref, const LogPage& page) {
  Result<sql::Statement*> rows =
      key_ref.empty() ? database_.Query(kActs, {page.since, page.after_at, page.after_seq, page.most})
                      : database_.Query(kAboutKey, {page.since, page.after_at, page.after_seq, page.most, key_ref});
  if (!rows) return std::unexpected(rows.error());
  std::vector<LogRow> all;
  for (;;) {
    TRY_ASSIGN(const bool more, (*rows)->Next());
    if (!more) return all;
    all.push_back({(*rows)->Int64(0), (*rows)->Int64(1), (*rows)->Text(2), (*rows)->Text(3), (*rows)->Text(4),
                   std::string(base::AsText((*rows)->Blob(5)))});
  }
}

Result<base::Micros> Store::HeldFrom() {
  TRY_ASSIGN(const auto pruned, audit::FindPruned(database_));
  if (!pruned) return base::Micros{0};
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT AT FROM AUDIT_LOG WHERE SEQ >= ?1 ORDER BY SEQ LIMIT 1", {pruned->first}));
  if (row == nullptr) return base::Micros{0};
  const base::Micros at = row->Int64(0);
  row->Reset();
  return at;
}

Result<std::vector<StopRecord>> Store::StopRecords(base::Micros since, const StopRecord* after, std::int64_t most) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  const base::Micros at = after != nullptr ? after->at : kLast;
  const std::int64_t seq = after != nullptr ? after->seq : kLast;
  const std::string_view node = after != nullptr ? std::string_view(after->node) : std::string_view();
  Result<sql::Statement*> rows = database_.engine() == sql::Engine::kSqlite ? database_.Query(kStops, {since, at, seq, most})
                                                                            : database_.Query(kStopsOfAll, {since, at, seq, most, node});
  if (!rows) return std::unexpected(rows.error());
  std::vector<StopRecord> records;
  for (;;) {
    TRY_ASSIGN(const bool more, (*rows)->Next());
    if (!more) return records;
    records.push_back({std::string(base::AsText((*rows)->Blob(0))), (*rows)->Int64(1), (*rows)->Text(2), (*rows)->Int64(3)});
  }
}

Result<std::optional<base::Micros>> Store::NewestTime() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT RECORD FROM AUDIT_LOG ORDER BY SEQ DESC LIMIT 1"));
  if (row == nullptr) return std::nullopt;
  const auto entry = audit::Parse(base::AsText(row->Blob(0)));
  row->Reset();
  return entry ? std::optional(entry->place.time) : std::nullopt;
}

Result<std::vector<std::string>> Store::KeysOnTrail(std::string_view customer) {
  std::vector<std::string> names;
  if (database_.engine() != sql::Engine::kSqlite) {
    TRY_ASSIGN(sql::Statement * rows, database_.Query(kNames, {customer}));
    for (;;) {
      TRY_ASSIGN(const bool more, rows->Next());
      if (!more) return names;
      names.push_back(rows->Text(0));
    }
  }
  std::string last = std::string(customer) + '/';
  const std::string end = std::string(customer) + '0';  // the character behind '/'
  for (;;) {
    TRY_ASSIGN(sql::Statement * row, database_.QueryOne(kNextName, {std::string_view(last), std::string_view(end)}));
    if (row == nullptr) return names;
    last = row->Text(0);
    row->Reset();
    names.push_back(last);
  }
}

}  // namespace strongroom::vault
