// RequestStory: what became of one request, from the queue to its usage row, by the trail and by the work database.
#pragma once

#include <string>
#include <vector>

#include "audit/acts.h"
#include "audit/logs.h"
#include "audit/report.h"

namespace strongroom::audit {

// RequestStory is its steps by their time. `work` is null where the work database cannot be opened; `problem` says why, in the notes.
// The trail has no index of requests: with the customer, by a usage row or as the caller names it, its records are looked through,
// else all of the stretch.
Result<Section> RequestStory(const std::vector<Log>& logs, sql::Database* work, const std::string& problem, const std::string& request_id,
                             std::optional<std::string> customer, Stretch stretch);

}  // namespace strongroom::audit
