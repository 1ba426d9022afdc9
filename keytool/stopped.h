// Stopped: what vaultd says of a stop on all nodes, for a person.
#pragma once

#include <string>

#include "base/bytes.h"
#include "keytool/context.h"
#include "keytool/output.h"
#include "keytool/problem.h"
#include "vault/protocol.h"

namespace strongroom::keytool {

Outcome<vault::StoppedAnswer> ReadStopped(ByteView body);

// ReportMove prints that `ref` is in `status` now (empty: it could not be looked up) and how long it took until every vaultd
// kept to that, and warns of those that were outwaited. `line` holds the facts that the JSON begins with; `more` ends the line.
void ReportMove(bool json, JsonLine line, const std::string& ref, const std::string& status,
                const vault::StoppedAnswer& stopped, const std::string& more = "");

// WarnOfCopies names the other KEY_REFs under which a key that was compromised goes on, by the key's document.
void WarnOfCopies(const Context& context, const std::string& document);

}  // namespace strongroom::keytool
