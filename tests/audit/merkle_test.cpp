// The tree against the vectors of transparency-dev/merkle (Apache-2.0, testonly/reference_test.go and constants.go), which Certificate
// Transparency's implementations share; and against RFC 6962's recursive definition at every small size.
#include "audit/merkle.h"

#include <algorithm>
#include <map>
#include <string>

#include "tests/audit/trail.h"
#include "audit/tree.h"

namespace strongroom::audit {
namespace {

Hash FromHex(std::string_view text) {
  Hash hash;
  REQUIRE(text.size() == 2 * hash.size());
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(std::stoi(std::string(text.substr(2 * i, 2)), nullptr, 16));
  return hash;
}

std::vector<Hash> AllFromHex(std::initializer_list<std::string_view> texts) {
  std::vector<Hash> hashes;
  for (const std::string_view text : texts) hashes.push_back(FromHex(text));
  return hashes;
}

const std::vector<std::string> kLeaves = {
    "", std::string(1, '\0'), "\x10", "\x20\x21", "\x30\x31", "\x40\x41\x42\x43", "\x50\x51\x52\x53\x54\x55\x56\x57",
    "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};

const std::vector<std::string_view> kRoots = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

// Memory holds the leaves' hashes and computes every node as RFC 6962 §2.1 defines it.
class Memory : public NodeSource {
 public:
  explicit Memory(std::vector<Hash> leaves) : leaves_(std::move(leaves)) {}
  Result<Hash> Node(int level, std::int64_t index) override {
    const std::size_t width = std::size_t{1} << level;
    return Tree(static_cast<std::size_t>(index) * width, width);
  }
  Hash Tree(std::size_t begin, std::size_t size) const {
    if (size == 0) return EmptyRoot();
    if (size == 1) return leaves_.at(begin);
    std::size_t split = 1;
    while (split * 2 < size) split *= 2;
    return HashChildren(Tree(begin, split), Tree(begin + split, size - split));
  }
  Head HeadAt(std::size_t size) const { return {static_cast<std::int64_t>(size), Tree(0, size)}; }

 private:
  std::vector<Hash> leaves_;
};

Memory Published() {
  std::vector<Hash> leaves;
  for (const std::string& leaf : kLeaves) leaves.push_back(HashLeaf(leaf));
  return Memory(std::move(leaves));
}

Memory Numbered(int count) {
  std::vector<Hash> leaves;
  for (int i = 0; i < count; ++i) leaves.push_back(HashLeaf("leaf " + std::to_string(i)));
  return Memory(std::move(leaves));
}

}  // namespace

TEST_CASE("roots are the published ones at each size") {
  Edge edge;
  for (std::size_t size = 0; size <= kLeaves.size(); ++size) {
    CHECK(edge.Root() == FromHex(kRoots[size]));
    CHECK(edge.size() == static_cast<std::int64_t>(size));
    if (size < kLeaves.size()) edge.Append(HashLeaf(kLeaves[size]));
  }
}

TEST_CASE("proofs are the published ones") {
  Memory tree = Published();
  CHECK(*InclusionProof(tree, 0, 1) == std::vector<Hash>());
  CHECK(*InclusionProof(tree, 0, 8) ==
        AllFromHex({"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  CHECK(*InclusionProof(tree, 5, 8) ==
        AllFromHex({"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  CHECK(*InclusionProof(tree, 2, 3) == AllFromHex({"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}));
  CHECK(*ConsistencyProof(tree, 1, 1) == std::vector<Hash>());
  CHECK(*ConsistencyProof(tree, 1, 8) ==
        AllFromHex({"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  CHECK(*ConsistencyProof(tree, 6, 8) ==
        AllFromHex({"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  CHECK(*ConsistencyProof(tree, 2, 5) ==
        AllFromHex({"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
}

TEST_CASE("at every size every leaf is proved, and nothing else is") {
  constexpr int kMost = 70;
  Memory tree = Numbered(kMost);
  for (int size = 1; size <= kMost; ++size) {
    const Head head = tree.HeadAt(static_cast<std::size_t>(size));
    CHECK(EdgeAt(tree, size)->head() == head);
    for (int index = 0; index < size; ++index) {
      const Hash leaf = *tree.Node(0, index);
      std::vector<Hash> proof = *InclusionProof(tree, index, size);
      REQUIRE(VerifyInclusion(index, head, leaf, proof));
      REQUIRE_FALSE(VerifyInclusion(index, head, HashLeaf("another"), proof));
      for (const int other : {index - 1, index + 1, size}) REQUIRE_FALSE(VerifyInclusion(other, head, leaf, proof));
      if (size > 1) {
        REQUIRE_FALSE(VerifyInclusion(index, head, leaf, std::span(proof).first(proof.size() - 1)));
        proof.back()[3] ^= 0x10;
        REQUIRE_FALSE(VerifyInclusion(index, head, leaf, proof));
        proof.back()[3] ^= 0x10;
      }
      proof.push_back(leaf);
      REQUIRE_FALSE(VerifyInclusion(index, head, leaf, proof));
    }
  }
}

TEST_CASE("at every pair of sizes the smaller tree is proved to be where the larger began") {
  constexpr int kMost = 70;
  Memory tree = Numbered(kMost);
  for (int size = 0; size <= kMost; ++size) {
    const Head head = tree.HeadAt(static_cast<std::size_t>(size));
    for (int old_size = 0; old_size <= size; ++old_size) {
      Head old_head = tree.HeadAt(static_cast<std::size_t>(old_size));
      std::vector<Hash> proof = *ConsistencyProof(tree, old_size, size);
      REQUIRE(VerifyConsistency(old_head, head, proof));
      for (std::size_t i = 0; i < proof.size(); ++i) {
        std::vector<Hash> bent = proof;
        bent[i][0] ^= 1;
        REQUIRE_FALSE(VerifyConsistency(old_head, head, bent));
      }
      if (!proof.empty()) REQUIRE_FALSE(VerifyConsistency(old_head, head, std::span(proof).first(proof.size() - 1)));
      proof.push_back(EmptyRoot());
      REQUIRE_FALSE(VerifyConsistency(old_head, head, proof));
      proof.pop_back();
      old_head.root[31] ^= 0x80;
      REQUIRE_FALSE(VerifyConsistency(old_head, head, proof));
    }
  }
  CHECK_FALSE(VerifyConsistency(tree.HeadAt(5), tree.HeadAt(4), {}));
}

TEST_CASE("the tree in the database is that of its records, across tiles of two levels") {
  const Trail trail;
  constexpr std::int64_t kRecords = kTileWidth * kTileWidth + 3 * kTileWidth + 17;
  const auto database = trail.Open();
  Edge whole;
  {
    auto tree = GrowingTree::Load(*database, 0);
    REQUIRE(tree);
    REQUIRE(database->Begin());
    for (std::int64_t seq = 0; seq < kRecords; ++seq) {
      const std::string record = "record " + std::to_string(seq);
      REQUIRE(database->Execute("INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR) VALUES (?1, ?2, 0, 'x', 'ok', 'x')",
                                {seq, base::AsBytes(record)}));
      REQUIRE(tree->Append(*database, HashLeaf(record)));
      whole.Append(HashLeaf(record));
      // At a few moments, what a writer that begins anew would find.
      if (seq % 20'011 == 0 || seq == 255 || seq == 256) {
        REQUIRE(tree->PutHead(*database));
        const auto loaded = GrowingTree::Load(*database, seq + 1);
        REQUIRE(loaded);
        CHECK(loaded->head() == whole.head());
      }
    }
    REQUIRE(tree->PutHead(*database));
    REQUIRE(database->Commit());
    CHECK(tree->head() == whole.head());
  }
  StoredTree stored(*database);
  CHECK(*stored.StoredHead() == whole.head());
  CHECK(EdgeAt(stored, kRecords)->head() == whole.head());
  for (const std::int64_t index : {std::int64_t{0}, std::int64_t{255}, std::int64_t{256}, std::int64_t{65'535}, kRecords - 1}) {
    const auto proof = InclusionProof(stored, index, kRecords);
    REQUIRE(proof);
    CHECK(VerifyInclusion(index, whole.head(), HashLeaf("record " + std::to_string(index)), *proof));
  }
  CHECK(EdgeAt(stored, kRecords + 1).error().code() == Code::kNotFound);
  // Anything that was changed under its head shows at the next start.
  SECTION("a tile") { REQUIRE(database->Execute("UPDATE AUDIT_TILE SET HASHES = ZEROBLOB(8192) WHERE TILE_LEVEL = 0 AND TILE_INDEX = 257")); }
  SECTION("a record behind the tiles") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET RECORD = x'00' WHERE SEQ = ?1", {kRecords - 2})); }
  SECTION("the head") { REQUIRE(database->Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = TREE_SIZE - 1")); }
  SECTION("no head") { REQUIRE(database->Execute("DELETE FROM AUDIT_HEAD")); }
  const auto changed = GrowingTree::Load(*database, kRecords);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code() == Code::kCorrupt);
}

}  // namespace strongroom::audit
