// Keys as the vault's database lists them, with their last use by the trail.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/logs.h"
#include "audit/report.h"

namespace strongroom::audit {

struct ListedKey {
  std::string key_ref, customer, provider, status;
  std::int64_t kek_version = 0;
  base::Micros created_at = 0;
  std::optional<base::Micros> last_used;  // the last resolve or probe that was not refused, by any log
  // may_open: it is in no state that it cannot be released from again.
  bool may_open() const { return status != "REVOKED" && status != "COMPROMISED" && status != "DESTROYED"; }
};
Result<std::vector<ListedKey>> ListKeys(const std::vector<Log>& logs);

// Unused is the keys that may still open, and were not used since `days` before `now`.
Result<Section> Unused(const std::vector<Log>& logs, std::int64_t days, base::Micros now);
// Inventory is all keys; Overdue is those that open, and the KEK in force, where they are older than `days`.
Section Inventory(const std::vector<ListedKey>& keys, base::Micros now);
Result<Section> Overdue(const std::vector<Log>& logs, const std::vector<ListedKey>& keys, std::int64_t days, base::Micros now);

}  // namespace strongroom::audit
