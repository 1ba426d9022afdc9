#include "audit/walk.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "audit/entries.h"

namespace strongroom::audit {
namespace {

bool ColumnsMatch(const Columns& columns, const Entry& entry) {
  const Draft& draft = entry.draft;
  return columns.at == entry.place.time && columns.action == draft.action && columns.outcome == OutcomeName(draft.outcome) &&
         columns.actor == draft.actor.name && columns.customer == draft.customer && columns.key_ref == draft.key_ref &&
         columns.request_id == draft.request_id;
}

}  // namespace

std::optional<VerifierKey> KeyNamedBy(const Entry& entry) {
  if ((entry.place.seq != 0 && entry.draft.action != "new_origin") || entry.draft.outcome != Outcome::kOk) return std::nullopt;
  return KeyIn(entry.draft.after);
}

Result<std::vector<NamedKey>> NamedKeysOf(sql::Database& database) {
  std::vector<NamedKey> named;
  const auto take = [&](const Entry& entry) {
    if (auto key = KeyNamedBy(entry)) named.push_back({entry.place.seq, std::move(*key)});
  };
  TRY_ASSIGN(sql::Statement * first, database.Query("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 0"));
  TRY(EachEntry(*first, take));
  TRY_ASSIGN(sql::Statement * later, database.Query("SELECT RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION = 'new_origin' "
                                                    "ORDER BY AT, SEQ"));
  TRY(EachEntry(*later, take));
  return named;
}

Result<std::map<std::string, OtherLog>> OtherLogsOf(sql::Database& database) {
  std::map<std::string, OtherLog> logs;
  TRY_ASSIGN(sql::Statement * rows, database.Query("SELECT RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION = 'node_join' "
                                                   "ORDER BY AT, SEQ"));
  TRY(EachEntry(*rows, [&](const Entry& entry) {
    const auto& after = entry.draft.after;
    if (!after || !after->contains("node") || !after->contains("verifier_key")) return;
    logs.insert_or_assign(after->at("node"), OtherLog{entry.place.seq, after->at("verifier_key")});
  }));
  return logs;
}

std::optional<Told> ToldBy(const Entry& entry) {
  if (entry.draft.action != "recovered_tail" && entry.draft.action != "new_origin") return std::nullopt;
  const auto fact = [&](const char* name) {
    if (!entry.draft.after) return std::string();
    const auto found = entry.draft.after->find(name);
    return found == entry.draft.after->end() ? std::string() : found->second;
  };
  if (entry.draft.action == "recovered_tail") return Told{entry.place.seq, fact("from"), fact("to"), ""};
  const auto key = KeyNamedBy(entry);
  return Told{entry.place.seq, "", "", key ? key->name : "a name that it does not tell"};
}

std::string InWords(const Told& told) {
  if (!told.origin.empty()) return "from record " + std::to_string(told.seq) + " on the log's name is " + told.origin;
  return "records " + told.from + " to " + told.to + " were found at a start, and nobody had been told of them (record " + std::to_string(told.seq) + ")";
}

void Walk::Skip(const Hash& leaf) {
  leaf_ = leaf;
  leaf_hex_ = base::Hex(leaf_);
  skipped_ = true;
  ++records_;
}

bool Walk::Step(const Row& row) {
  if (pending_) return Settle(row);
  if (row.seq < 0) {
    Blame(0, "reordered", "there is a row before record 0, under the seq " + std::to_string(row.seq) + ": it was put in, and is no record");
    return false;
  }
  if (AtGone() && row.seq == records_) {
    Blame(row.seq, "reordered", "the record with this seq was pruned: a row was put in its place");
    return false;
  }
  if (row.seq > records_) {
    Blame(records_, "missing", "the trail goes on at " + std::to_string(row.seq));
    return false;
  }
  auto entry = Parse(base::AsText(row.record));
  if (!entry) {
    Blame(row.seq, "changed", "its bytes are no record");
    return false;
  }
  if (!CheckPlace(row, *entry)) return false;
  if (!pending_) CheckContent(row, *entry);
  if (!pending_) CheckPruned(*entry);
  Accept(std::move(*entry));
  return true;
}

void Walk::Accept(Entry entry) {
  leaf_ = HashLeaf(entry.bytes);
  leaf_hex_ = base::Hex(leaf_);
  if (records_ == 0) first_time_ = entry.place.time;
  if (auto key = KeyNamedBy(entry)) named_.push_back({records_, std::move(*key)});
  if (auto told = ToldBy(entry)) told_.push_back(std::move(*told));
  TakeRotation(entry, rotations_);
  ++records_;
  skipped_ = false;
  last_ = std::move(entry);
}

// What is pruned stays pruned, and what was kept is kept: each such record says all of what those before it said.
void Walk::CheckPruned(const Entry& entry) {
  auto pruned = PrunedBy(entry);
  if (!pruned) return;
  if (newest_pruned_) {
    const Pruned& before = *newest_pruned_;
    const auto below = std::ranges::lower_bound(pruned->kept, before.first);
    const bool same = std::ranges::equal(std::ranges::subrange(pruned->kept.begin(), below), before.kept);
    if (pruned->first < before.first || !same) {
      pending_ = {entry.place.seq, "chain", "it says that less was pruned than the record " + std::to_string(before.seq) + " before it"};
    }
  }
  newest_pruned_ = std::move(pruned);
}

// CheckPlace: own seq, and the link to the record before.
bool Walk::CheckPlace(const Row& row, const Entry& entry) {
  if (entry.place.seq != row.seq || row.seq != records_) {
    BlameWrongSeq(row, entry);
    return false;
  }
  if (entry.place.prev == leaf_hex_) return true;
  if (!last_) {
    Blame(row.seq, "chain", "the first record does not begin a chain");
    return false;
  }
  pending_ = {row.seq - 1, "changed", "the next record names other bytes as the ones before it"};
  if (skipped_) pending_ = {row.seq - 1, "index_mismatch", "the hash of this pruned record in its tile is not the one that the next record names"};
  broken_link_ = true;
  behind_gone_ = skipped_;
  before_ = leaf_hex_;
  return true;
}

void Walk::BlameWrongSeq(const Row& row, const Entry& entry) {
  const std::string own = std::to_string(entry.place.seq);
  // Two different records with one seq and one predecessor, side by side: the first was put in before the second.
  if (last_ && entry.place.seq == last_->place.seq && entry.place.prev == last_->place.prev && entry.bytes != last_->bytes) {
    Blame(last_->place.seq, "reordered", "two records say that they are " + own);
    return;
  }
  Blame(row.seq, "reordered", "the record here says that it is " + own);
}

void Walk::CheckContent(const Row& row, const Entry& entry) {
  if (row.columns && !ColumnsMatch(*row.columns, entry)) {
    pending_ = {row.seq, "index_mismatch", "its columns differ from its record: search cannot be trusted here"};
  } else if (last_ && entry.place.log != last_->place.log) {
    pending_ = {row.seq, "chain", "it belongs to another log than the record before it"};
  } else if (last_ && entry.place.time < last_->place.time) {
    pending_ = {row.seq, "chain", "it is older than the record before it"};
  }
}

std::optional<Hash> Walk::mended_leaf() const {
  if (!broken_link_ || !last_) return std::nullopt;
  Place place = last_->place;
  place.prev = before_;
  return HashLeaf(Serialize(last_->draft, place));
}

// Settle hears from the next record whether the last one still has the bytes it had when that was written.
bool Walk::Settle(const Row& row) {
  const auto next = Parse(base::AsText(row.record));
  if (next && row.seq == records_ && next->place.seq == row.seq) {
    if (const auto mended = mended_leaf()) {
      // With its prev put right, is the last record what the next one names? Then its prev is all that was changed.
      if (base::Hex(*mended) == next->place.prev) {
        pending_ = {last_->place.seq, "changed", "its prev was changed"};
      } else if (behind_gone_ && next->place.prev != leaf_hex_) {
        pending_ = {last_->place.seq, "changed", "the next record names other bytes as the ones before it"};
      }
    } else if (next->place.prev != leaf_hex_) {
      pending_->kind = "changed";
      pending_->detail = "the next record names other bytes as the ones before it";
    }
  }
  Finish();
  return false;
}

void Walk::Finish() {
  // A trail begins with the record of its making: one without records has lost them.
  if (!pending_ && !fault_ && records_ == 0) Blame(0, "missing", "the trail has no records at all");
  if (pending_) fault_ = std::exchange(pending_, std::nullopt);
}

}  // namespace strongroom::audit
