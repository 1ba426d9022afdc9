#include "audit/verifier.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "audit/claims.h"
#include "audit/tree.h"
#include "audit/tree_check.h"

namespace strongroom::audit {
namespace {

// How long a head may take from the database into the anchor; of a vaultd that died in between it never gets there.
constexpr base::Micros kAnchoring = 2 * base::kMicrosPerSecond;
// How long a vaultd that takes a new origin may be without an anchor: it renames the old one away before it makes the next.
constexpr base::Micros kRenaming = base::kMicrosPerSecond / 5;

// Verification is one reading of a trail.
class Verification {
 public:
  // `pruned` is what the trail is said to have lost.
  Verification(TrailSource& source, const Question& question, std::optional<Pruned> pruned)
      : source_(source), question_(question), claims_(question.claims), pruned_(pruned), walk_(std::move(pruned)) {}
  Result<Verdict> Run();

 private:
  Result<void> Read(std::optional<std::int64_t> size);
  Result<void> NextPage();
  Result<bool> Step(const Row& row);
  Result<bool> LoadTile(std::int64_t index);
  Result<bool> CompareTile();
  Result<void> ReadToHead();
  Result<void> ReadToAnchor();
  Result<void> ReadAnchor();
  Result<std::optional<Fault>> FindFault(const std::vector<Finding>& findings);
  Result<std::optional<Fault>> SharpenFault();
  std::optional<Fault> FaultOfTile(const std::vector<Finding>& findings) const;
  std::optional<Fault> FaultOfHead(const std::vector<Finding>& findings) const;
  bool SaysPruned() const;
  std::optional<Fault> FaultOfPrunedHashes() const;
  std::optional<Fault> FaultOfPruning(const std::vector<Finding>& findings) const;
  bool HeadFits() const { return head_ && *head_ == at_head_; }
  void Weigh(Verdict& verdict) const;

