// offboard: a customer leaves; everything of theirs is stopped, and what their calls came to is said.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct OffboardOptions {
  std::string customer, reason;
  bool yes = false;  // do not ask on the terminal
  bool csv = false;  // the statement, and nothing else, on standard output
};

// Offboard shows what it stops and asks, stops it, and prints the final statement. Again, it goes on where it was, and prints the statement again.
Outcome<void> Offboard(const Context& context, const OffboardOptions& options);

}  // namespace strongroom::keytool
