// What `auditlog verify` says of a log: for a person, and for a program.
#pragma once

#include <string>
#include <string_view>

#include "audit/verifier.h"

namespace strongroom::audit {

// Whose key it is that counts, for a person.
struct KeyShown {
  std::string vkey;
  std::string_view source;
};

// Report is one log's verdict, with what is shown beside it.
struct Report {
  std::string node;
  Verdict verdict;
  KeyShown key;
  bool elsewhere = false;  // another host has its anchor
  bool beside = false;     // and it was only looked at beside the home's own log
};

std::string VerdictJson(const Report& report);
std::string VerdictText(const Report& report);

}  // namespace strongroom::audit
