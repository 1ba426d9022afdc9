// What a checkpoint is worth to a trail that is held against it.
#pragma once

#include <vector>

#include "audit/tree_check.h"
#include "audit/verifier.h"
#include "audit/walk.h"

namespace strongroom::audit {

// CountWitnesses is how many of them have cosigned a note. A cosignature does not hold its witness's name: one key under two names is one.
std::size_t CountWitnesses(const Note& note, const std::vector<VerifierKey>& witnesses);

// LogKeys is what a log's records say of the keys that sign it.
struct LogKeys {
  const std::vector<NamedKey>& named;
  const std::vector<Rotation>& rotations;
};

// Examine looks at each claim: whose it is, and whether it fits the records that were read. kUnavailable where the root at its
// size is not known any more.
Result<std::vector<Finding>> Examine(const std::vector<Claim>& claims, const Question& question, const LogKeys& keys, const TreeCheck& tree);

// FaultOfClaims is what the findings show to be wrong with the trail, or with a checkpoint.
std::optional<Fault> FaultOfClaims(const std::vector<Finding>& findings, std::int64_t records);

// VouchedBy is how many records the largest sound checkpoint is of.
std::int64_t VouchedBy(const std::vector<Finding>& findings);

// IsEvidence is true where a finding speaks of this trail: it is signed, or the home's own.
bool IsEvidence(const Finding& finding);

}  // namespace strongroom::audit
