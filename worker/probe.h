// Probing a key: the provider's cheapest authenticated call, with nothing in it of any caller's.
#pragma once

#include <asio/awaitable.hpp>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "vault/client.h"
#include "worker/transport.h"

namespace strongroom::worker {

// Finding is what the provider said: its HTTP status (0: nothing came) and one sentence.
struct Finding {
  bool ok = false;
  int status = 0;
  bool opened = false;  // the vault gave the key
  std::string message;
};

// ProbeRoute: `endpoint` may add a path to the key's ORIGIN; a key that has not this `model` is not taken. Each may be empty.
struct ProbeRoute {
  std::string endpoint, api_version, model;
};

// ProbeKey has vaultd open a key by `operation` (kProbe, an admin's; kProbeSuspect, a worker's), sends it to its ORIGIN and reads what
// comes back.
asio::awaitable<Finding> ProbeKey(vault::Client& client, Transport& transport, vault::Operation operation, std::string key_ref,
                                  ProbeRoute route, base::Micros deadline);

}  // namespace strongroom::worker
