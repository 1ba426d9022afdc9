#include "vault/fresh_home.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

constexpr mode_t kHomeMode = 0750;  // the group reaches the socket through it
constexpr mode_t kNotHomes = 0027;  // the rights that a home does not give

// TightenHome takes an existing directory as a home. Rights are only ever taken away, and only where nobody else's files
// could miss them: `keytool init --home /tmp` must not lock everybody out of /tmp.
std::expected<std::string, VaultProblem> TightenHome(const std::string& home) {
  struct stat facts {};
  if (stat(home.c_str(), &facts) != 0) return Problem("cannot examine " + home);
  if (facts.st_uid != geteuid()) {
    return Problem(home + " belongs to another user, who could put another KEK into it: name another home");
  }
  const mode_t mode = facts.st_mode & 07777U;
  if ((mode & kNotHomes) == 0) return "";
  std::error_code error;
  if (!fs::is_empty(home, error)) {
    return Problem(home + " is there, holds other things, and is open to others: chmod it to 750 first, or name another home");
  }
  if (chmod(home.c_str(), mode & ~kNotHomes) != 0) return Problem("cannot set the mode of " + home);
  return home + " was open to others: it is closed to all but its owner and group now";
}

}  // namespace

Made::~Made() {
  std::error_code ignored;
  for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) fs::remove(*path, ignored);
}

void Made::AddDatabase(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) Add(path + suffix);
}

bool IsThere(const std::string& path) {
  struct stat facts {};
  return lstat(path.c_str(), &facts) == 0;
}

std::expected<std::string, VaultProblem> MakeHome(const std::string& home, Made& made) {
  std::error_code error;
  if (!fs::is_directory(fs::path(home).parent_path(), error)) {
    return Problem("cannot make " + home + ": its parent directory is not there");
  }
  if (fs::is_directory(home, error)) return TightenHome(home);
  if (IsThere(home)) return Problem("cannot make " + home + ": it is there and is no directory");
  const auto created = base::CreateDirectory(home, kHomeMode);
  if (!created) return Problem("cannot make " + home + ": " + created.error().Message());
  made.Add(home);
  return "";
}

}  // namespace strongroom::vault
