// TrailSource: where a trail that is verified is read from: a database, or files in the layout of c2sp.org/tlog-tiles.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/merkle.h"
#include "audit/prune.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// Columns is what stands beside a record for searching.
struct Columns {
  base::Micros at = 0;
  std::string action, outcome, actor;
  std::optional<std::string> customer, key_ref, request_id;
};

// Row is one record as it is kept.
struct Row {
  std::int64_t seq = 0;
  Bytes record;
  std::optional<Columns> columns;
};

// Page is some rows in the order of their seqs, and the full tiles of leaves that are stored for them, by index.
struct Page {
  std::vector<Row> rows;
  std::map<std::int64_t, std::vector<Hash>> tiles;
  bool end = false;  // there was nothing behind these
};

// kBeforeAll stands before any row, one with the lowest number too.
inline constexpr std::int64_t kBeforeAll = INT64_MIN;

class TrailSource {
 public:
  virtual ~TrailSource() = default;
  // Read is the rows behind seq `after`; kBeforeAll has the first.
  virtual Result<Page> Read(std::int64_t after) = 0;
  // Tile is a stored tile of `width` hashes, or nullopt: audit/tree.h has what level and index mean.
  virtual Result<std::optional<std::vector<Hash>>> Tile(int level, std::int64_t index, std::int64_t width) = 0;
  // keeps_partial_tiles: those that are not full are stored too.
  virtual bool keeps_partial_tiles() const = 0;
  // StoredHead is what is stored as the head behind the last record; nullopt where it is not there.
  virtual Result<std::optional<Head>> StoredHead() = 0;
  virtual bool keeps_head() const = 0;
  // FullTiles is how many full tiles of leaves are stored, up to the last.
  virtual Result<std::int64_t> FullTiles() = 0;
  // FindPruned is what the trail is said to have lost to its policy: to be believed once the record that says so has been read.
  virtual Result<std::optional<Pruned>> FindPruned() = 0;
  // CheckIndexes looks whether what searches go by leads to every record: what is wrong, for a person, and near which seq; nullopt where nothing is.
  struct IndexFault {
    std::int64_t seq = 0;
    std::string detail;
  };
  virtual Result<std::optional<IndexFault>> CheckIndexes() { return std::nullopt; }
  // CheckSchema looks, before anything is read, whether what is read is what vaultd makes.
  virtual Result<std::optional<IndexFault>> CheckSchema() { return std::nullopt; }
};

// DatabaseSource reads AUDIT_LOG, AUDIT_TILE and AUDIT_HEAD. One thread at a time.
class DatabaseSource : public TrailSource {
 public:
  explicit DatabaseSource(sql::Database& database) : database_(database) {}
  Result<Page> Read(std::int64_t after) override;
  Result<std::optional<std::vector<Hash>>> Tile(int level, std::int64_t index, std::int64_t width) override;
  bool keeps_partial_tiles() const override { return false; }
  Result<std::optional<Head>> StoredHead() override;
  bool keeps_head() const override { return true; }
  Result<std::int64_t> FullTiles() override;
  Result<std::optional<Pruned>> FindPruned() override { return audit::FindPruned(database_); }
  // The indexes of a file alone: a server's are its own affair.
  Result<std::optional<IndexFault>> CheckIndexes() override;
  Result<std::optional<IndexFault>> CheckSchema() override;

 private:
  Result<void> ReadTiles(Page& page);
  Result<void> ReadTileRun(Page& page, std::int64_t first, std::int64_t last);

  sql::Database& database_;
};

}  // namespace strongroom::audit
