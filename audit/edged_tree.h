// EdgedTree: a stored tree of a fixed size whose right edge is read once, for many proofs against one checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "audit/tree.h"

namespace strongroom::audit {

// TreeEdge is the hashes of the tiles that a tree of `size` records has not filled, by tile level. What is in none of the stored tiles
// costs up to 255 records, or 255 tiles, to find: so it is kept from one page of proofs to the next.
struct TreeEdge {
  std::int64_t size = -1;
  std::map<int, std::vector<Hash>> hashes;
};

class EdgedTree : public NodeSource {
 public:
  // `edge` is emptied where it is of another size; it must outlive the tree.
  EdgedTree(sql::Database& database, TreeEdge& edge, std::int64_t size);
  Result<Hash> Node(int level, std::int64_t index) override;

 private:
  StoredTree stored_;
  TreeEdge& edge_;
};

}  // namespace strongroom::audit
