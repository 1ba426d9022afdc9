// The trail's Merkle tree as its database keeps it: the hashes of its records in tiles of 256 (C2SP tlog-tiles, height 8). A tile is
// written once, when it is full: what is in none of them follows from the records and from the tiles below.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "audit/merkle.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

inline constexpr int kTileHeight = 8;
inline constexpr std::int64_t kTileWidth = 1 << kTileHeight;

// SplitHashes cuts a tile's bytes into its hashes; bytes that are left over are one more, with zeros behind them, so that
// the tile has too many.
std::vector<Hash> SplitHashes(ByteView bytes);

// StoredTree reads. It keeps the last tile of each level, so that walks along the tree read each once. What it tells is what the
// database says: Verify compares the tiles with the records.
class StoredTree : public NodeSource {
 public:
  // The tree is as large as the trail was when it is first asked; kNotFound for what lies beyond.
  explicit StoredTree(sql::Database& database) : database_(database) {}
  Result<Hash> Node(int level, std::int64_t index) override;
  // Tile is the first `width` hashes of tile `index` at tile level `level`: the roots of the subtrees of 256^level records.
  // kNotFound where the trail is shorter.
  Result<std::vector<Hash>> Tile(int level, std::int64_t index, std::int64_t width);
  // StoredHead is the size and root that were written with the last record; nullopt where there is none.
  Result<std::optional<Head>> StoredHead();

 private:
  struct Kept {
    std::int64_t index = -1;
    std::vector<Hash> hashes;
  };
  Result<std::vector<Hash>> ReadTile(int level, std::int64_t index);
  Result<std::vector<Hash>> LeavesOf(std::int64_t first, std::int64_t count);

  sql::Database& database_;
  std::map<int, Kept> kept_;  // full tiles
};

// GrowingTree is the writer's: it takes the hash of each record that is inserted and writes what that completes, in the transaction
// that is open. Where that fails, or is rolled back, it is to be loaded again.
class GrowingTree {
 public:
  // Load reads the tree of the trail's first `size` records. kCorrupt where its root is not the stored head's.
  static Result<GrowingTree> Load(sql::Database& database, std::int64_t size);

  Result<void> Append(sql::Database& database, const Hash& leaf);
  // PutHead writes the head as it is now.
  Result<void> PutHead(sql::Database& database);
  // head is the one that was written last.
  const Head& head() const { return head_; }

 private:
  Edge edge_;
  Head head_;
  std::vector<std::vector<Hash>> partial_;  // by tile level, each fewer than kTileWidth
  bool head_stored_ = false;
};

}  // namespace strongroom::audit
