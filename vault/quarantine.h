// Quarantine: a home that was put back from a backup releases no key until an admin has stopped again what can be learned to
// have been stopped since, and says so.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vault/manifest.h"
#include "vault/service.h"

namespace strongroom::vault {

class Quarantine {
 public:
  // Open reads the file `quarantine` of the home, which is the backup's manifest; where there is none nothing is in force. One that
  // is another vault's, or no manifest, is a problem: it must not pass for none.
  static std::expected<std::unique_ptr<Quarantine>, VaultProblem> Open(const std::string& path, std::string_view vault_id);

  bool in_force() const { return in_force_.load(); }
  // backup is what the home was put back from; only where in force at the start.
  const std::optional<Manifest>& backup() const { return backup_; }
  // Lift takes the file away, durably; until it has, the quarantine stays.
  Result<void> Lift();

 private:
  Quarantine(std::string path, std::optional<Manifest> backup)
      : path_(std::move(path)), backup_(std::move(backup)), in_force_(backup_.has_value()) {}

  const std::string path_;
  const std::optional<Manifest> backup_;
  std::atomic<bool> in_force_;
};

}  // namespace strongroom::vault
