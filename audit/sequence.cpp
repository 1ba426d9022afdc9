#include "audit/sequence.h"

#include <algorithm>
#include <utility>

namespace strongroom::audit {
namespace {

constexpr std::int64_t kPage = 1000;

}  // namespace

Result<std::int64_t> LastSeq(sql::Database& database) {
  TRY_ASSIGN(sql::Statement * last, database.QueryOne("SELECT SEQ FROM AUDIT_LOG ORDER BY SEQ DESC LIMIT 1"));
  if (last == nullptr) return -1;
  const std::int64_t seq = last->Int64(0);
  last->Reset();
  return seq;
}

Result<void> LogSequence::ReadPage() {
  TRY_ASSIGN(sql::Statement * row,
             database_->Query("SELECT SEQ, RECORD FROM AUDIT_LOG WHERE SEQ >= ?1 AND SEQ <= ?2 ORDER BY SEQ LIMIT ?3",
                              {next_, to_, kPage}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return {};
    page_.push_back({row->Int64(0), std::string(base::AsText(row->Blob(1)))});
  }
}

Result<std::optional<StoredRecord>> LogSequence::Next() {
  while (pruned_ && pruned_->Gone(next_)) ++next_;
  if (next_ > to_) return std::nullopt;
  if (page_.empty()) TRY(ReadPage());
  if (page_.empty() || page_.front().seq != next_) {
    // vaultd may have pruned it since this reading began.
    TRY_ASSIGN(auto now, FindPruned(*database_));
    if (now && now != pruned_ && now->Gone(next_)) {
      pruned_ = std::move(now);
      page_.clear();
      return Next();
    }
    return Fail(Code::kCorrupt, "a record is missing: run auditlog verify", next_);
  }
  StoredRecord record = std::move(page_.front());
  page_.pop_front();
  ++next_;
  return record;
}

Result<MergedSequence> MergedSequence::Start(const std::vector<Log>& logs, std::optional<base::Micros> since,
                                     std::optional<base::Micros> until) {
  MergedSequence merged(until);
  for (const Log& log : logs) {
    TRY_ASSIGN(const std::int64_t last, LastSeq(*log.database));
    TRY_ASSIGN(const std::int64_t first, since ? FirstSeqAt(*log.database, *since) : Result<std::int64_t>(0));
    TRY_ASSIGN(std::optional<Pruned> pruned, FindPruned(*log.database));
    merged.branches_.push_back({LogSequence(*log.database, first, last, std::move(pruned)), std::nullopt});
    TRY(merged.Advance(merged.branches_.back()));
  }
  return merged;
}

Result<void> MergedSequence::Advance(Branch& branch) const {
  branch.next.reset();
  TRY_ASSIGN(const std::optional<StoredRecord> record, branch.sequence.Next());
  if (!record) return {};
  auto entry = Parse(record->bytes);
  if (!entry) return Fail(Code::kCorrupt, "a record is not what was written: run auditlog verify", record->seq);
  // Times never go back along a log: what follows is later still.
  if (until_ && entry->place.time > *until_) return {};
  branch.next = std::move(*entry);
  return {};
}

Result<std::optional<Entry>> MergedSequence::Next() {
  Branch* oldest = nullptr;
  for (Branch& branch : branches_) {
    const bool older = branch.next && (oldest == nullptr || branch.next->place.time < oldest->next->place.time);
    if (older) oldest = &branch;
  }
  if (oldest == nullptr) return std::nullopt;
  std::optional<Entry> entry = std::move(oldest->next);
  TRY(Advance(*oldest));
  return entry;
}

}  // namespace strongroom::audit
