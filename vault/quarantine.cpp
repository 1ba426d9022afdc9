#include "vault/quarantine.h"

#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostFile = std::size_t{64} << 10;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

}  // namespace

std::expected<std::unique_ptr<Quarantine>, VaultProblem> Quarantine::Open(const std::string& path, std::string_view vault_id) {
  const auto text = base::ReadFile(path, kMostFile);
  if (!text && text.error().code() == Code::kNotFound) return std::unique_ptr<Quarantine>(new Quarantine(path, std::nullopt));
  if (!text) return Problem("cannot read " + path + ": " + text.error().Message());
  auto backup = ParseManifest(*text);
  if (backup && backup->vault_id == vault_id) return std::unique_ptr<Quarantine>(new Quarantine(path, std::move(backup)));
  return Problem(path + " is not what a restore of this vault writes: restore the home anew");
}

Result<void> Quarantine::Lift() {
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return Fail(Code::kUnavailable, "cannot take the file of the quarantine away: errno", errno);
  }
  TRY(base::SyncDirectory(path_.substr(0, path_.rfind('/'))));
  in_force_ = false;
  return {};
}

}  // namespace strongroom::vault
