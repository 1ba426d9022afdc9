// Walk: a trail's chain, record by record. A record vouches for the bytes of the one before it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/prune.h"
#include "audit/record.h"
#include "audit/rotation.h"
#include "audit/source.h"

namespace strongroom::audit {

// Fault is the first thing wrong with a trail.
struct Fault {
  std::int64_t seq = 0;
  std::string kind;    // audit/FORMAT.md, What verification says
  std::string detail;  // one line for a person
};

// NamedKey is a key that the log says it signs with, and the record that says so.
struct NamedKey {
  std::int64_t seq = 0;
  VerifierKey key;
};
// KeyNamedBy is the key that a record names: the first of a log, and each `new_origin` that was not refused.
std::optional<VerifierKey> KeyNamedBy(const Entry& entry);
// NamedKeysOf is the keys that a log's records name, oldest first, as far as its columns find them: to tell one log from another, not to trust.
Result<std::vector<NamedKey>> NamedKeysOf(sql::Database& database);

// OtherLog is what a log says of another node's: under which name and key it goes, and the newest record that says so.
struct OtherLog {
  std::int64_t seq = 0;
  std::string verifier_key;
};
// OtherLogsOf is what a log's `node_join` records tell, by node, as far as its columns find them.
Result<std::map<std::string, OtherLog>> OtherLogsOf(sql::Database& database);

// Told is what a record says of the trail's own past: `from` to `to` were written before a vaultd ended, and nobody had been told of them
// (`recovered_tail`); or the log goes on under another name, `origin` (`new_origin`).
struct Told {
  std::int64_t seq = 0;  // of the record that says so
  std::string from, to, origin;
};
std::optional<Told> ToldBy(const Entry& entry);
// InWords is one line for a person.
std::string InWords(const Told& told);

class Walk {
 public:
  // `pruned` is what may be missing, and must be.
  explicit Walk(std::optional<Pruned> pruned = std::nullopt) : pruned_(std::move(pruned)) {}
  // AtGone is true where the next record was pruned; Skip passes it over by its leaf hash.
  bool AtGone() const { return !pending_ && pruned_ && pruned_->Gone(records_); }
  void Skip(const Hash& leaf);
  // Step takes the next row; false where it, or the one before it, is at fault.
  bool Step(const Row& row);
  // Finish settles what no next record can tell.
  void Finish();

  std::int64_t records() const { return records_; }
  // leaf is the last record's hash; last is that record.
  const Hash& leaf() const { return leaf_; }
  const std::optional<Entry>& last() const { return last_; }
  std::optional<base::Micros> first_time() const { return first_time_; }
  const std::vector<NamedKey>& named() const { return named_; }
  const std::vector<Told>& told() const { return told_; }
  // newest_pruned is what the newest record that was read says of pruning.
  const std::optional<Pruned>& newest_pruned() const { return newest_pruned_; }
  const std::vector<Rotation>& rotations() const { return rotations_; }
  const std::optional<Fault>& fault() const { return fault_; }
  // mended_leaf is what the last record's hash would be with its prev put right; nullopt unless that is what is wrong with it
  // or with the one before.
  std::optional<Hash> mended_leaf() const;

 private:
  void Blame(std::int64_t seq, std::string kind, std::string detail) { fault_ = {seq, std::move(kind), std::move(detail)}; }
  bool Settle(const Row& row);
  bool CheckPlace(const Row& row, const Entry& entry);
  void BlameWrongSeq(const Row& row, const Entry& entry);
  void CheckContent(const Row& row, const Entry& entry);
  void CheckPruned(const Entry& entry);
  void Accept(Entry entry);

  std::int64_t records_ = 0;
  Hash leaf_{};
  std::string leaf_hex_{kNoRecord};
  std::optional<base::Micros> first_time_;
  std::optional<Entry> last_;     // the record before
  std::optional<Fault> fault_;
  // A fault is held for one more step wherever the next record can tell what kind it is, or which of two is bad.
  std::optional<Fault> pending_;
  bool broken_link_ = false;      // its prev does not name the record before it, whose hash is before_
  std::string before_;
  bool skipped_ = false;          // the record before was pruned
  bool behind_gone_ = false;      // so was the one that a broken link names
  const std::optional<Pruned> pruned_;
  std::optional<Pruned> newest_pruned_;
  std::vector<NamedKey> named_;
  std::vector<Told> told_;
  std::vector<Rotation> rotations_;
};

}  // namespace strongroom::audit
