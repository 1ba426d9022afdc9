// kek backup, verify, restore: the KEKs in the custodians' shares. keytool sees no share and no KEK: vaultd's ceremonies do
// (`vaultd --ceremony`), on the same terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct BackupKekOptions {
  std::int64_t shares = 5, threshold = 3;
  std::vector<std::string> custodians, read_back;
  std::string out, reason;
};

// BackupKek has a new recovery key made and split; once every share has been read back, every KEK version is sealed to it, and it
// replaces the set before.
Outcome<void> BackupKek(const Context& context, const BackupKekOptions& options);

// VerifyShares proves that shares open the vault, without a change; RestoreKeks puts the KEK files back that are missing. Without
// files the shares are asked for on the terminal.
Outcome<void> VerifyShares(const Context& context, const std::vector<std::string>& files, const std::string& reason);
Outcome<void> RestoreKeks(const Context& context, const std::vector<std::string>& files, const std::string& reason);

}  // namespace strongroom::keytool
