// incident: how far trouble with one key reaches, on one screen.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct IncidentOptions {
  std::string key_ref, since = "24h", out;
};

// ShowIncident asks vaultd (the key, its profiles, the trail) and the work database (calls, queues, cost); with `out` the uses are also written to that file,
// each with its proof. What one of them does not tell is left out, said, and a problem at the end.
Outcome<void> ShowIncident(const Context& context, const IncidentOptions& options);

}  // namespace strongroom::keytool
