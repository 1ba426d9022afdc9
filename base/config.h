// strongroom.toml: read whole, checked whole, refused with the line that is wrong.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::base {

inline constexpr std::string_view kDefaultOrganization = "strongroom";

// Config is strongroom.toml after defaults and the environment (INTERFACES §4) have been applied. Relative paths
// have been made absolute under `home`.
struct Config {
  std::string home;
  std::string database;  // the work database, "sqlite:/abs/path" or "odbc:…"
  std::string queue;     // "database"; other engines come later
  struct Vault {
    std::string socket;
    std::string database;
    std::string kek_path;  // a directory of versions, or one file (K3SAI_KEK_PATH)
    std::string credential = "strongroom-kek";  // the name of the systemd credential that KEKs may be under
    std::string credential_path;                // where it was handed over ($CREDENTIALS_DIRECTORY); empty: it was not
    std::string pkcs11_module, pkcs11_uri;  // the library (a path), and the key on the token (RFC 7512) that KEKs may be under
    std::string pkcs11_pin_path;  // pkcs11_pin_file; without one, where systemd put pkcs11_pin_credential, or empty
    std::string pkcs11_pin_credential = "strongroom-pin";
    std::int64_t pkcs11_timeout_ms = 20'000;  // how long a call of the token may take; keytool waits 30 s
    std::string user;  // the uid or name vaultd must run as
    bool single_user = false;
    std::int64_t keys_per_minute = 1000;   // different keys a minute that one uid is given, worker or admin
    std::int64_t releases_per_minute = 0;  // of a key that has a profile without RPM; 0: no ceiling
    std::int64_t suspect_after = 3;            // so many 401s and 403s in a row for a key
    std::int64_t suspect_within_seconds = 60;  // within so long, and it is probed
  } vault;
  struct Roles {
    std::vector<std::string> admin, worker, auditor;  // user names, uids or "@group"
  } roles;
  struct Audit {
    std::string organization{kDefaultOrganization};  // what a log's name begins with, where one begins
    std::string checkpoints = "checkpoints/";  // the directory where checkpoints are published; empty: none
    std::int64_t publish_seconds = 10;         // at most so often
    std::int64_t heartbeat_seconds = 300;      // so long without a record, and one is written
    std::int64_t retention_days = 400;         // records that are older are pruned; 0: none ever
  } audit;
  // How old a key may grow until `keytool due` says so. A reminder: nothing is withheld for it.
  struct Rotation {
    std::int64_t days = 365;  // 0: never
    std::map<std::string, std::int64_t> customers;  // of these another number of days
  } rotation;
  struct Provider {
    std::string ca_file;  // empty: the system's CAs alone
    bool allow_http = false;
  } provider;
  struct Worker {
    std::int64_t in_flight = 256;
    std::int64_t timeout_ms = 60'000;
    std::int64_t max_attempts = 5;
    std::int64_t lease_ms = 15'000;
    std::int64_t recycle_after = 0;  // 0: never
    std::string inbound_library = "K3SAI";
    std::string inbound_queue = "AIOUTQ";
  } worker;
  struct Log {
    std::string destination = "stderr";
  } log;
};

// ConfigProblem is why a configuration was refused, for a person: `text` names the file, the line and the mend.
// It is no Error because it quotes the file, which holds no secret.
struct ConfigProblem {
  std::string text;
};

// IsOrganization: 1 to 64 letters, digits, dots, hyphens and underscores, such as a domain. It becomes part of a log's name.
bool IsOrganization(std::string_view name);

// FindHome returns `flag` if not empty, else STRONGROOM_HOME, else /var/lib/strongroom; absolute.
std::string FindHome(const std::string& flag);

// LoadConfig reads HOME/strongroom.toml. Unknown keys, wrong types and out-of-range numbers are refused.
std::expected<Config, ConfigProblem> LoadConfig(const std::string& home);

// DefaultConfigText is the file that `keytool init` writes; `user` is the name of the user running it, `vault_database` the
// URL of a vault that is not in vault.db.
std::string DefaultConfigText(const std::string& user, const std::string& vault_database = "",
                              const std::string& organization = std::string(kDefaultOrganization));

}  // namespace strongroom::base
