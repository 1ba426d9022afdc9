#include "audit/tiles.h"

#include <vector>

#include "audit/bundle.h"
#include "audit/prune.h"
#include "audit/sequence.h"
#include "audit/tree.h"

namespace strongroom::audit {
namespace {

// Tiling takes the records in their order and writes each tile when it is full, the rest at the end.
class Tiling {
 public:
  Tiling(OutDirectory& out, bool entries) : out_(out), with_entries_(entries) {}

  Result<void> Append(std::string_view record) {
    if (with_entries_) AppendEntry(record);
    return AppendLeaf(HashLeaf(record));
  }
  // AppendLeaf is Append of a record that has no place among the entries.
  Result<void> AppendLeaf(const Hash& leaf) {
    std::size_t levels = 0;  // of tiles that have one more hash
    edge_.Append(leaf, [&](int level, const Hash& root) {
      if (level % kTileHeight != 0) return;
      if (levels == tiles_.size()) tiles_.emplace_back();
      tiles_[levels++].append(base::AsText(root));
    });
    // A tile that is full is the last hash of the level above.
    for (std::size_t level = 0; level + 1 < levels; ++level) TRY(PutTile(level, kTileWidth));
    return {};
  }
  Result<void> Finish() {
    for (std::size_t level = 0; level < tiles_.size(); ++level) {
      const std::int64_t width = (edge_.size() >> (static_cast<int>(level) * kTileHeight)) % kTileWidth;
      if (width > 0) TRY(PutTile(level, width));
    }
    return {};
  }
  Head head() const { return edge_.head(); }
  std::int64_t size() const { return edge_.size(); }

 private:
  void AppendEntry(std::string_view record) {
    static_assert(kMostRecordBytes <= 0xffff);
    entries_ += static_cast<char>(record.size() >> 8U);
    entries_ += static_cast<char>(record.size() & 0xffU);
    entries_ += record;
  }
  Result<void> PutTile(std::size_t level, std::int64_t width) {
    const std::int64_t hashes = edge_.size() >> (static_cast<int>(level) * kTileHeight);
    const std::int64_t index = (hashes - width) / kTileWidth;
    TRY(out_.Put(TilePath(std::to_string(level), index, width), tiles_[level]));
    tiles_[level].clear();
    if (level > 0 || entries_.empty()) return {};
    TRY(out_.Put(TilePath("entries", index, width), entries_));
    entries_.clear();
    return {};
  }

  OutDirectory& out_;
  const bool with_entries_;
  Edge edge_;
  std::vector<std::string> tiles_;  // by level, each not yet full
  std::string entries_;
};

// TileTrail hands all records to a tiling; it returns the lines of kPrunedFile, empty where nothing is pruned.
Result<std::string> TileTrail(sql::Database& database, std::int64_t size, const std::optional<Pruned>& pruned, Tiling& tiling) {
  LogSequence sequence(database, 0, size - 1, pruned);
  StoredTree tree(database);
  std::string aside;
  while (tiling.size() < size) {
    const std::int64_t seq = tiling.size();
    if (pruned && pruned->Gone(seq)) {
      TRY_ASSIGN(const Hash leaf, tree.Node(0, seq));
      TRY(tiling.AppendLeaf(leaf));
      continue;
    }
    TRY_ASSIGN(const std::optional<StoredRecord> record, sequence.Next());
    CHECK(record.has_value());
    if (record->bytes.size() > kMostRecordBytes) return Fail(Code::kCorrupt, "a record is too long: run auditlog verify", seq);
    const bool kept = pruned && seq < pruned->first;
    if (kept) aside += record->bytes + '\n';
    TRY(kept ? tiling.AppendLeaf(HashLeaf(record->bytes)) : tiling.Append(record->bytes));
    if (pruned && seq == pruned->seq) aside += record->bytes + '\n';
  }
  return aside;
}

}  // namespace

Result<Tiled> CheckTiled(Note note, ByteView public_key) {
  Tiled tiled;
  TRY_ASSIGN(tiled.checkpoint, Checkpoint::Parse(note.text));
  TRY_ASSIGN(tiled.key, VerifierKey::Of(tiled.checkpoint.origin, SignatureType::kEd25519, public_key));
  switch (CheckSignature(note, tiled.key)) {
    case Signed::kYes: break;
    case Signed::kNot:
      return Fail(Code::kRefused, "the newest checkpoint is not signed by this vault, since it was sealed then: keytool unseal, "
                                  "then export again");
    case Signed::kForged: return Fail(Code::kCorrupt, "the newest checkpoint's signature is not valid: run auditlog verify");
  }
  tiled.note = std::move(note);
  return tiled;
}

Result<bool> HoldsHead(sql::Database& database, const Head& head) {
  StoredTree tree(database);
  const auto edge = EdgeAt(tree, head.size);
  if (!edge && edge.error().code() == Code::kNotFound) return false;
  if (!edge) return std::unexpected(edge.error());
  return edge->head() == head;
}

Result<void> ExportTiles(sql::Database& database, const Tiled& tiled, bool entries, OutDirectory& out) {
  const Head& head = tiled.checkpoint.head;
  TRY_ASSIGN(const std::optional<Pruned> pruned, FindPruned(database));
  if (pruned && pruned->seq >= head.size) {
    return Fail(Code::kRefused, "records were pruned since that checkpoint, and it does not cover the record that says so: export with a newer one");
  }
  Tiling tiling(out, entries);
  TRY_ASSIGN(const std::string aside, TileTrail(database, head.size, pruned, tiling));
  TRY(tiling.Finish());
  if (tiling.head() != head) {
    return Fail(Code::kCorrupt, "the records are not those that the checkpoint was made of: run auditlog verify", head.size);
  }
  if (entries && pruned) TRY(out.Put(std::string(kPrunedFile), aside));
  TRY(out.Put("checkpoint", tiled.note.Print()));
  return entries ? out.Put("vkey", tiled.key.Print() + "\n") : Result<void>();
}

}  // namespace strongroom::audit
