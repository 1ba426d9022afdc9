#include "audit/edged_tree.h"

#include <span>

namespace strongroom::audit {

EdgedTree::EdgedTree(sql::Database& database, TreeEdge& edge, std::int64_t size) : stored_(database), edge_(edge) {
  if (edge_.size != size) edge_ = {size, {}};
}

Result<Hash> EdgedTree::Node(int level, std::int64_t index) {
  const int tile_level = level / kTileHeight, inside = level % kTileHeight;
  const std::int64_t first = index << inside, count = std::int64_t{1} << inside, full = edge_.size >> (tile_level * kTileHeight);
  const std::int64_t tile = first / kTileWidth, offset = first % kTileWidth;
  if (tile != full / kTileWidth || offset + count > full % kTileWidth) return stored_.Node(level, index);
  auto kept = edge_.hashes.find(tile_level);
  if (kept == edge_.hashes.end()) {
    TRY_ASSIGN(std::vector<Hash> hashes, stored_.Tile(tile_level, tile, full % kTileWidth));
    kept = edge_.hashes.emplace(tile_level, std::move(hashes)).first;
  }
  Edge fold;
  for (const Hash& hash : std::span(kept->second).subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(count))) fold.Append(hash);
  return fold.Root();
}

}  // namespace strongroom::audit
