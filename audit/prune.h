// Pruning: old records go, their leaf hashes stay, and a record says so (audit/FORMAT.md, Retention).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/merkle.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

inline constexpr std::string_view kPruneAction = "prune_trail";
// So many records below the boundary stay at most: their numbers must fit a record's text, and a first tile that is whole is not pruned.
inline constexpr std::size_t kMostKept = 100;
// So many tiles of records go in one transaction at most, so that releases beside it do not wait long.
inline constexpr std::int64_t kPruneTiles = 8;

// IsLandmark is true of a record that is never pruned: verification or vaultd reads it later, however old it is.
bool IsLandmark(const Entry& entry);

// Pruned is what a trail has lost to its policy: all records below `first`, but for those `kept`.
struct Pruned {
  std::int64_t first = 0;          // a multiple of 256
  std::vector<std::int64_t> kept;  // ascending
  Hash root{};                     // of the tree of the first `first` records
  std::int64_t days = 0;           // the policy
  // The record that says so; not yet there in a plan.
  std::int64_t seq = -1;
  base::Micros at = 0;

  bool operator==(const Pruned&) const = default;
  bool Keeps(std::int64_t record) const;
  // Gone is true of a record that was pruned.
  bool Gone(std::int64_t record) const { return record < first && !Keeps(record); }
  // gone is how many were; first_gone the lowest.
  std::int64_t gone() const { return first - std::ssize(kept); }
  std::int64_t first_gone() const;
  // InWords is one line for a person.
  std::string InWords() const;
};

// PruneFacts is what its record says after the act; PrunedBy reads it. nullopt of any record that is none, was refused, or is malformed.
Facts PruneFacts(const Pruned& pruned);
std::optional<Pruned> PrunedBy(const Entry& entry);

// FindPruned is what the newest such record of a trail says, as far as its columns find it; nullopt where nothing is pruned.
Result<std::optional<Pruned>> FindPruned(sql::Database& database);
// NewestPruned is that also where records that were pruned are there again: it looks through all acts.
Result<std::optional<Pruned>> NewestPruned(sql::Database& database);

struct PrunePolicy {
  std::int64_t days = 0;
  base::Micros before = 0;   // what is older may go
  std::int64_t under = 0;    // records under a signed checkpoint
};
struct PrunePlan {
  std::int64_t from = 0;  // the boundary so far
  Pruned pruned;          // what there is to say when it is done
};
// PlanPrune is the next step, of kPruneTiles at most; nullopt where there is nothing to do. It reads each record that is to go and holds it
// against its leaf hash, so that pruning covers up no change: kCorrupt, with its seq, where one is missing or another; kRefused where too many must stay.
Result<std::optional<PrunePlan>> PlanPrune(sql::Database& database, const PrunePolicy& policy);
// Prune deletes what a plan says, in the transaction that is open. kCorrupt where other rows are there.
Result<void> Prune(sql::Database& database, const PrunePlan& plan);

}  // namespace strongroom::audit
