#include "audit/prune.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "audit/source.h"
#include "audit/tree.h"

namespace strongroom::audit {
namespace {

// What is named here stays for ever, beside record 0: it names the log's keys and origins, those of other logs, and the nodes that must
// not come back.
constexpr std::array<std::string_view, 5> kLandmarks = {"new_origin", "rotate_signing_key", "erase_signing_key", "node_join", "remove_node"};

constexpr std::int64_t kMostDays = 36'500;

// ReadNumber takes what std::to_string writes, nothing else.
std::optional<std::int64_t> ReadNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > kMostInteger || std::to_string(number) != text) return std::nullopt;
  return number;
}

std::string JoinNumbers(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// ReadKept takes numbers that ascend, below `first`.
std::optional<std::vector<std::int64_t>> ReadKept(std::string_view text, std::int64_t first) {
  std::vector<std::int64_t> kept;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto number = ReadNumber(text.substr(0, comma));
    if (!number || *number >= first || (!kept.empty() && *number <= kept.back()) || kept.size() == kMostKept) return std::nullopt;
    kept.push_back(*number);
    if (comma == std::string_view::npos) return kept;
    text.remove_prefix(comma + 1);
  }
}

std::optional<Hash> ReadHash(std::string_view text) {
  const auto bytes = base::Unhex(text);
  Hash hash;
  if (!bytes || bytes->size() != hash.size() || base::Hex(*bytes) != text) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

std::unexpected<Error> Differs(std::int64_t seq) {
  return Fail(Code::kCorrupt, "a record that is to be pruned is not what was written: run auditlog verify", seq);
}

// ReadTile takes one tile of records and says which are landmarks; nullopt where one is not old enough.
Result<std::optional<std::vector<std::int64_t>>> ReadTile(sql::Database& database, std::int64_t index, base::Micros before) {
  const std::int64_t first = index * kTileWidth;
  DatabaseSource source(database);
  TRY_ASSIGN(const auto tile, source.Tile(0, index, kTileWidth));
  if (!tile || std::ssize(*tile) != kTileWidth) return Differs(first);
  TRY_ASSIGN(sql::Statement * row, database.Query("SELECT SEQ, RECORD FROM AUDIT_LOG WHERE SEQ >= ?1 AND SEQ < ?2 ORDER BY SEQ",
                                                  {first, first + kTileWidth}));
  std::vector<std::int64_t> landmarks;
  bool old = true;
  std::int64_t seq = first;
  for (;; ++seq) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) break;
    const Bytes bytes = row->Blob(1);
    const auto entry = Parse(base::AsText(bytes));
    const bool same = row->Int64(0) == seq && entry && entry->place.seq == seq &&
                      HashLeaf(entry->bytes) == (*tile)[static_cast<std::size_t>(seq - first)];
    if (!same) {
      row->Reset();
      return Differs(seq);
    }
    // Its own time, not its column's: an edited column must not make anything go.
    old = old && entry->place.time < before;
    if (IsLandmark(*entry)) landmarks.push_back(seq);
  }
  if (seq != first + kTileWidth) return Differs(seq);
  if (!old) return std::nullopt;
  return landmarks;
}

}  // namespace

bool IsLandmark(const Entry& entry) {
  const bool recovery_set = entry.draft.action == "put_recovery" && entry.draft.outcome == Outcome::kOk;
  return entry.place.seq == 0 || recovery_set || std::ranges::find(kLandmarks, entry.draft.action) != kLandmarks.end();
}

bool Pruned::Keeps(std::int64_t record) const { return std::ranges::binary_search(kept, record); }

std::int64_t Pruned::first_gone() const {
  std::int64_t record = 0;
  while (Keeps(record)) ++record;
  return record;
}

std::string Pruned::InWords() const {
  std::string text = std::to_string(gone()) + " records below seq " + std::to_string(first) + " were pruned by policy (older than " +
                     std::to_string(days) + " days)";
  if (seq >= 0) text += ", as record " + std::to_string(seq) + " of " + base::FormatTime(at) + " says";
  return text;
}

Facts PruneFacts(const Pruned& pruned) {
  return {{"days", std::to_string(pruned.days)},
          {"first", std::to_string(pruned.first)},
          {"kept", JoinNumbers(pruned.kept)},
          {"root", base::Hex(pruned.root)}};
}

