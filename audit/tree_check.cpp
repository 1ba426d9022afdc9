#include "audit/tree_check.h"

#include <utility>

#include "audit/tree.h"

namespace strongroom::audit {
namespace {

constexpr std::int64_t kRecent = 8192;

// FirstSeq is the first record under a tile's hash.
std::int64_t FirstSeq(int level, std::int64_t index, std::size_t hash) {
  return (index * kTileWidth + static_cast<std::int64_t>(hash)) << (level * kTileHeight);
}

}  // namespace

void TreeCheck::Append(const Hash& leaf) {
  recent_.push_back(leaf);
  std::size_t level = 0;
  edge_.Append(leaf, [&](int height, const Hash& root) {
    if (height % kTileHeight != 0) return;
    if (level == partial_.size()) partial_.emplace_back();
    std::vector<Hash>& tile = partial_[level++];
    if (tile.empty()) tile.reserve(kTileWidth);
    tile.push_back(root);
  });
  for (std::size_t i = 0; i < partial_.size() && partial_[i].size() == kTileWidth; ++i) {
    const int tile_level = static_cast<int>(i);
    const std::int64_t index = (edge_.size() >> ((tile_level + 1) * kTileHeight)) - 1;
    (i == 0 ? full_leaves_ : full_above_).push_back({tile_level, index, std::move(partial_[i])});
    partial_[i].clear();
  }
  if (const auto expected = roots_.find(edge_.size()); expected != roots_.end()) expected->second = edge_.Root();
  if (edge_.size() % kRecent != 0) return;
  if (std::ssize(recent_) == 2 * kRecent) {
    recent_.erase(recent_.begin(), recent_.begin() + kRecent);
    before_recent_ = std::move(middle_);
  }
  middle_ = edge_;
}

void TreeCheck::CompareOne(const Full& full, const std::vector<Hash>* stored) {
  // Of a level above, only what the leaves do not tell already is of interest.
  if (difference_) return;
  if (stored == nullptr) {
    difference_ = {FirstSeq(full.level, full.index, 0), full.level, true};
    return;
  }
  const std::size_t size = full.hashes.size();
  const auto same = [&](std::size_t i) { return i < stored->size() && (*stored)[i] == full.hashes[i]; };
  for (std::size_t i = 0; i < size; ++i) {
    if (same(i)) continue;
    const bool last = i + 1 == size;
    difference_ = {FirstSeq(full.level, full.index, i), full.level, false, !last && !same(i + 1), last};
    return;
  }
  if (stored->size() != size) difference_ = {FirstSeq(full.level, full.index, size - 1), full.level, false, false, false};
}

void TreeCheck::Compare(const Page& page) {
  for (const Full& full : full_leaves_) {
    const auto stored = page.tiles.find(full.index);
    CompareOne(full, stored == page.tiles.end() ? nullptr : &stored->second);
  }
  full_leaves_.clear();
}

Result<void> TreeCheck::CompareRest(TrailSource& source) {
  std::vector<Full> rest = std::move(full_above_);
  full_above_.clear();
  if (source.keeps_partial_tiles()) {
    for (std::size_t i = 0; i < partial_.size(); ++i) {
      const int level = static_cast<int>(i);
      if (!partial_[i].empty()) rest.push_back({level, edge_.size() >> ((level + 1) * kTileHeight), partial_[i]});
    }
  }
  for (const Full& full : rest) {
    TRY_ASSIGN(const auto stored, source.Tile(full.level, full.index, std::ssize(full.hashes)));
    CompareOne(full, stored ? &*stored : nullptr);
  }
  return {};
}

std::optional<Hash> TreeCheck::RootAt(std::int64_t size) const {
  if (const auto expected = roots_.find(size); expected != roots_.end() && expected->second) return expected->second;
  if (size == edge_.size()) return edge_.Root();
  if (size == 0) return EmptyRoot();
  if (size > edge_.size() || size < before_recent_.size()) return std::nullopt;
  Edge edge = before_recent_;
  for (std::int64_t i = edge.size(); i < size; ++i) edge.Append(recent_[static_cast<std::size_t>(i - before_recent_.size())]);
  return edge.Root();
}

std::optional<Hash> TreeCheck::LeafAt(std::int64_t seq) const {
  if (seq < before_recent_.size() || seq >= edge_.size()) return std::nullopt;
  return recent_[static_cast<std::size_t>(seq - before_recent_.size())];
}

Hash TreeCheck::RootWith(const Hash& last) const {
  Edge edge = before_recent_;
  for (std::size_t i = 0; i + 1 < recent_.size(); ++i) edge.Append(recent_[i]);
  edge.Append(last);
  return edge.Root();
}

}  // namespace strongroom::audit
