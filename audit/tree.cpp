#include "audit/tree.h"

#include <algorithm>
#include <optional>

namespace strongroom::audit {
namespace {

constexpr std::size_t kHashBytes = std::tuple_size_v<Hash>;

Bytes Join(const std::vector<Hash>& hashes) {
  Bytes bytes;
  bytes.reserve(hashes.size() * kHashBytes);
  for (const Hash& hash : hashes) bytes.insert(bytes.end(), hash.begin(), hash.end());
  return bytes;
}

// Fold is the root over 2^n hashes.
Hash Fold(std::span<const Hash> hashes) {
  Edge edge;
  for (const Hash& hash : hashes) edge.Append(hash);
  return edge.Root();
}

std::unexpected<Error> Beyond(std::int64_t index) {
  return Fail(Code::kNotFound, "the trail is shorter than that", index);
}

}  // namespace

std::vector<Hash> SplitHashes(ByteView bytes) {
  std::vector<Hash> hashes;
  hashes.reserve(bytes.size() / kHashBytes + 1);
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kHashBytes))) {
    std::copy_n(bytes.begin(), std::min(bytes.size(), kHashBytes), hashes.emplace_back().begin());
  }
  return hashes;
}

Result<Hash> StoredTree::Node(int level, std::int64_t index) {
  const int tile_level = level / kTileHeight, inside = level % kTileHeight;
  const std::int64_t first = index << inside, count = std::int64_t{1} << inside;
  const std::int64_t offset = first % kTileWidth;
  TRY_ASSIGN(const std::vector<Hash> hashes, Tile(tile_level, first / kTileWidth, offset + count));
  return Fold(std::span(hashes).subspan(static_cast<std::size_t>(offset)));
}

Result<std::vector<Hash>> StoredTree::Tile(int level, std::int64_t index, std::int64_t width) {
  CHECK(level >= 0 && index >= 0 && width >= 1 && width <= kTileWidth);
  Kept& kept = kept_[level];
  if (kept.index != index) {
    TRY_ASSIGN(std::vector<Hash> full, ReadTile(level, index));
    if (!full.empty()) {
      kept_[level] = {index, std::move(full)};
    } else if (level == 0) {
      return LeavesOf(index * kTileWidth, width);
    } else {
      std::vector<Hash> hashes;
      for (std::int64_t i = 0; i < width; ++i) {
        TRY_ASSIGN(const std::vector<Hash> below, Tile(level - 1, index * kTileWidth + i, kTileWidth));
        hashes.push_back(Fold(below));
      }
      return hashes;
    }
  }
  const std::vector<Hash>& hashes = kept_[level].hashes;
  return std::vector<Hash>(hashes.begin(), hashes.begin() + width);
}

// ReadTile is empty where there is no such full tile.
Result<std::vector<Hash>> StoredTree::ReadTile(int level, std::int64_t index) {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT HASHES FROM AUDIT_TILE WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2",
                                                      {std::int64_t{level}, index}));
  if (row == nullptr) return std::vector<Hash>();
  const Bytes bytes = row->Blob(0);
  row->Reset();
  if (bytes.size() != kTileWidth * kHashBytes) return Fail(Code::kCorrupt, "a tile of the trail is not what was written", index);
  return SplitHashes(bytes);
}

Result<std::vector<Hash>> StoredTree::LeavesOf(std::int64_t first, std::int64_t count) {
  TRY_ASSIGN(sql::Statement * row,
             database_.Query("SELECT SEQ, RECORD FROM AUDIT_LOG WHERE SEQ >= ?1 ORDER BY SEQ LIMIT ?2", {first, count}));
  std::vector<Hash> hashes;
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) break;
    if (row->Int64(0) != first + static_cast<std::int64_t>(hashes.size())) {
      row->Reset();
      break;
    }
    hashes.push_back(HashLeaf(base::AsText(row->Blob(1))));
  }
  if (static_cast<std::int64_t>(hashes.size()) < count) return Beyond(first + count - 1);
  return hashes;
}

Result<std::optional<Head>> StoredTree::StoredHead() {
  TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT TREE_SIZE, ROOT FROM AUDIT_HEAD"));
  if (row == nullptr) return std::nullopt;
  Head head;
  head.size = row->Int64(0);
  const Bytes root = row->Blob(1);
  row->Reset();
  if (root.size() != kHashBytes) return Fail(Code::kCorrupt, "the trail's head is not what was written");
  std::copy(root.begin(), root.end(), head.root.begin());
  return head;
}

Result<GrowingTree> GrowingTree::Load(sql::Database& database, std::int64_t size) {
  StoredTree stored(database);
  GrowingTree tree;
  TRY_ASSIGN(tree.edge_, EdgeAt(stored, size));
  for (int level = 0; (size >> (level * kTileHeight)) > 0; ++level) {
    const std::int64_t hashes = size >> (level * kTileHeight);
    const std::int64_t width = hashes % kTileWidth;
    tree.partial_.emplace_back();
    if (width == 0) continue;
    TRY_ASSIGN(tree.partial_.back(), stored.Tile(level, hashes / kTileWidth, width));
  }
  tree.head_ = tree.edge_.head();
  TRY_ASSIGN(const std::optional<Head> head, stored.StoredHead());
  tree.head_stored_ = head.has_value();
  if (head.value_or(Head()) != tree.head_) {
    return Fail(Code::kCorrupt, "the trail's records are not those that its head was made of: run auditlog verify", size);
  }
  return tree;
}

Result<void> GrowingTree::Append(sql::Database& database, const Hash& leaf) {
  std::size_t levels = 0;  // of tiles that have one more hash
  edge_.Append(leaf, [&](int level, const Hash& root) {
    if (level % kTileHeight != 0) return;
    if (levels == partial_.size()) partial_.emplace_back();
    partial_[levels++].push_back(root);
  });
  for (std::size_t level = 0; level + 1 < levels; ++level) {
    std::vector<Hash>& tile = partial_[level];
    CHECK(tile.size() == kTileWidth);
    const std::int64_t index = (edge_.size() >> ((static_cast<int>(level) + 1) * kTileHeight)) - 1;
    const Bytes bytes = Join(tile);
    TRY(database.Execute("INSERT INTO AUDIT_TILE (TILE_LEVEL, TILE_INDEX, HASHES) VALUES (?1, ?2, ?3)",
                         {static_cast<std::int64_t>(level), index, ByteView(bytes)}));
    tile.clear();
  }
  return {};
}

Result<void> GrowingTree::PutHead(sql::Database& database) {
  const Head now = head_ = edge_.head();
  if (head_stored_) {
    TRY(database.Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = ?1, ROOT = ?2", {now.size, ByteView(now.root)}));
    return {};
  }
  TRY(database.Execute("INSERT INTO AUDIT_HEAD (TREE_SIZE, ROOT) VALUES (?1, ?2)", {now.size, ByteView(now.root)}));
  head_stored_ = true;
  return {};
}

}  // namespace strongroom::audit
