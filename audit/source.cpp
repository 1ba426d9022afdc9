#include "audit/source.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "audit/record.h"
#include "audit/trail_schema.h"
#include "audit/tree.h"

namespace strongroom::audit {
namespace {

// By pages, so that no read transaction holds up the write-ahead log of a live vault for long; of whole tiles, and large enough that the
// two threads seldom wait for each other.
constexpr std::int64_t kPage = 16 * kTileWidth;

Row ReadRow(const sql::Statement& statement) {
  Row row{statement.Int64(0), statement.Blob(1), std::nullopt};
  row.columns.emplace(Columns{statement.Int64(2), statement.Text(3), statement.Text(4), statement.Text(5), statement.OptionalText(6),
                              statement.OptionalText(7), statement.OptionalText(8)});
  return row;
}

// What is summed of a row, and the sum through an index.
#define SUMMED "(AT % 1000003 + SEQ % 999983)"
#define SUMS_BY(index, where) "(SELECT TOTAL(1) AS ROWS, TOTAL" SUMMED " AS SUM FROM AUDIT_LOG INDEXED BY " index " WHERE " where ")"
#define ROWS_OF_TRAIL "SELECT SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG "

}  // namespace

Result<Page> DatabaseSource::Read(std::int64_t after) {
  Page page;
  page.rows.reserve(kPage);
  // The first page has whatever there is: no number is so low that a row under it goes unseen.
  const bool first = after == kBeforeAll;
  TRY_ASSIGN(sql::Statement * row, database_.Query(first ? sql::Sql(ROWS_OF_TRAIL "WHERE SEQ >= ?1 ORDER BY SEQ LIMIT ?2")
                                                         : sql::Sql(ROWS_OF_TRAIL "WHERE SEQ > ?1 ORDER BY SEQ LIMIT ?2"),
                                                   {after, kPage}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) break;
    page.rows.push_back(ReadRow(*row));
  }
  page.end = std::ssize(page.rows) < kPage;
  if (!page.rows.empty()) TRY(ReadTiles(page));
  return page;
}

// A tile was committed with the last record in it, so it is there when that record has been read.
Result<void> DatabaseSource::ReadTiles(Page& page) {
  // By runs: between two rows there may be any number of tiles whose records were pruned.
  for (std::size_t i = 0; i < page.rows.size();) {
    const std::int64_t first = page.rows[i].seq / kTileWidth;
    std::int64_t last = first;
    while (i < page.rows.size() && page.rows[i].seq / kTileWidth <= last + 1) last = page.rows[i++].seq / kTileWidth;
    TRY(ReadTileRun(page, first, last));
  }
  return {};
}

Result<void> DatabaseSource::ReadTileRun(Page& page, std::int64_t first, std::int64_t last) {
  TRY_ASSIGN(sql::Statement * row,
             database_.Query("SELECT TILE_INDEX, HASHES FROM AUDIT_TILE WHERE TILE_LEVEL = 0 AND TILE_INDEX BETWEEN ?1 AND ?2", {first, last}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return {};
    page.tiles[row->Int64(0)] = SplitHashes(row->Blob(1));
  }
}

Result<std::optional<std::vector<Hash>>> DatabaseSource::Tile(int level, std::int64_t index, std::int64_t width) {
  if (width != kTileWidth) return std::nullopt;
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT HASHES FROM AUDIT_TILE WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2",
                                                      {std::int64_t{level}, index}));
  if (row == nullptr) return std::nullopt;
  auto hashes = SplitHashes(row->Blob(0));
  row->Reset();
  return hashes;
}

Result<std::optional<Head>> DatabaseSource::StoredHead() {
  StoredTree tree(database_);
  auto head = tree.StoredHead();
  // What is no head is none.
  if (!head && head.error().code() == Code::kCorrupt) return std::nullopt;
  return head;
}

Result<std::int64_t> DatabaseSource::FullTiles() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT MAX(TILE_INDEX) FROM AUDIT_TILE WHERE TILE_LEVEL = 0"));
  const std::int64_t last = row == nullptr ? -1 : row->OptionalInt64(0).value_or(-1);
  if (row != nullptr) row->Reset();
  return std::clamp<std::int64_t>(last, -1, kMostInteger / kTileWidth) + 1;  // somebody else may have written it
}

Result<std::optional<TrailSource::IndexFault>> DatabaseSource::CheckSchema() {
  TRY_ASSIGN(const auto odd, FindOddSchema(database_));
  if (odd) return IndexFault{0, *odd};
  return std::nullopt;
}

Result<std::optional<TrailSource::IndexFault>> DatabaseSource::CheckIndexes() {
  TRY_ASSIGN(const auto stray, FindStray(database_));
  if (stray) return IndexFault{0, *stray};
  if (database_.engine() != sql::Engine::kSqlite) return std::nullopt;
  // Sums of what an index holds beside its first column, through the index and past it. SQLite's own integrity_check compares that column too, and takes longer
  // than all the rest.
  // One statement, which sees one moment of a trail that is being written.
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne(
                      "SELECT T.KEYS = K.ROWS AND T.OF_KEYS = K.SUM, T.CUSTOMERS = C.ROWS AND T.OF_CUSTOMERS = C.SUM, "
                      "T.REFUSED = N.ROWS AND T.OF_REFUSED = N.SUM, T.ACTS = A.ROWS AND T.OF_ACTS = A.SUM FROM "
                      "(SELECT TOTAL(KEY_REF IS NOT NULL) AS KEYS, TOTAL((KEY_REF IS NOT NULL) * " SUMMED ") AS OF_KEYS, "
                      "TOTAL(CUSTOMER IS NOT NULL) AS CUSTOMERS, TOTAL((CUSTOMER IS NOT NULL) * " SUMMED ") AS OF_CUSTOMERS, "
                      "TOTAL(OUTCOME <> 'ok') AS REFUSED, TOTAL((OUTCOME <> 'ok') * " SUMMED ") AS OF_REFUSED, "
                      "TOTAL(ACTION <> 'resolve') AS ACTS, TOTAL((ACTION <> 'resolve') * " SUMMED ") AS OF_ACTS "
                      "FROM AUDIT_LOG NOT INDEXED) T, "
                      SUMS_BY("AUDIT_LOG_KEY", "KEY_REF IS NOT NULL") " K, " SUMS_BY("AUDIT_LOG_CUSTOMER", "CUSTOMER IS NOT NULL") " C, "
                      SUMS_BY("AUDIT_LOG_NOT_OK", "OUTCOME <> 'ok'") " N, " SUMS_BY("AUDIT_LOG_ACTS", "ACTION <> 'resolve'") " A"));
  constexpr std::array<std::string_view, 4> kNames = {"AUDIT_LOG_KEY", "AUDIT_LOG_CUSTOMER", "AUDIT_LOG_NOT_OK", "AUDIT_LOG_ACTS"};
  std::string_view bad;
  for (std::size_t i = kNames.size(); i-- > 0;) bad = row->Int64(static_cast<int>(i)) != 1 ? kNames[i] : bad;
  row->Reset();
  if (!bad.empty()) return IndexFault{0, "the index " + std::string(bad) + " does not lead to every record: searches and reports cannot be trusted"};
  return std::nullopt;
}

}  // namespace strongroom::audit
