// recover: the way back from a key that was stopped: a new key under the same profiles, what failed sent again, and a report for the customer.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// RecoverOptions is the command line. `target` is a customer or a KEY_REF; empty with `provider`. What is not on the command line is asked for on a terminal.
struct RecoverOptions {
  std::string target, provider;
  std::string key_file;  // where the new key is
  std::string tickets;   // a directory for tickets: the customers seal their new keys themselves
  std::string report, reason;
  bool no_verify = false, resume_profiles = false, replay = false;
};

// Recover goes with each key that is stopped, and that a profile uses, as far as it can. How far that is is kept (recovery_log.h): run again, by whoever,
// it goes on there. RECOVERY_WAITS is a problem that names what is still missing.
Outcome<void> Recover(const Context& context, const RecoverOptions& options);

// ListRecoveries shows what was begun, and how far each is.
Outcome<void> ListRecoveries(const Context& context);

}  // namespace strongroom::keytool