std::optional<Pruned> PrunedBy(const Entry& entry) {
  const Draft& draft = entry.draft;
  if (draft.action != kPruneAction || draft.outcome != Outcome::kOk || !draft.after) return std::nullopt;
  const auto fact = [&](const char* name) {
    const auto found = draft.after->find(name);
    return found == draft.after->end() ? std::string_view() : std::string_view(found->second);
  };
  const auto first = ReadNumber(fact("first")), days = ReadNumber(fact("days"));
  if (!first || *first == 0 || *first % kTileWidth != 0 || *first > entry.place.seq || !days || *days > kMostDays) return std::nullopt;
  auto kept = ReadKept(fact("kept"), *first);
  const auto root = ReadHash(fact("root"));
  if (!kept || !root || kept->front() != 0) return std::nullopt;  // record 0 always stays
  return Pruned{*first, std::move(*kept), *root, *days, entry.place.seq, entry.place.time};
}

Result<std::optional<Pruned>> FindPruned(sql::Database& database) {
  // A first tile that is whole was not pruned: that spares most trails the search.
  TRY_ASSIGN(sql::Statement * row, database.QueryOne("SELECT COUNT(*) FROM AUDIT_LOG WHERE SEQ < ?1", {kTileWidth}));
  const std::int64_t there = row == nullptr ? 0 : row->Int64(0);
  if (row != nullptr) row->Reset();
  if (there >= kTileWidth) return std::nullopt;
  return NewestPruned(database);
}

Result<std::optional<Pruned>> NewestPruned(sql::Database& database) {
  TRY_ASSIGN(sql::Statement * row, database.Query("SELECT RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND ACTION = ?1 AND OUTCOME = 'ok' "
                                 "ORDER BY AT DESC, SEQ DESC",
                                 {kPruneAction}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return std::nullopt;
    const Bytes bytes = row->Blob(0);
    const auto entry = Parse(base::AsText(bytes));
    auto pruned = entry ? PrunedBy(*entry) : std::nullopt;
    if (!pruned) continue;
    row->Reset();
    return pruned;
  }
}

Result<std::optional<PrunePlan>> PlanPrune(sql::Database& database, const PrunePolicy& policy) {
  // Whatever was put back since: the boundary never goes back.
  TRY_ASSIGN(const std::optional<Pruned> so_far, NewestPruned(database));
  const std::int64_t from = so_far ? so_far->first : 0;
  Pruned plan;
  plan.first = from;
  plan.days = policy.days;
  if (so_far) plan.kept = so_far->kept;
  for (std::int64_t tiles = 0; tiles < kPruneTiles && plan.first + kTileWidth <= policy.under; ++tiles) {
    TRY_ASSIGN(const auto landmarks, ReadTile(database, plan.first / kTileWidth, policy.before));
    if (!landmarks) break;
    if (plan.kept.size() + landmarks->size() > kMostKept) {
      if (plan.first > from) break;
      return Fail(Code::kRefused, "more records must stay than one record can name: nothing more is pruned", plan.first);
    }
    plan.kept.insert(plan.kept.end(), landmarks->begin(), landmarks->end());
    plan.first += kTileWidth;
  }
  if (plan.first == from) return std::nullopt;
  StoredTree tree(database);
  TRY_ASSIGN(const Edge edge, EdgeAt(tree, plan.first));
  plan.root = edge.Root();
  return PrunePlan{from, std::move(plan)};
}

Result<void> Prune(sql::Database& database, const PrunePlan& plan) {
  const std::int64_t first = plan.pruned.first;
  std::int64_t gone = 0, wanted = first - plan.from, low = plan.from;
  const auto erase = [&](std::int64_t end) -> Result<void> {
    if (low == end) return {};
    TRY_ASSIGN(const std::int64_t rows, database.Execute("DELETE FROM AUDIT_LOG WHERE SEQ >= ?1 AND SEQ < ?2", {low, end}));
    gone += rows;
    return {};
  };
  for (const std::int64_t kept : plan.pruned.kept) {
    if (kept < plan.from) continue;
    TRY(erase(kept));
    low = kept + 1;
    --wanted;
  }
  TRY(erase(first));
  if (gone != wanted) return Fail(Code::kCorrupt, "the records that were to be pruned are not those that were read", gone);
  return {};
}

}  // namespace strongroom::audit
