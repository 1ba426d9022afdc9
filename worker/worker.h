// The worker process: claims requests, runs an exchange for each, renews its leases, and drains on a signal.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "worker/probe.h"

namespace strongroom::worker {

// RunWorker serves the inbound queue of a configured home with at most `in_flight` exchanges at once, until SIGTERM or
// SIGINT (finish what is in flight, at most 60 s) or until recycle_after requests have been served. SIGHUP reads the
// configuration's log and forgets cached profiles. Returns the exit code; a problem is one line on stderr and 1.
int RunWorker(const base::Config& config, std::int64_t in_flight);

// RunProbe makes the provider's cheapest authenticated call with one key, as `keytool` asks: it has vaultd open the key
// (an admin's right), sends it to its ORIGIN, and prints {"ok":…,"status":…,"message":…}. Exit code 0 where the provider
// took the key, 1 otherwise.
int RunProbe(const base::Config& config, const std::string& key_ref, const ProbeRoute& route);

}  // namespace strongroom::worker
