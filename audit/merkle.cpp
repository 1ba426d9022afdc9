#include "audit/merkle.h"

#include <openssl/evp.h>

#include <bit>
#include <memory>
#include <utility>

namespace strongroom::audit {
namespace {

// OpenSSL's SHA-256 uses the CPU's instructions for it, which libsodium's does not: a record takes a fifth of the time.
// Fetched once, and one context a thread: either costs more than the hash.
const EVP_MD* Sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest;
}

EVP_MD_CTX* Sha256Context() {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  return context.get();
}

Hash Digest(std::initializer_list<std::span<const std::uint8_t>> parts) {
  Hash digest;
  EVP_MD_CTX* const context = Sha256Context();
  bool done = context != nullptr && EVP_DigestInit_ex2(context, Sha256(), nullptr) == 1;
  for (const auto part : parts) done = done && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
  done = done && EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
  CHECK(done);
  return digest;
}

// Split is the largest power of two below `size`, which must be at least 2: where RFC 6962 splits a tree.
std::int64_t Split(std::int64_t size) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(size - 1)));
}

int Log2(std::int64_t power) { return std::countr_zero(static_cast<std::uint64_t>(power)); }
bool IsPower(std::int64_t size) { return std::has_single_bit(static_cast<std::uint64_t>(size)); }

// RootOf is the root of the leaves from `begin` on, `size` of them; begin is a multiple of the size's next power of two.
Result<Hash> RootOf(NodeSource& nodes, std::int64_t begin, std::int64_t size) {
  if (IsPower(size)) return nodes.Node(Log2(size), begin / size);
  const std::int64_t split = Split(size);
  TRY_ASSIGN(const Hash left, RootOf(nodes, begin, split));
  TRY_ASSIGN(const Hash right, RootOf(nodes, begin + split, size - split));
  return HashChildren(left, right);
}

// Climb folds a proof's hashes over `hash`, the subtree at `index` of the tree whose last subtree at that height is `last`.
// RFC 9162 calls them fn and sn. False where the proof is too short or too long.
struct Climb {
  std::int64_t index, last;
  bool Take(const Hash& step, Hash& hash, Hash* old_hash = nullptr) {
    if (last == 0) return false;
    if ((index & 1) == 1 || index == last) {
      if (old_hash != nullptr) *old_hash = HashChildren(step, *old_hash);
      hash = HashChildren(step, hash);
      while ((index & 1) == 0 && index != 0) Up();
    } else {
      hash = HashChildren(hash, step);
    }
    Up();
    return true;
  }
  void Up() {
    index >>= 1;
    last >>= 1;
  }
};

}  // namespace

Hash HashLeaf(std::string_view bytes) {
  constexpr std::uint8_t kLeaf[] = {0x00};
  return Digest({kLeaf, base::AsBytes(bytes)});
}

Hash HashChildren(const Hash& left, const Hash& right) {
  constexpr std::uint8_t kNode[] = {0x01};
  return Digest({kNode, left, right});
}

Hash EmptyRoot() {
  static const Hash root = Digest({});
  return root;
}

Edge Edge::Of(std::int64_t size, std::vector<Hash> roots) {
  CHECK(size >= 0 && roots.size() == static_cast<std::size_t>(std::popcount(static_cast<std::uint64_t>(size))));
  Edge edge;
  edge.size_ = size;
  edge.roots_ = std::move(roots);
  return edge;
}

Hash Edge::Root() const {
  if (roots_.empty()) return EmptyRoot();
  Hash hash = roots_.back();
  for (std::size_t i = roots_.size() - 1; i > 0; --i) hash = HashChildren(roots_[i - 1], hash);
  return hash;
}

Result<Edge> EdgeAt(NodeSource& nodes, std::int64_t size) {
  CHECK(size >= 0);
  std::vector<Hash> roots;
  std::int64_t begin = 0;
  while (begin < size) {
    const auto part = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(size - begin)));
    TRY_ASSIGN(const Hash root, nodes.Node(Log2(part), begin / part));
    roots.push_back(root);
    begin += part;
  }
  return Edge::Of(size, std::move(roots));
}

Result<std::vector<Hash>> InclusionProof(NodeSource& nodes, std::int64_t index, std::int64_t size) {
  CHECK(index >= 0 && index < size);
  std::vector<Hash> proof;
  std::int64_t begin = 0;
  while (size > 1) {
    const std::int64_t split = Split(size);
    const bool left = index - begin < split;
    TRY_ASSIGN(const Hash other, left ? RootOf(nodes, begin + split, size - split) : RootOf(nodes, begin, split));
    proof.insert(proof.begin(), other);
    begin += left ? 0 : split;
    size = left ? split : size - split;
  }
  return proof;
}

Result<std::vector<Hash>> ConsistencyProof(NodeSource& nodes, std::int64_t old_size, std::int64_t size) {
  CHECK(old_size >= 0 && old_size <= size);
  std::vector<Hash> proof;
  if (old_size == 0 || old_size == size) return proof;
  std::int64_t begin = 0, old_rest = old_size;
  while (old_rest != size) {
    const std::int64_t split = Split(size);
    const bool left = old_rest <= split;
    TRY_ASSIGN(const Hash other, left ? RootOf(nodes, begin + split, size - split) : RootOf(nodes, begin, split));
    proof.insert(proof.begin(), other);
    begin += left ? 0 : split;
    size = left ? split : size - split;
    old_rest -= left ? 0 : split;
  }
  // The old tree's last full subtree; who verifies knows it where it is the old tree itself.
  if (begin > 0) {
    TRY_ASSIGN(const Hash last, RootOf(nodes, begin, size));
    proof.insert(proof.begin(), last);
  }
  return proof;
}

bool VerifyInclusion(std::int64_t index, const Head& head, const Hash& leaf, std::span<const Hash> proof) {
  if (index < 0 || index >= head.size) return false;
  Climb climb{index, head.size - 1};
  Hash hash = leaf;
  for (const Hash& step : proof) {
    if (!climb.Take(step, hash)) return false;
  }
  return climb.last == 0 && hash == head.root;
}

bool VerifyConsistency(const Head& old_head, const Head& head, std::span<const Hash> proof) {
  if (old_head.size < 0 || old_head.size > head.size) return false;
  if (old_head.size == 0) return proof.empty() && old_head.root == EmptyRoot();
  if (old_head.size == head.size) return proof.empty() && old_head.root == head.root;
  const bool whole = IsPower(old_head.size);
  if (!whole && proof.empty()) return false;
  Hash old_hash = whole ? old_head.root : proof.front();
  Hash hash = old_hash;
  Climb climb{old_head.size - 1, head.size - 1};
  while ((climb.index & 1) == 1) climb.Up();
  for (const Hash& step : proof.subspan(whole ? 0 : 1)) {
    if (!climb.Take(step, hash, &old_hash)) return false;
  }
  return climb.last == 0 && hash == head.root && old_hash == old_head.root;
}

}  // namespace strongroom::audit
