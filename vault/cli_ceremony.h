// vaultd's flags for what it does instead of serving: ceremonies with recovery shares, a backup, a restore. keytool runs these.
#pragma once

#include <string>

#include "vault/ceremony.h"

namespace CLI {
class App;
}

namespace strongroom::vault {

struct CeremonyCommand {
  std::string name;  // "split", "verify", "restore"
  CeremonyOptions options;
  std::string back_up, put_back;  // directories
  // asked is false where vaultd is to serve.
  bool asked() const { return !name.empty() || !back_up.empty() || !put_back.empty(); }
};

void AddCeremonyFlags(CLI::App& app, CeremonyCommand& command);

// RunCeremony prints the answer on standard output, or one line why there is none on standard error, and returns the exit
// code.
int RunCeremony(const std::string& home, const CeremonyCommand& command);

}  // namespace strongroom::vault
