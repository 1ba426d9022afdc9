#include "audit/acts.h"

#include <algorithm>
#include <limits>

namespace strongroom::audit {
namespace {

constexpr std::int64_t kPage = 1000;
constexpr base::Micros kEndOfTime = std::numeric_limits<base::Micros>::max();

Result<void> ActsOf(sql::Database& database, const Stretch& stretch, std::vector<Entry>& acts) {
  base::Micros at = stretch.since.value_or(0);
  std::int64_t seq = -1, rows = kPage;
  while (rows == kPage) {
    TRY_ASSIGN(sql::Statement * row,
               database.Query("SELECT SEQ, AT, RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION <> 'report_call' AND (AT, SEQ) > (?1, ?2) AND AT <= ?3 "
                              "ORDER BY AT, SEQ LIMIT ?4",
                              {at, seq, stretch.until.value_or(kEndOfTime), kPage}));
    for (rows = 0;; ++rows) {
      TRY_ASSIGN(const bool more, row->Next());
      if (!more) break;
      // Columns that were edited (an AT that is no integer) must not lead in circles.
      if (std::pair(row->Int64(1), row->Int64(0)) <= std::pair(at, seq)) {
        return Fail(Code::kCorrupt, "a record's columns are not what was written: run auditlog verify", row->Int64(0));
      }
      seq = row->Int64(0);
      at = row->Int64(1);
      auto entry = Parse(base::AsText(row->Blob(2)));
      if (!entry) return Fail(Code::kCorrupt, "a record is not what was written: run auditlog verify", seq);
      acts.push_back(std::move(*entry));
    }
  }
  return {};
}

}  // namespace

std::string Stretch::InWords() const {
  if (!since && !until) return "over all time";
  return (since ? "from " + base::FormatTime(*since) : std::string("from the first record")) +
         (until ? " to " + base::FormatTime(*until) : std::string(" to the newest"));
}

Result<void> EachAct(const std::vector<Log>& logs, const Stretch& stretch, const std::function<void(const Entry&)>& each) {
  std::vector<Entry> acts;
  for (const Log& log : logs) TRY(ActsOf(*log.database, stretch, acts));
  std::ranges::stable_sort(acts, {}, [](const Entry& entry) { return entry.place.time; });
  for (const Entry& act : acts) each(act);
  return {};
}

Result<void> EachFound(const std::vector<Log>& logs, Filter filter, const Stretch& stretch,
                       const std::function<void(const Entry&)>& each) {
  filter.since = stretch.since;
  filter.until = stretch.until;
  filter.limit = std::numeric_limits<std::int64_t>::max();
  TRY(SearchAll(logs, filter, each));
  return {};
}

std::string SeqOf(const Entry& entry, bool several) {
  const std::string& log = entry.place.log;
  return (several ? log.substr(log.rfind('/') + 1) + "/" : "") + std::to_string(entry.place.seq);
}

std::string FactsText(const std::optional<Facts>& facts) {
  std::string text;
  for (const auto& [name, value] : facts.value_or(Facts())) text += (text.empty() ? "" : " ") + name + "=" + value;
  return text;
}

std::string FactOf(const std::optional<Facts>& facts, const std::string& name) {
  if (!facts) return {};
  const auto fact = facts->find(name);
  return fact == facts->end() ? std::string() : fact->second;
}

std::string WhyOf(const Draft& draft) {
  if (!draft.reason) return draft.purpose.value_or("");
  return draft.purpose ? *draft.reason + ": " + *draft.purpose : *draft.reason;
}

bool IsRelease(const Draft& draft) { return IsReleaseAction(draft.action); }

}  // namespace strongroom::audit
