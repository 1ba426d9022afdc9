// Published: a trail as an outsider meets it: in a home, with a vault's key and a signed checkpoint; and auditlog as it is run.
#pragma once

#include <string>

#include "tests/audit/trail.h"
#include "audit/note.h"

namespace strongroom::audit {

// Ran is how a run of auditlog ended.
struct Ran {
  int status = -1;
  std::string out, complaints;
};
// RunShell runs "auditlog ARGUMENTS" by the shell; `before` is what stands in front of it there.
Ran RunShell(const std::string& arguments, const std::string& before = "");

std::string ReadWhole(const std::filesystem::path& path);

struct Published {
  explicit Published(int records);  // with none there is no anchor
  // Anchor makes the home's anchor anew, with the head of the trail as it is.
  void Anchor(bool with_signature = true) const;
  std::string Run(const std::string& arguments) const { return arguments + " --home " + trail.directory().string(); }

  Trail trail;
  VerifierKey key;
};

}  // namespace strongroom::audit
