// What `auditlog verify` says of a log: for a person, and for a program.
#pragma once

#include <cstdint>
#include <string>

#include "audit/verifier.h"

namespace strongroom::audit {

// Where the key that counts was taken from.
enum class KeySource : std::uint8_t { kNamed, kDatabase, kBundle };

// KeyShown is the key that counts.
struct KeyShown {
  std::string vkey;  // empty where there was nothing to check with it
  KeySource source = KeySource::kNamed;
};
std::string KeyJson(const KeyShown& key);

// Report is one log's verdict, with what is shown beside it.
struct Report {
  std::string node;
  Verdict verdict;
  KeyShown key;
  bool home = false;       // of a home, whose anchor is here
  bool elsewhere = false;  // another host has its anchor
  bool beside = false;     // and it was only looked at beside the home's own log
};

std::string VerdictJson(const Report& report);
std::string VerdictText(const Report& report);

}  // namespace strongroom::audit
