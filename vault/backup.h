// Backup and putting back: the databases, the file of stops and the configuration of a home, and never a KEK.
#pragma once

#include <expected>
#include <string>

#include "base/config.h"
#include "vault/service.h"

namespace strongroom::vault {

// The file of a home that was put back and not finished yet (vault/quarantine.h).
inline constexpr std::string_view kQuarantineFile = "quarantine";
inline constexpr std::string_view kManifestFile = "MANIFEST";

// BackUp copies the home into the new directory (0700, files 0600) while vaultd serves, each database as it was at one moment. It
// appears there whole or not at all. Refused: a directory that is there and not empty, or that is in, or around, the home or the
// KEKs' directory; databases that are not the home's own SQLite files. The answer is one JSON document.
std::expected<std::string, VaultProblem> BackUp(const base::Config& config, const std::string& directory);

// PutBack makes a home from a backup, quarantined, after every file's SHA-256 has been compared. It refuses a home that has a vault; one
// where it was interrupted itself it finishes. The answer is one JSON document.
std::expected<std::string, VaultProblem> PutBack(const std::string& home, const std::string& directory);

}  // namespace strongroom::vault
