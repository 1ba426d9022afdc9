// RecoveryReport: what a recovery came to, for the customer and for scripts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keytool/recovery_log.h"

namespace strongroom::keytool {

struct RecoveryReport {
  RecoveryRow row;
  std::optional<base::Micros> first_call;  // with the new key
  FailedCalls failed;
  std::vector<std::string> suspended;      // profiles of its that are SUSPENDED still

  // Text is for the customer: without anything of another's, but for a key of the house's, whose failures are all customers'.
  std::string Text() const;
  std::string Json() const;
};

// ReportTitle is the first line of a report; what follows it begins with kReportFacts, and each of its lines with two blanks.
std::string ReportTitle(const std::string& customer, const std::string& key_ref);
inline constexpr std::string_view kReportFacts = "  stopped ";

// Step is how far a recovery is: "waits for a new key", "replaced" or "closed".
std::string StepOf(const RecoveryRow& row);

}  // namespace strongroom::keytool