  TrailSource& source_;
  const Question& question_;
  std::vector<Claim> claims_;
  std::optional<Claim> anchor_;
  bool anchor_bad_ = false;
  const std::optional<Pruned> pruned_;
  std::optional<std::int64_t> no_tile_;  // below what was pruned, this tile is missing
  Walk walk_;
  TreeCheck tree_;
  Page tile_;                        // below what was pruned: the tile at hand, without rows
  Page page_;
  std::size_t at_ = 0;               // of the page's rows
  std::int64_t after_ = kBeforeAll;  // the last seq that was asked for
  std::future<Result<Page>> coming_;  // is read while the page at hand is checked
  std::optional<Head> head_;
  Head at_head_;  // of the records that had been read when the stored one was read
  std::int64_t full_tiles_ = 0;
};

Result<void> Verification::NextPage() {
  tree_.Compare(page_);
  TRY_ASSIGN(page_, coming_.valid() ? coming_.get() : source_.Read(after_));
  at_ = 0;
  if (!page_.rows.empty()) after_ = page_.rows.back().seq;
  if (!page_.end) coming_ = std::async(std::launch::async, [this, after = after_] { return source_.Read(after); });
  if (question_.progress) question_.progress(walk_.records());
  return {};
}

// Read goes on to so many records, or to what was the end when it got there.
Result<void> Verification::Read(std::optional<std::int64_t> size) {
  while (!walk_.fault() && !no_tile_ && (!size || walk_.records() < *size)) {
    if (at_ == page_.rows.size()) {
      if (!size && page_.end) break;
      TRY(NextPage());
      if (page_.rows.empty()) break;
    }
    TRY_ASSIGN(const bool on, Step(page_.rows[at_]));
    if (!on) break;
  }
  if (coming_.valid()) coming_.wait();  // one thread at a time
  tree_.Compare(page_);
  return {};
}

// Step takes the row at hand, or passes over what was pruned before it.
Result<bool> Verification::Step(const Row& row) {
  const std::int64_t seq = walk_.records();
  if (walk_.AtGone() && row.seq > seq) {
    TRY_ASSIGN(const bool there, LoadTile(seq / kTileWidth));
    if (!there) return false;
    walk_.Skip(tile_.tiles.begin()->second[static_cast<std::size_t>(seq % kTileWidth)]);
  } else {
    if (!walk_.Step(row)) return false;
    ++at_;
  }
  // A handover is of the records up to its rotation's (audit/FORMAT.md, Rotation).
  if (!walk_.rotations().empty() && walk_.rotations().back().seq + 1 == walk_.records()) tree_.Expect(walk_.records());
  tree_.Append(walk_.leaf());
  return CompareTile();
}

// LoadTile is false, and a fault, where the hashes of what was pruned are not there.
Result<bool> Verification::LoadTile(std::int64_t index) {
  if (tile_.tiles.contains(index)) return true;
  if (coming_.valid()) coming_.wait();  // one thread at a time
  TRY_ASSIGN(auto tile, source_.Tile(0, index, kTileWidth));
  tile_.tiles.clear();
  if (!tile || std::ssize(*tile) != kTileWidth) {
    no_tile_ = index;
    return false;
  }
  tile_.tiles.emplace(index, std::move(*tile));
  return true;
}

// A page may span any number of pruned tiles: each is compared when it is full, so that no more than one is in memory.
Result<bool> Verification::CompareTile() {
  const std::int64_t records = walk_.records();
  if (!pruned_ || records > pruned_->first || records % kTileWidth != 0) return true;
  TRY_ASSIGN(const bool there, LoadTile(records / kTileWidth - 1));
  if (there) tree_.Compare(tile_);
  return there;
}

// The head is read behind the records: what vaultd has written meanwhile is read too, so that both end at one record.
Result<void> Verification::ReadToHead() {
  if (!source_.keeps_head()) return {};
  TRY_ASSIGN(full_tiles_, source_.FullTiles());
  TRY_ASSIGN(head_, source_.StoredHead());
  if (head_) TRY(Read(head_->size));
  at_head_ = tree_.head();
  return {};
}

Result<void> Verification::ReadAnchor() {
  auto anchor = question_.anchor();
  anchor_bad_ = !anchor && anchor.error().code() == Code::kCorrupt;
  if (anchor_bad_) return {};
  TRY_ASSIGN(anchor_, std::move(anchor));
  return {};
}

// A group of records is in the database some milliseconds before its head is in the anchor.
Result<void> Verification::ReadToAnchor() {
  const base::Micros begun = base::MonoMicros();
  while (true) {
    TRY(ReadAnchor());
    if (anchor_) TRY(Read(anchor_->checkpoint.head.size));
    const bool whole = anchor_ && anchor_->checkpoint.head.size >= walk_.records();
    if (whole || base::MonoMicros() >= begun + (anchor_ ? kAnchoring : kRenaming)) return {};
    // An anchor that comes and goes must not keep step with this.
    std::this_thread::sleep_for(std::chrono::milliseconds(anchor_ ? 10 : 3));
  }
}

Result<Verdict> Verification::Run() {
  if (pruned_) tree_.Expect(pruned_->first);
  for (const Claim& claim : claims_) tree_.Expect(claim.checkpoint.head.size);
  if (question_.anchor) {
    TRY(ReadAnchor());
    if (anchor_) tree_.Expect(anchor_->checkpoint.head.size);
  }
  TRY(Read(std::nullopt));
  TRY(ReadToHead());
  if (question_.anchor && !walk_.fault() && !no_tile_) TRY(ReadToAnchor());
  walk_.Finish();
  if (!walk_.fault() && !no_tile_) TRY(tree_.CompareRest(source_));
  if (anchor_) claims_.push_back(*anchor_);

  Verdict verdict;
  verdict.records = walk_.records();
  verdict.head = verdict.records == 0 ? std::string(kNoRecord) : base::Hex(walk_.leaf());
  verdict.root = tree_.head().root;
  verdict.told = walk_.told();
  verdict.first_time = walk_.first_time();
  verdict.rotations = walk_.rotations();
  if (walk_.last()) verdict.last_time = walk_.last()->place.time;
  if (pruned_ && SaysPruned()) verdict.pruned = pruned_;
  if (!walk_.fault() && !no_tile_) {
    TRY_ASSIGN(verdict.findings, Examine(claims_, question_, LogKeys{walk_.named(), walk_.rotations()}, tree_));
  }
  verdict.no_anchor = question_.anchor && !anchor_ && !anchor_bad_;
  TRY_ASSIGN(verdict.fault, FindFault(verdict.findings));
  if (!verdict.fault) Weigh(verdict);
  return verdict;
}

Result<std::optional<Fault>> Verification::FindFault(const std::vector<Finding>& findings) {
  if (no_tile_) return Fault{*no_tile_ * kTileWidth, "index_mismatch", "the tile of its hashes is missing, and the records were pruned"};
  if (walk_.fault()) return SharpenFault();
  if (pruned_ && !SaysPruned()) return Fault{pruned_->first_gone(), "missing", "no record of this trail says that it was pruned"};
  if (auto fault = FaultOfTile(findings)) return fault;
  if (auto fault = FaultOfPrunedHashes()) return fault;
  if (auto fault = FaultOfHead(findings)) return fault;
  if (auto fault = FaultOfClaims(findings, walk_.records())) return fault;
  if (auto fault = FaultOfPruning(findings)) return fault;
  if (anchor_bad_) return Fault{0, "signature", "the home's anchor is there and holds no checkpoint"};
  if (question_.anchor && !anchor_) {
    return Fault{VouchedBy(findings), "signature", "the home's anchor is missing: it was deleted or lost, and a tail may have been cut with it"};
  }
  // Last, since it says nothing of the records themselves.
  TRY_ASSIGN(const auto index, source_.CheckIndexes());
  if (index) return Fault{index->seq, "index_mismatch", index->detail};
  return std::nullopt;
}

// The chain knows a record by the next one only; the tree knows it by its own hash.
Result<std::optional<Fault>> Verification::SharpenFault() {
  Fault fault = *walk_.fault();
  if (tree_.difference() && tree_.difference()->level == 0 && tree_.difference()->goes_on && tree_.difference()->seq < fault.seq) {
    return Fault{tree_.difference()->seq, "changed", "its hash is not that in the tree, and nor are those of the records behind it"};
  }
  const std::int64_t last = walk_.records() - 1;
  const bool head_is_of_these = head_ && head_->size == walk_.records();
  if (fault.kind == "index_mismatch" && fault.seq == last && head_is_of_these && !HeadFits()) {
    return Fault{last, "changed", "the record is not the one that the stored head was made of"};
  }
  const auto mended = walk_.mended_leaf();
  // A record that was kept, behind a pruned one: its own hash in the tree tells which of the two was changed.
  if (fault.kind == "index_mismatch" && mended && fault.seq == last - 1) {
    TRY_ASSIGN(const auto tile, source_.Tile(0, last / kTileWidth, kTileWidth));
    const bool other = tile && std::ssize(*tile) == kTileWidth && tree_.LeafAt(last) != (*tile)[static_cast<std::size_t>(last % kTileWidth)];
    return other ? Fault{last, "changed", "its hash is not that in the stored tree, nor its prev that of the record before"} : fault;
  }
  if (fault.kind != "changed" || !mended || fault.seq != last - 1) return fault;
  if (head_is_of_these && tree_.RootWith(*mended) == head_->root) return Fault{last, "changed", "its prev was changed"};
  TRY_ASSIGN(const auto tile, source_.Tile(0, fault.seq / kTileWidth, kTileWidth));
  const auto leaf = tree_.LeafAt(fault.seq);
  if (tile && tile->size() == kTileWidth && leaf && (*tile)[static_cast<std::size_t>(fault.seq % kTileWidth)] == *leaf) {
    return Fault{last, "changed", "the record before it is the one in the tree, and it names other bytes"};
  }
  return fault;
}

// A tile and a record disagree: a checkpoint over both tells which of them was changed; without one, the records behind.
std::optional<Fault> Verification::FaultOfTile(const std::vector<Finding>& findings) const {
  if (!tree_.difference()) return std::nullopt;
  const TileDifference& difference = *tree_.difference();
  if (difference.missing) return Fault{difference.seq, "index_mismatch", "the tile of its hashes is missing"};
  if (difference.level > 0) {
    const bool below = pruned_ && difference.seq < pruned_->first;
    return Fault{difference.seq, "index_mismatch", below ? "a tile above its hashes was changed, or the hash of a pruned record in its tile" : "a tile above its hashes was changed"};
  }
  const Fault tile_changed{difference.seq, "index_mismatch", "its hash in the stored tree was changed; the record is as it was"};
  const Fault record_changed{difference.seq, "changed", "its hash is not that in the stored tree"};
  // Of one that was kept, no other record vouches: the root does that the record of the pruning names.
  if (pruned_ && difference.seq < pruned_->first) return tree_.RootAt(pruned_->first) == pruned_->root ? tile_changed : record_changed;
  for (const Finding& finding : findings) {
    if (finding.state != ClaimState::kValid || finding.beyond || finding.claim.checkpoint.head.size <= difference.seq) continue;
    return finding.fits ? tile_changed : record_changed;
  }
  if (difference.goes_on) return record_changed;
  return difference.ends_tile && !HeadFits() ? record_changed : tile_changed;
}

// SaysPruned: the record that excuses what is missing has been read, in its place in the chain. A newer one is of what vaultd pruned meanwhile.
bool Verification::SaysPruned() const {
  const auto& newest = walk_.newest_pruned();
  return newest && (newest->seq > pruned_->seq || *newest == *pruned_);
}

// Where the hash of a pruned record was changed nothing but roots can tell.
std::optional<Fault> Verification::FaultOfPrunedHashes() const {
  if (!pruned_ || tree_.RootAt(pruned_->first) == pruned_->root) return std::nullopt;
  return Fault{pruned_->first_gone(), "index_mismatch",
               "the hash of a pruned record below seq " + std::to_string(pruned_->first) + " was changed in its tile: it is this one or one behind it"};
}

// Whoever may write the database can add a record that says so. One that no checkpoint is of excuses nothing.
std::optional<Fault> Verification::FaultOfPruning(const std::vector<Finding>& findings) const {
  if (!pruned_ || findings.empty()) return std::nullopt;
  std::int64_t covered = 0;
  for (const Finding& finding : findings) {
    if (IsEvidence(finding) && finding.fits) covered = std::max(covered, finding.claim.checkpoint.head.size);
  }
  if (pruned_->seq < covered) return std::nullopt;
  return Fault{pruned_->first_gone(), "missing",
               "the record " + std::to_string(pruned_->seq) + ", which says that it was pruned, is under no checkpoint that counts: name a newer one; of a vaultd that died as it wrote it, its next start makes one"};
}

std::optional<Fault> Verification::FaultOfHead(const std::vector<Finding>& findings) const {
  if (!source_.keeps_head()) return std::nullopt;
  const std::int64_t read = at_head_.size, last = std::max<std::int64_t>(read - 1, 0);
  if (!head_) return Fault{last, "index_mismatch", "the stored head is missing, or is none"};
  if (head_->size > read) return Fault{read, "truncated", "the trail ends here; its stored head is of " + std::to_string(head_->size) + " records"};
  if (full_tiles_ > read / kTileWidth) {
    return Fault{read, "truncated", "the trail ends here; its stored tree has the hashes of " + std::to_string(full_tiles_ * kTileWidth) + " records"};
  }
  if (head_->size < read) return Fault{std::max<std::int64_t>(head_->size, 0), "index_mismatch", "the stored head ends before this record"};
  if (HeadFits()) return std::nullopt;
  for (const Finding& finding : findings) {
    if (finding.state != ClaimState::kValid || finding.claim.checkpoint.head.size != read) continue;
    if (finding.fits) return Fault{last, "index_mismatch", "the stored head was changed; the records are those of " + finding.claim.from};
    if (finding.claim.checkpoint.head.root == head_->root) return Fault{last, "changed", "the record is not the one that " + finding.claim.from + " vouches for"};
  }
  return Fault{last, "changed", "the stored head is of other records: this one was changed, or the head was"};
}

// Weigh says what vouches for the end of a trail in which nothing is wrong.
void Verification::Weigh(Verdict& verdict) const {
  bool sealed = false, too_few = false;
  for (const Finding& finding : verdict.findings) {
    const std::int64_t size = finding.claim.checkpoint.head.size;
    const bool counts = finding.state == ClaimState::kValid && finding.witnesses >= question_.quorum;
    if (counts) verdict.vouched = std::max(verdict.vouched, size);
    sealed = sealed || finding.state == ClaimState::kUnsigned;
    too_few = too_few || (finding.state == ClaimState::kValid && !counts && size == verdict.records);
  }
  if (verdict.vouched >= verdict.records) return;
  if (verdict.findings.empty()) {
    verdict.weakness = Weakness::kNoCheckpoint;
  } else if (too_few) {
    verdict.weakness = Weakness::kFewWitnesses;
  } else {
    verdict.weakness = sealed ? Weakness::kSealed : Weakness::kTail;
  }
}

}  // namespace

Result<Claim> Claim::Of(std::string from, Note note) {
  TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::Parse(note.text));
  return Claim{std::move(from), std::move(note), std::move(checkpoint)};
}

Verdict Refuted(Fault fault) {
  Verdict verdict;
  verdict.head = std::string(kNoRecord);
  verdict.fault = std::move(fault);
  return verdict;
}

// vaultd may prune while the trail is read: what is missing then is asked about once more.
Result<Verdict> Verify(TrailSource& source, const Question& question) {
  constexpr int kMostTries = 10;
  TRY_ASSIGN(const auto odd, source.CheckSchema());
  if (odd) return Refuted({odd->seq, "index_mismatch", odd->detail});
  TRY_ASSIGN(std::optional<Pruned> pruned, source.FindPruned());
  for (int tries = 1;; ++tries) {
    TRY_ASSIGN(Verdict verdict, Verification(source, question, pruned).Run());
    if (!verdict.fault || verdict.fault->kind != "missing" || tries == kMostTries) return verdict;
    TRY_ASSIGN(std::optional<Pruned> now, source.FindPruned());
    if (now == pruned) return verdict;
    pruned = std::move(now);
  }
}

Result<Verdict> Verify(sql::Database& database, const std::function<void(std::int64_t)>& progress) {
  DatabaseSource source(database);
  Question question;
  question.progress = progress;
  return Verify(source, question);
}

}  // namespace strongroom::audit
