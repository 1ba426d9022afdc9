// Questions: what auditors ask of the trail again and again, each answered by one section.
#pragma once

#include <string>
#include <vector>

#include "audit/acts.h"
#include "audit/logs.h"
#include "audit/report.h"

namespace strongroom::audit {

// Uses is who asked for a key to use it, and what they were told.
Result<Section> Uses(const std::vector<Log>& logs, const std::string& key_ref, const Stretch& stretch);
// Denied is all that was refused or failed, by its reason.
Result<Section> Denied(const std::vector<Log>& logs, const Stretch& stretch);
// AdminActs is what a person did or tried besides using keys: `actor` is an account's name or its uid.
Result<Section> AdminActs(const std::vector<Log>& logs, const std::string& actor, const Stretch& stretch);
// OutsideWorker is every key that was asked for by somebody who was not a worker then. It reads the whole stretch.
Result<Section> OutsideWorker(const std::vector<Log>& logs, const Stretch& stretch);
// KeyHistory is what was done to a key, and what it was before and after.
Result<Section> KeyHistory(const std::vector<Log>& logs, const std::string& key_ref, const Stretch& stretch);
// Gaps is where numbers are missing, where nothing was recorded for longer than `gap`, and where vaultd was started.
Result<Section> Gaps(const std::vector<Log>& logs, const Stretch& stretch, base::Micros gap);

}  // namespace strongroom::audit
