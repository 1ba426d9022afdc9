#include "vault/house_user.h"

#include <unistd.h>

#include "base/process.h"

namespace strongroom::vault {

std::string WrongUser(const base::Config& config, const std::string& who) {
  const auto wanted = base::FindUser(config.vault.user);
  if (!wanted) {
    return "strongroom.toml, [vault] user: there is no user \"" + config.vault.user + "\"; name the one vaultd runs as";
  }
  if (*wanted == geteuid()) return "";
  return who + " runs as " + base::UserName(geteuid()) + ", strongroom.toml says " + base::UserName(*wanted) +
         "; start it as that user";
}

}  // namespace strongroom::vault
