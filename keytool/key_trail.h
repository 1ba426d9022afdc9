// KeyTrail: what the trail has about one key, page by page from vaultd.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/session.h"

namespace strongroom::keytool {

// TrailQuestion is which records of a key: vault::kUsesOfKey or kActsOnKey, from a time on. With a signed `checkpoint`, each with its proof.
struct TrailQuestion {
  std::string key_ref, what;
  base::Micros since = 0;
  std::string checkpoint;
};

// EachTrailRow hands over the rows (vault/key_trail.h), oldest first; `take` may refuse. The result is the time of the oldest record that was not pruned, 0
// where none was.
Outcome<base::Micros> EachTrailRow(const Session& session, const TrailQuestion& question, const std::function<Outcome<void>(const std::string& row)>& take);

// TrailEntry is a record as a person is shown it; `fault` where it is not what was written.
struct TrailEntry {
  std::int64_t seq = 0;
  std::string time, actor, role, action, outcome, customer, request_id, why, fault;
};
Outcome<TrailEntry> ReadTrailRow(const std::string& row);

// OtherNodes is the other nodes of this vault that serve or have served, "NODE (HOST)" with ", " between: each has a log of its own.
Outcome<std::string> OtherNodes(const Session& session);

}  // namespace strongroom::keytool
