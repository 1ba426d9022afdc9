#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/command_line.h"
#include "base/config.h"
#include "base/process.h"
#include "vault/arena.h"
#include "vault/cli_ceremony.h"
#include "vault/server.h"
#include "vault/service.h"

namespace {

constexpr const char* kFooter =
    "Environment, each winning over strongroom.toml:\n"
    "  K3SAI_KEK_PATH  a KEK file, or a directory of versions (kek/)\n"
    "  K3SAI_LOG_DEST  stderr, or a directory for daily files\n"
    "Also read: CREDENTIALS_DIRECTORY (systemd), SOFTHSM2_CONF (by SoftHSM, if it is the PKCS#11 module).\n"
    "Signals: SIGTERM or SIGINT: answer what is in flight, record the stop, exit 0. SIGHUP: read [roles] again.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage.";

int Refuse(const std::string& problem) {
  std::fprintf(stderr, "vaultd: %s\n", problem.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  if (const auto arena = strongroom::vault::Arena::Open(); !arena) return Refuse(arena.error().Message());
  std::string home;
  bool foreground = true;
  bool init = false, join = false, phrase = false;
  strongroom::vault::CeremonyCommand ceremony;
  std::string vault_database, organization(strongroom::base::kDefaultOrganization);
  CLI::App app("Holds the keys of a Strongroom home and releases them on its Unix socket.", "vaultd");
  app.set_version_flag("--version", "vaultd " STRONGROOM_VERSION);
  app.add_option("--home", home, "the home directory (STRONGROOM_HOME, else /var/lib/strongroom)");
  app.add_flag("--foreground", foreground, "stay in the foreground, as vaultd always does");
  app.add_flag("--init", init, "make a new home and exit; keytool init runs this");
  strongroom::vault::AddCeremonyFlags(app, ceremony);
  app.add_flag("--join", join, "make a home that serves an existing vault too, and exit; keytool node join runs this");
  app.add_flag("--node-phrase", phrase, "print this home's check phrase and exit; keytool node phrase runs this");
  app.add_option("--organization", organization, "with --init or --join what the names of the log's checkpoints begin with, such as your domain");
  app.add_option("--vault-database", vault_database,
                 "with --init an empty PostgreSQL database in place of vault.db, with --join the vault's");
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return strongroom::base::RefuseUsage(strongroom::base::CommandOf(app), error.what());
  }
  home = strongroom::base::FindHome(home);
  if (init || join) {
    const auto made = init ? strongroom::vault::InitVault(home, vault_database, organization)
                           : strongroom::vault::JoinVault(home, vault_database, organization);
    if (!made) return Refuse(made.error().text);
    if (!made->empty()) std::printf("%s\n", made->c_str());
    return 0;
  }
  if (phrase) {
    const auto made = strongroom::vault::NodePhrase(home);
    if (!made) return Refuse(made.error().text);
    std::printf("%s\n", made->c_str());
    return 0;
  }
  if (ceremony.asked()) return strongroom::vault::RunCeremony(home, ceremony);
  const auto config = strongroom::base::LoadConfig(home);
  if (!config) return Refuse(config.error().text);
  return strongroom::vault::RunVaultd(*config, strongroom::vault::ServerLimits());
}
