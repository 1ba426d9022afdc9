// The Merkle tree of RFC 6962 §2.1 (SHA-256): a trail's root, and proofs that a record is in it and that one tree grew out of
// another. Verification follows RFC 9162 §2.1.3.2 and §2.1.4.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::audit {

using Hash = std::array<std::uint8_t, 32>;

// HashLeaf is SHA-256(0x00 ‖ bytes), HashChildren SHA-256(0x01 ‖ left ‖ right), EmptyRoot SHA-256 of nothing.
Hash HashLeaf(std::string_view bytes);
Hash HashChildren(const Hash& left, const Hash& right);
Hash EmptyRoot();

// Head is a tree as one number and one hash, which stand for all its leaves.
struct Head {
  std::int64_t size = 0;
  Hash root = EmptyRoot();
  bool operator==(const Head&) const = default;
};

// Edge is the right edge of a growing tree: the roots of the full subtrees that its size is the sum of, from the largest. It is
// all that appending needs.
class Edge {
 public:
  Edge() = default;
  // Of is the edge of a tree of `size` leaves with these subtrees' roots; there must be one for each bit of `size`.
  static Edge Of(std::int64_t size, std::vector<Hash> roots);

  // Append calls `full(level, root)`, where it is given, for each full subtree of 2^level leaves that the leaf completes.
  template <typename Full>
  void Append(const Hash& leaf, const Full& full) {
    Hash hash = leaf;
    int level = 0;
    // Each full subtree of the size that is reached becomes the left half of one twice as large.
    for (std::int64_t rest = size_; full(level, hash), (rest & 1) == 1; rest >>= 1, ++level) {
      hash = HashChildren(roots_.back(), hash);
      roots_.pop_back();
    }
    roots_.push_back(hash);
    ++size_;
  }
  void Append(const Hash& leaf) {
    Append(leaf, [](int, const Hash&) {});
  }
  std::int64_t size() const { return size_; }
  Hash Root() const;
  Head head() const { return {size_, Root()}; }

 private:
  std::int64_t size_ = 0;
  std::vector<Hash> roots_;
};

// NodeSource knows the roots of a tree's full subtrees: Node(level, index) is that of the leaves from index·2^level on,
// 2^level of them.
class NodeSource {
 public:
  virtual ~NodeSource() = default;
  virtual Result<Hash> Node(int level, std::int64_t index) = 0;
};

// EdgeAt is the edge, and so the root, of the first `size` leaves.
Result<Edge> EdgeAt(NodeSource& nodes, std::int64_t size);

// InclusionProof is the audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling up (RFC 6962 §2.1.1).
// The index must be within the tree.
Result<std::vector<Hash>> InclusionProof(NodeSource& nodes, std::int64_t index, std::int64_t size);
// ConsistencyProof proves that the tree of `size` leaves begins with that of `old_size` (RFC 6962 §2.1.2): empty for 0 and where
// they are the same.
Result<std::vector<Hash>> ConsistencyProof(NodeSource& nodes, std::int64_t old_size, std::int64_t size);

bool VerifyInclusion(std::int64_t index, const Head& head, const Hash& leaf, std::span<const Hash> proof);
bool VerifyConsistency(const Head& old_head, const Head& head, std::span<const Hash> proof);

}  // namespace strongroom::audit
