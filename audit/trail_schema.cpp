#include "audit/trail_schema.h"

#include <array>
#include <string_view>

namespace strongroom::audit {
namespace {

struct Table {
  std::string_view name;
  std::string_view columns;  // "NAME TYPE PLACE-IN-KEY", each followed by a comma
};
constexpr auto kTables = std::to_array<Table>({
    {"AUDIT_LOG",
     "SEQ INTEGER 1,RECORD BLOB 0,AT INTEGER 0,ACTION TEXT 0,OUTCOME TEXT 0,ACTOR TEXT 0,CUSTOMER TEXT 0,KEY_REF TEXT 0,REQUEST_ID TEXT 0,"},
    {"AUDIT_TILE", "TILE_LEVEL INTEGER 1,TILE_INDEX INTEGER 2,HASHES BLOB 0,"},
    {"AUDIT_HEAD", "TREE_SIZE INTEGER 0,ROOT BLOB 0,"},
});
// Those that searches are led by, and that CheckIndexes sums through.
constexpr auto kIndexes = std::to_array<std::string_view>({"AUDIT_LOG_KEY", "AUDIT_LOG_CUSTOMER", "AUDIT_LOG_NOT_OK", "AUDIT_LOG_ACTS"});

// KindOf is "table", or what stands under the name in its place; "" where nothing does.
Result<std::string> KindOf(sql::Database& database, std::string_view name) {
  // A virtual table has no page of its own.
  TRY_ASSIGN(sql::Statement * row, database.QueryOne("SELECT CASE WHEN TYPE = 'table' AND COALESCE(ROOTPAGE, 0) = 0 THEN 'virtual table' ELSE TYPE END "
                                                     "FROM sqlite_schema WHERE NAME = ?1 COLLATE NOCASE",
                                                     {name}));
  std::string kind = row == nullptr ? "" : row->Text(0);
  if (row != nullptr) row->Reset();
  return kind;
}

Result<std::string> ColumnsOf(sql::Database& database, std::string_view table) {
  std::string columns;
  TRY_ASSIGN(sql::Statement * row, database.Query("SELECT NAME || ' ' || TYPE || ' ' || PK FROM pragma_table_info(?1)", {table}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return columns;
    columns += row->Text(0) + ',';
  }
}

}  // namespace

Result<std::optional<std::string>> FindOddSchema(sql::Database& database) {
  if (database.engine() != sql::Engine::kSqlite) return std::nullopt;
  for (const Table& table : kTables) {
    const std::string name(table.name);
    TRY_ASSIGN(const std::string kind, KindOf(database, table.name));
    if (kind.empty()) return "there is no table " + name;
    if (kind != "table") return name + " is no table but a " + kind + ": what it shows may be another thing each time";
    TRY_ASSIGN(const std::string columns, ColumnsOf(database, table.name));
    if (columns != table.columns) return "the columns of " + name + " are not those that vaultd makes: somebody has altered the table";
  }
  for (const std::string_view index : kIndexes) {
    TRY_ASSIGN(const std::string kind, KindOf(database, index));
    if (kind != "index") return "there is no index " + std::string(index) + ": searches and reports cannot be trusted";
  }
  return std::nullopt;
}

// One statement each, which sees one moment of a trail that is being written: tiles and head are committed together.
Result<std::optional<std::string>> FindStray(sql::Database& database) {
  TRY_ASSIGN(sql::Statement * row, database.QueryOne("SELECT COUNT(*) FROM AUDIT_HEAD"));
  const std::int64_t heads = row->Int64(0);
  row->Reset();
  if (heads > 1) return "there are " + std::to_string(heads) + " stored heads, and a trail has one";
  const bool sqlite = database.engine() == sql::Engine::kSqlite;
  // The tiles of a level that could be are full ones: a trail of 2^53 records has seven levels. SQLite alone keeps another type in an integer's column.
  TRY_ASSIGN(row, sqlite ? database.QueryOne("SELECT COUNT(*) FROM AUDIT_TILE, AUDIT_HEAD WHERE TYPEOF(TILE_LEVEL) <> 'integer' OR "
                                             "TYPEOF(TILE_INDEX) <> 'integer' OR TILE_LEVEL < 0 OR TILE_LEVEL > 6 OR TILE_INDEX < 0 OR "
                                             "TILE_INDEX >= (TREE_SIZE >> (8 * (TILE_LEVEL + 1)))")
                         : database.QueryOne("SELECT COUNT(*) FROM AUDIT_TILE, AUDIT_HEAD WHERE TILE_LEVEL < 0 OR TILE_LEVEL > 6 OR "
                                             "TILE_INDEX < 0 OR TILE_INDEX >= (TREE_SIZE >> CAST(8 * (LEAST(GREATEST(TILE_LEVEL, 0), 6) + 1) AS INTEGER))"));
  const std::int64_t tiles = row->Int64(0);
  row->Reset();
  if (tiles > 0) return std::to_string(tiles) + " stored tiles are of records that this trail does not have";
  return std::nullopt;
}

}  // namespace strongroom::audit
