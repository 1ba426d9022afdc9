// Store: pages of this node's log.
#include "audit/prune.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

#define LOG_COLUMNS "SEQ, AT, ACTION, OUTCOME, COALESCE(KEY_REF, ''), RECORD"
#define PAGE " AND AT >= ?1 AND AT >= ?2 AND (AT > ?2 OR SEQ > ?3) ORDER BY AT, SEQ LIMIT ?4"

// One by the index of keys, the other by that of acts: neither looks at what it does not answer with.
constexpr sql::Sql kAboutKey = "SELECT " LOG_COLUMNS " FROM AUDIT_LOG WHERE KEY_REF = ?5" PAGE;
constexpr sql::Sql kActs = "SELECT " LOG_COLUMNS " FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION <> 'report_call'" PAGE;

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

}  // namespace strongroom::vault
