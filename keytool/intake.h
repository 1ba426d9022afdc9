// Intake: what onboard and rotate have in common: a new key, held PENDING, and its check with the provider.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "keytool/probe.h"
#include "keytool/session.h"

namespace strongroom::keytool {

// Arrival is how a new key comes: what hands it to the vault, with a KEY_REF for its result; the command to try again with where its
// provider does not take it; and the one, if any, that goes on with the key as it is held.
struct Arrival {
  std::function<Outcome<std::string>(const vault::AddKeyRequest&)> take;
  ShownCommand again, go_on;
};

// HoldKey reads the key and hands it to the vault, which holds it as PENDING. The result is its KEY_REF.
Outcome<std::string> HoldKey(const Session& session, const vault::AddKeyRequest& request, const std::string& key_file,
                             const std::string& whose);

// CheckHeld warns where the same key is held already, and probes a PENDING key, unless (nullopt) `verify` is false. A provider that does not take it is
// a problem that says what the key stays as, and what to do next.
Outcome<std::optional<Probed>> CheckHeld(const Session& session, const std::string& key_ref, const Route& route,
                                         bool verify, const Arrival& arrival);

// StaysPending adds to a problem that came after the key was held: its KEY_REF, and how to get rid of it, or how to go on.
Problem StaysPending(Problem problem, const Context& context, const std::string& key_ref, const Arrival& arrival);

// ProbedJson is {"ok","status","message"}, or null where nothing was asked.
std::string ProbedJson(const std::optional<Probed>& probed);
// ProbedWords is the same for a person: "checked: the provider took the key".
std::string ProbedWords(const std::optional<Probed>& probed);

}  // namespace strongroom::keytool
