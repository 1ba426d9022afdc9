// Gaps: where a log is silent, or where numbers are missing. Only columns are read: whether they are the records' says auditlog verify.
#include <algorithm>
#include <limits>

#include "audit/prune.h"
#include "audit/questions.h"

namespace strongroom::audit {
namespace {

constexpr std::int64_t kPage = 10'000;

struct Point {
  std::int64_t seq = 0;
  base::Micros at = 0;
  std::string action;
};

std::string Length(base::Micros span) {
  const std::int64_t seconds = span / base::kMicrosPerSecond;
  return std::to_string(seconds / 3600) + "h " + std::to_string(seconds / 60 % 60) + "m " + std::to_string(seconds % 60) + "s";
}

// What a start records before its vaultd_start.
bool BeginsBoot(const std::string& action) {
  return action == "vaultd_start" || action == "new_origin" || action == "recovered_tail";
}

// AllPruned is true where each of the numbers between two records was pruned.
bool AllPruned(const std::optional<Pruned>& pruned, std::int64_t before, std::int64_t after) {
  if (!pruned || after > pruned->first) return false;
  return std::ranges::none_of(pruned->kept, [&](std::int64_t kept) { return kept > before && kept < after; });
}

// KindOf is what lies between two records, "" where nothing does.
std::string KindOf(const Point& before, const Point& after, base::Micros gap, const std::optional<Pruned>& pruned) {
  if (after.seq != before.seq + 1) return AllPruned(pruned, before.seq, after.seq) ? "pruned" : "missing";
  if (after.at < before.at) return "time went back";
  if (before.action == "vaultd_stop" && BeginsBoot(after.action)) return "restart";
  const bool told = BeginsBoot(before.action) || before.action == "init" || before.action == "join";
  // A new origin may have been asked for while vaultd ran.
  if (BeginsBoot(after.action) && after.action != "new_origin" && !told) return "restart without a stop";
  return after.at - before.at > gap ? "silence" : "";
}

Result<void> GapsOf(const Log& log, const Stretch& stretch, base::Micros gap, Section& section) {
  TRY_ASSIGN(const std::optional<Pruned> pruned, FindPruned(*log.database));
  TRY_ASSIGN(std::int64_t seq, FirstSeqAt(*log.database, stretch.since.value_or(0)));
  --seq;
  std::optional<Point> before;
  for (std::int64_t rows = kPage; rows == kPage;) {
    TRY_ASSIGN(sql::Statement * row,
               log.database->Query("SELECT SEQ, AT, ACTION FROM AUDIT_LOG WHERE SEQ > ?1 ORDER BY SEQ LIMIT ?2", {seq, kPage}));
    for (rows = 0;; ++rows) {
      TRY_ASSIGN(const bool more, row->Next());
      if (!more) break;
      Point after{row->Int64(0), row->Int64(1), row->Text(2)};
      seq = after.seq;
      if (after.at > stretch.until.value_or(std::numeric_limits<base::Micros>::max())) continue;
      // A log begins with 0: what is missing before its first record is missing too.
      if (!before && !stretch.since && seq > 0) before = Point{-1, after.at, ""};
      const std::string kind = before ? KindOf(*before, after, gap, pruned) : "";
      if (!kind.empty()) {
        section.rows.push_back({log.node, kind, std::to_string(before->seq), std::to_string(after.seq), base::FormatTime(before->at),
                                base::FormatTime(after.at), Length(after.at - before->at), after.action});
      }
      before = std::move(after);
    }
  }
  return {};
}

}  // namespace

Result<Section> Gaps(const std::vector<Log>& logs, const Stretch& stretch, base::Micros gap) {
  Section section{"gaps",
                  "numbers that are missing, more than " + Length(gap) + " without a record, and starts of vaultd, " + stretch.InWords(),
                  {{"NODE"}, {"KIND"}, {"AFTER SEQ", true}, {"BEFORE SEQ", true}, {"FROM"}, {"TO"}, {"LENGTH", true}, {"NEXT ACTION"}},
                  {},
                  {"nothing is recorded while nobody asks for anything: a silence is no fault by itself"}};
  for (const Log& log : logs) TRY(GapsOf(log, stretch, gap, section));
  return section;
}

}  // namespace strongroom::audit
