// Probe: does the provider take this key? Asked by running `worker --probe`, since neither keytool nor vaultd talks to a
// network.
#pragma once

#include <cstdint>
#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/session.h"

namespace strongroom::keytool {

// Probed is the provider's answer: its HTTP status (0: none came) and one sentence.
struct Probed {
  bool ok = false;
  std::int64_t status = 0;
  std::string message;
};

// Route is how a profile reaches its provider: what the endpoint adds to the key's ORIGIN, and the API version. Either
// may be empty. Where `model` is not, the key has to have it.
struct Route {
  std::string endpoint, api_version, model = {};
};

// CheckProbe finds the worker program, before a person is asked for a key.
Outcome<void> CheckProbe();

// Probe opens the key once for the worker, which makes the provider's cheapest authenticated call with it. At most 30 s.
Outcome<Probed> Probe(const Context& context, const std::string& key_ref, const Route& route);

// ReadProbed reads the line that `worker --probe` prints.
Outcome<Probed> ReadProbed(const std::string& line);

// RouteOf is that of the first profile that uses the key; without one, or without a right to ask, it is empty.
Route RouteOf(const Session& session, const std::string& key_ref);
// ModelRouteOf is the same with that profile's model.
Route ModelRouteOf(const Session& session, const std::string& key_ref);

}  // namespace strongroom::keytool
