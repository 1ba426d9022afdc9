#include <utility>

#include "audit/reader.h"

namespace strongroom::audit {
namespace {

constexpr std::int64_t kPage = 1000;

// Row is one row of AUDIT_LOG as it stands in the database.
struct Row {
  std::int64_t seq = 0;
  Bytes record;
  base::Micros at = 0;
  std::string action, outcome, actor;
  std::optional<std::string> customer, key_ref, request_id;
};

Row ReadRow(const sql::Statement& statement) {
  return {statement.Int64(0),        statement.Blob(1),         statement.Int64(2),
          statement.Text(3),         statement.Text(4),         statement.Text(5),
          statement.OptionalText(6), statement.OptionalText(7), statement.OptionalText(8)};
}

bool ColumnsMatch(const Row& row, const Entry& entry) {
  const Draft& draft = entry.draft;
  return row.at == entry.place.time && row.action == draft.action && row.outcome == OutcomeName(draft.outcome) &&
         row.actor == draft.actor.name && row.customer == draft.customer && row.key_ref == draft.key_ref &&
         row.request_id == draft.request_id;
}

// Walk is the state of a walk along the chain. A record vouches for the bytes of the one before it only, so a fault
// is held as `pending` for one more step wherever the next record can tell what kind it is, or which of two is bad.
class Walk {
 public:
  explicit Walk(Verdict& verdict) : verdict_(verdict) {}

  // Step takes the next row; false ends the walk.
  bool Step(const Row& row);
  // Finish settles what no next record can tell.
  void Finish();

 private:
  void Blame(std::int64_t seq, std::string kind, std::string detail) {
    verdict_.fault = {seq, std::move(kind), std::move(detail)};
  }
  bool Settle(const Row& row);
  bool CheckPlace(const Row& row, const Entry& entry);
  void BlameWrongSeq(const Row& row, const Entry& entry);
  void CheckContent(const Row& row, const Entry& entry);

  Verdict& verdict_;
  std::optional<Entry> last_;     // the record before
  std::optional<Fault> pending_;  // what may be wrong with it
  bool broken_link_ = false;      // its prev does not name the record before it, whose hash is before_
  std::string before_;
};

bool Walk::Step(const Row& row) {
  const std::int64_t expected = verdict_.records;
  if (pending_) return Settle(row);
  if (row.seq > expected) {
    Blame(expected, "missing", "the trail goes on at " + std::to_string(row.seq));
    return false;
  }
  auto entry = Parse(base::AsText(row.record));
  if (!entry) {
    Blame(row.seq, "changed", "its bytes are no record");
    return false;
  }
  if (!CheckPlace(row, *entry)) return false;
  if (!pending_) CheckContent(row, *entry);
  verdict_.head = LeafHash(entry->bytes);
  verdict_.last_time = entry->place.time;
  if (!last_) verdict_.first_time = entry->place.time;
  ++verdict_.records;
  last_ = std::move(*entry);
  return true;
}

// CheckPlace: own seq, and the link to the record before.
bool Walk::CheckPlace(const Row& row, const Entry& entry) {
  if (entry.place.seq != row.seq || row.seq != verdict_.records) {
    BlameWrongSeq(row, entry);
    return false;
  }
  if (entry.place.prev == verdict_.head) return true;
  if (!last_) {
    Blame(row.seq, "chain", "the first record does not begin a chain");
    return false;
  }
  pending_ = {row.seq - 1, "changed", "the next record names other bytes as the ones before it"};
  broken_link_ = true;
  before_ = verdict_.head;
  return true;
}

void Walk::BlameWrongSeq(const Row& row, const Entry& entry) {
  const std::string own = std::to_string(entry.place.seq);
  // Two different records with one seq and one predecessor, side by side: the first was put in before the second.
  if (last_ && entry.place.seq == last_->place.seq && entry.place.prev == last_->place.prev &&
      entry.bytes != last_->bytes) {
    Blame(last_->place.seq, "reordered", "two records say that they are " + own);
    return;
  }
  Blame(row.seq, "reordered", "the record here says that it is " + own);
}

void Walk::CheckContent(const Row& row, const Entry& entry) {
  if (!ColumnsMatch(row, entry)) {
    pending_ = {row.seq, "index_mismatch", "its columns differ from its record: search cannot be trusted here"};
  } else if (last_ && entry.place.log != last_->place.log) {
    pending_ = {row.seq, "chain", "it belongs to another log than the record before it"};
  } else if (last_ && entry.place.time < last_->place.time) {
    pending_ = {row.seq, "chain", "it is older than the record before it"};
  }
}

// Settle hears from the next record whether the last one still has the bytes it had when that was written.
bool Walk::Settle(const Row& row) {
  const auto next = Parse(base::AsText(row.record));
  if (next && row.seq == verdict_.records && next->place.seq == row.seq) {
    if (broken_link_) {
      // With its prev put right, is the last record what the next one names? Then its prev is all that was changed.
      Place place = last_->place;
      place.prev = before_;
      if (LeafHash(Serialize(last_->draft, place)) == next->place.prev) {
        pending_ = {last_->place.seq, "changed", "its prev was changed"};
      }
    } else if (next->place.prev != verdict_.head) {
      pending_->kind = "changed";
      pending_->detail = "the next record names other bytes as the ones before it";
    }
  }
  Finish();
  return false;
}

void Walk::Finish() {
  // A trail begins with the record of its making: one without records has lost them.
  if (!pending_ && !verdict_.fault && verdict_.records == 0) Blame(0, "missing", "the trail has no records at all");
  if (pending_) verdict_.fault = std::exchange(pending_, std::nullopt);
}

}  // namespace

Result<Verdict> Verify(sql::Database& database, const std::function<void(std::int64_t)>& progress) {
  Verdict verdict;
  verdict.head = kNoRecord;
  Walk walk(verdict);
  // By pages, so that no read transaction holds up the write-ahead log of a live vault for long.
  std::optional<std::int64_t> after;
  std::int64_t rows = kPage;
  while (rows == kPage) {
    TRY_ASSIGN(sql::Statement * row,
               database.Query("SELECT SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID "
                              "FROM AUDIT_LOG WHERE SEQ > ?1 ORDER BY SEQ LIMIT ?2",
                              {after.value_or(INT64_MIN), kPage}));
    rows = 0;
    while (true) {
      TRY_ASSIGN(const bool more, row->Next());
      if (!more) break;
      ++rows;
      after = row->Int64(0);
      if (walk.Step(ReadRow(*row))) continue;
      row->Reset();
      return verdict;
    }
    if (progress) progress(verdict.records);
  }
  walk.Finish();
  return verdict;
}

}  // namespace strongroom::audit
