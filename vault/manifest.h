// Manifest: what a backup holds and of when, as a small text. The format is in vault/PROTOCOL.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace strongroom::vault {

// ManifestFile is one file of the backup: its size, and its SHA-256 in hexadecimal.
struct ManifestFile {
  std::string name;
  std::int64_t size = 0;
  std::string sha256;
  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::string vault_id;     // 32 hexadecimal digits
  base::Micros made_at = 0;
  std::int64_t epoch = 0;   // the vault's, in the copy
  std::int64_t record = 0;  // the newest of the copy's trail
  std::vector<ManifestFile> files;
  bool operator==(const Manifest&) const = default;
};

// The files that a backup may hold.
inline constexpr std::string_view kVaultFile = "vault.db", kWorkFile = "strongroom.db", kStopsFile = "stops",
                                  kConfigFile = "strongroom.toml", kAnchorName = "anchor";

// PrintManifest writes what ParseManifest reads; that is none where the text is not exactly of that form.
std::string PrintManifest(const Manifest& manifest);
std::optional<Manifest> ParseManifest(std::string_view text);

}  // namespace strongroom::vault
