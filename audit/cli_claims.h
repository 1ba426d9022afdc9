// The checkpoints that auditlog is told of, or finds where vaultd publishes them.
#pragma once

#include <string>
#include <vector>

#include "audit/logs.h"
#include "audit/verifier.h"

namespace strongroom::audit {

// ReadClaim reads a checkpoint from a file, a copy of an anchor too, or from standard input ("-").
OrProblem<Claim> ReadClaim(const std::string& file);
// ReadClaims reads that, or lines of vaultd's log, of which it takes all checkpoints.
OrProblem<std::vector<Claim>> ReadClaims(const std::string& file);

// PublishedClaims is what stands in a directory of published checkpoints under the keys' name: the newest, whoever signed it, and of those that stay the
// newest kMostHourly, where one of the keys has signed. Anything else is passed over: the directory is no part of the trail.
inline constexpr std::size_t kMostHourly = 24;
std::vector<Claim> PublishedClaims(const std::string& directory, const std::vector<VerifierKey>& keys);

}  // namespace strongroom::audit
