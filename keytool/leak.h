// compromise: a key that somebody else has. The key is stopped first; what follows tells how far the leak reaches, and asks the customer for a new key.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct CompromiseOptions {
  std::string key_ref, since, out, ticket_out, reason;
};

// Compromise without --since stops the key and no more. With it: COMPROMISED on every node; then all uses since that time, each with its proof, in a file; then
// a ticket for a new version. A later step that fails stops no other; it is said, with the command that does it alone. Run again it does what is left.
Outcome<void> Compromise(const Context& context, const CompromiseOptions& options);

}  // namespace strongroom::keytool
