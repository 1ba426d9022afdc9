// Review: what an access review asks for at once.
#pragma once

#include <string>
#include <vector>

#include "audit/acts.h"
#include "audit/logs.h"
#include "audit/report.h"
#include "base/config.h"

namespace strongroom::audit {

struct ReviewOptions {
  Stretch stretch;
  std::int64_t rotation_days = 365;
  base::Micros now = 0;
  const base::Config* config = nullptr;  // none: the roles and the anchor are not told, and `config_problem` says why
  std::string config_problem;
};

// Review is who holds which role, the keys, what is overdue, acts of two people, refusals by day, and what the trail itself is worth.
// It verifies every log.
Result<Answers> Review(const std::vector<Log>& logs, const ReviewOptions& options);

}  // namespace strongroom::audit
