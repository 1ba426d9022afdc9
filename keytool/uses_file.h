// UsesFile: every use of a key since a time, in one file, each with the proof that it is in the trail (audit/FORMAT.md, Uses of a key).
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "keytool/problem.h"
#include "keytool/session.h"

namespace strongroom::keytool {

struct UsesReport {
  std::string file;
  std::int64_t uses = 0, unproven = 0;  // proven, and those whose record was found altered
  base::Micros held_from = 0;           // what is older was pruned; 0: nothing was
};

// UsesFileName is the name where none was given: of the key and the time, in the working directory.
std::string UsesFileName(const std::string& key_ref, base::Micros now);

// WriteUses has a checkpoint signed and writes the file, whole or not at all, durable on return; none is written over.
Outcome<UsesReport> WriteUses(const Session& session, const std::string& key_ref, base::Micros since, const std::string& file);

// CheckProven is a problem where some uses could not be proven: the database was altered.
Outcome<void> CheckProven(const Session& session, const UsesReport& report);

// VerifyCommand is the command that checks such a file.
std::string VerifyCommand(const std::string& file);

}  // namespace strongroom::keytool
