// auditlog report: what auditors ask, a command each.
#pragma once

#include "audit/cli_export.h"

namespace strongroom::audit {

// AddReport adds `report`. `sources` holds what is said before the command, and outlives it.
Command AddReport(CLI::App& app, Sources& sources);

}  // namespace strongroom::audit
