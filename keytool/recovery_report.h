// RecoveryReport: what a recovery came to, for the customer and for scripts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keytool/recovery_log.h"

namespace strongroom::keytool {

struct RecoveryReport {
  RecoveryRow row;
  std::optional<base::Micros> first_call;  // with the new key
  FailedCalls left;                        // what has not been sent again

  std::int64_t CountLeft() const;
  // Text is for the customer: without anything of another's, but for a key of the house's, whose failures are all customers'.
  std::string Text() const;
  std::string Json() const;
};

// Step is how far a recovery is: "waits for a new key", "works again" or "closed".
std::string StepOf(const RecoveryRow& row);

}  // namespace strongroom::keytool
