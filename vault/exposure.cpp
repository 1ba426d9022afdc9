#include "vault/exposure.h"

#include <sys/stat.h>

#include <filesystem>
#include <string_view>

#include "sql/database.h"

namespace strongroom::vault {
namespace {

void Look(const std::string& path, unsigned forbidden, unsigned wanted, std::vector<Exposed>& found) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0 || (facts.st_mode & forbidden) == 0) return;
  found.push_back({path, facts.st_mode & 07777U, wanted});
}

}  // namespace

std::vector<Exposed> FindExposed(const base::Config& config) {
  std::vector<Exposed> found;
  constexpr std::string_view kSqlite = "sqlite:";
  if (config.vault.database.starts_with(kSqlite)) {
    const std::string file = config.vault.database.substr(kSqlite.size());
    for (const char* suffix : {"", "-wal"}) Look(file + suffix, 0077, 0600, found);
  }
  // It says who is an admin, and of whom providers are believed.
  const bool password = sql::HoldsPassword(config.vault.database);
  Look(config.home + "/strongroom.toml", password ? 0077 : 0022, password ? 0600 : 0644, found);
  Look(config.home, 0022, 0700, found);
  std::error_code ignored;
  const std::filesystem::path kek = config.vault.kek_path;
  if (std::filesystem::is_directory(kek, ignored)) {
    Look(kek.string(), 0077, 0700, found);
  } else {
    Look(kek.parent_path().string(), 0022, 0700, found);
  }
  return found;
}

}  // namespace strongroom::vault
