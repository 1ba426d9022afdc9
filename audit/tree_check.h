// TreeCheck: the Merkle tree over the records as they are read, held against the one that is stored beside them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "audit/merkle.h"
#include "audit/source.h"

namespace strongroom::audit {

// TileDifference is the first place where a stored tile and the records disagree.
struct TileDifference {
  std::int64_t seq = 0;  // the first record under it
  int level = 0;
  bool missing = false;     // there is no such tile
  bool goes_on = false;     // what follows in the tile differs too
  bool ends_tile = false;   // nothing follows in the tile
};

class TreeCheck {
 public:
  // Expect: the root at this size will be asked for.
  void Expect(std::int64_t size) { roots_.emplace(size, std::nullopt); }
  void Append(const Hash& leaf);
  // Compare holds the tiles of leaves that are full since the last call against those of a page.
  void Compare(const Page& page);
  // CompareRest is for the end: the tiles of the levels above, and those that are not full where they are kept.
  Result<void> CompareRest(TrailSource& source);

  Head head() const { return edge_.head(); }
  // RootAt is the root of the first `size` records: of those expected, and of the last few thousand.
  std::optional<Hash> RootAt(std::int64_t size) const;
  // LeafAt is the hash of one of the last few thousand records.
  std::optional<Hash> LeafAt(std::int64_t seq) const;
  // RootWith is the root where the last record's hash is another.
  Hash RootWith(const Hash& last) const;
  const std::optional<TileDifference>& difference() const { return difference_; }

 private:
  struct Full {
    int level = 0;
    std::int64_t index = 0;
    std::vector<Hash> hashes;
  };
  void CompareOne(const Full& full, const std::vector<Hash>* stored);

  Edge edge_;
  std::vector<std::vector<Hash>> partial_;  // by tile level
  std::vector<Full> full_leaves_, full_above_;
  std::map<std::int64_t, std::optional<Hash>> roots_;
  // The last records' hashes, and the edges before them and amid them.
  Edge before_recent_, middle_;
  std::vector<Hash> recent_;
  std::optional<TileDifference> difference_;
};

}  // namespace strongroom::audit
