#include "vault/open_vault.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include "base/process.h"
#include "vault/cipher.h"
#include "vault/kek_acts.h"
#include "vault/kek_file.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

template <typename T>
using OrProblem = std::expected<T, VaultProblem>;

std::string DatabaseName(const base::Config& config) {
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string& url = config.vault.database;
  // What follows "odbc:" may hold a password.
  return url.starts_with(kSqlite) ? url.substr(kSqlite.size()) : std::string("the vault database");
}

OrProblem<std::unique_ptr<sql::Database>> OpenDatabase(const base::Config& config, const sql::OpenOptions& options) {
  auto database = sql::Open(config.vault.database, options);
  if (database) return std::move(*database);
  const std::string name = DatabaseName(config);
  if (database.error().code() == Code::kNotFound) {
    return Problem("there is no vault at " + name + ": run 'keytool init', or name another home with --home");
  }
  return Problem("cannot open " + name + ": " + database.error().Message());
}

OrProblem<Keyring> LoadKeyring(const base::Config& config) {
  auto keyring = Keyring::Load(config.vault.kek_path);
  if (keyring) return std::move(*keyring);
  const KekProblem& problem = keyring.error();
  return Problem("the KEK at " + problem.path + " was refused: " + problem.error.Message());
}

// CheckKeks demands every KEK that keys may be under, and that it is the one the database means: a wrong one would make
// every key look tampered. A PREPARED one wraps nothing yet. What is retired or unknown is not held. It returns the ACTIVE
// one.
OrProblem<std::int64_t> CheckKeks(const base::Config& config, const std::vector<KekRow>& rows,
                                  Keyring& keyring) {
  std::int64_t active = 0;
  Keyring wanted;
  for (const KekRow& row : rows) {
    const bool prepared = row.status == kKekPrepared;
    if (row.status != kKekActive && row.status != kKekRetiring && !prepared) continue;
    const std::string version = std::to_string(row.version);
    const auto kek = keyring.Find(row.version);
    if (!kek && prepared) continue;
    if (!kek) {
      return Problem("KEK version " + version + " is missing at " + config.vault.kek_path + ": put " + version +
                     ".key back from your backup");
    }
    const auto value = CheckValue(**kek);
    const bool right = value && Cipher::Equal(*value, row.check_value);
    if (!right && prepared) continue;
    if (!right) {
      return Problem("KEK version " + version + " at " + config.vault.kek_path +
                     " is not this vault's KEK: put the right file back from your backup");
    }
    wanted.Add(row.version, *kek);
    if (row.status == kKekActive) active = row.version;
  }
  if (active == 0) return Problem("the vault database names no ACTIVE KEK: it is damaged, restore it");
  keyring = std::move(wanted);
  return active;
}

OrProblem<std::shared_ptr<const MacKey>> LoadSecret(const base::Config& config, Store& store, const Keyring& keyring,
                             std::string_view vault_id, std::string_view name) {
  const std::string what = DatabaseName(config) + ": the vault's own key '" + std::string(name) + "' ";
  const auto row = store.FindSecret(name);
  if (!row) return Problem(what + "cannot be read: " + row.error().Message());
  if (!*row) return Problem(what + "is missing: the database is damaged, restore it");
  const auto kek = keyring.Find((*row)->kek_version);
  if (!kek) {
    return Problem(what + "is under KEK version " + std::to_string((*row)->kek_version) + ", which is not at " +
                   config.vault.kek_path);
  }
  auto key = UnwrapMacKey(**kek, vault_id, name, **row);
  if (!key) return Problem(what + "does not open: its row was changed outside vaultd, restore it");
  return std::make_shared<const MacKey>(std::move(*key));
}

// The trail keeps the name it began with: a host that is renamed, or a container with a new name each time, does not
// start another log inside the same chain.
std::string KnownLogName(Store& store, std::string_view vault_id) {
  const auto bytes = store.FirstRecord();
  if (bytes && *bytes) {
    const auto entry = audit::Parse(**bytes);
    if (entry && entry->place.log.starts_with(vault_id)) return entry->place.log;
  }
  return LogName(vault_id);
}

OrProblem<std::unique_ptr<OpenVault>> Assemble(const base::Config& config, Store& store) {
  const auto row = store.FindVault();
  if (!row) return Problem(DatabaseName(config) + " cannot be read: " + row.error().Message());
  const auto keks = store.ListKeks();
  if (!keks) return Problem(DatabaseName(config) + " cannot be read: " + keks.error().Message());
  auto keys = std::make_shared<VaultKeys>();
  auto keyring = LoadKeyring(config);
  if (!keyring) return std::unexpected(keyring.error());
  keys->keyring = std::move(*keyring);
  const auto active = CheckKeks(config, *keks, keys->keyring);
  if (!active) return std::unexpected(active.error());
  keys->wrap_version = *active;
  auto profile = LoadSecret(config, store, keys->keyring, row->vault_id, kProfileMacSecret);
  if (!profile) return std::unexpected(profile.error());
  keys->profile_key = std::move(*profile);
  auto fingerprint = LoadSecret(config, store, keys->keyring, row->vault_id, kFingerprintSecret);
  if (!fingerprint) return std::unexpected(fingerprint.error());
  keys->fingerprint_key = std::move(*fingerprint);
  auto vault = std::make_unique<OpenVault>(config, row->vault_id);
  vault->held.Put(std::move(keys));
  vault->epoch.Publish(row->epoch);
  return vault;
}

}  // namespace

Result<std::shared_ptr<const VaultKeys>> OpenVault::Keys() const {
  auto keys = held.Get();
  if (keys == nullptr) return std::unexpected(RefusalError(Refusal::kSealed));
  return keys;
}

void KeptEpoch::Publish(std::int64_t epoch) {
  value_.store(epoch);
  std::function<void(std::int64_t)> handler;
  {
    const std::lock_guard lock(mutex_);
    handler = handler_;
  }
  if (handler) handler(epoch);
}

void KeptEpoch::OnChange(std::function<void(std::int64_t)> handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

Result<std::unique_ptr<sql::Database>> OpenReader(const base::Config& config) {
  sql::OpenOptions reading;
  reading.access = sql::Access::kReadOnly;
  reading.busy_ms = 100;  // facts are read on the thread that serves everybody
  return sql::Open(config.vault.database, reading);
}

OrProblem<std::unique_ptr<OpenVault>> LoadVault(const base::Config& config) {
  sql::OpenOptions writing;
  writing.checkpoint_elsewhere = true;
  auto writer = OpenDatabase(config, writing);
  if (!writer) return std::unexpected(writer.error());
  if (const auto schema = sql::CheckSchema(**writer, sql::Schema::kVault); !schema) {
    return Problem(DatabaseName(config) + " is refused: " + schema.error().Message());
  }
  Store store(**writer);
  auto vault = Assemble(config, store);
  if (!vault) return vault;
  auto checkpointer = OpenDatabase(config, writing);
  if (!checkpointer) return std::unexpected(checkpointer.error());
  auto reader = OpenReader(config);
  if (!reader) return Problem("cannot open " + DatabaseName(config) + ": " + reader.error().Message());
  (*vault)->reader = std::move(*reader);
  const std::string name = KnownLogName(store, (*vault)->vault_id);
  auto log = audit::LogWriter::Start(std::move(*writer), std::move(*checkpointer), name, BootName(), {});
  if (!log) return Problem("the trail in " + DatabaseName(config) + " cannot be continued: " + log.error().Message());
  (*vault)->log = std::move(*log);
  return vault;
}

audit::Actor SystemActor() {
  audit::Actor actor;
  actor.uid = static_cast<std::int64_t>(geteuid());
  actor.gid = static_cast<std::int64_t>(getegid());
  actor.name = base::UserName(geteuid());
  actor.pid = getpid();
  actor.pid_start = base::PidStart(getpid());
  actor.role = "vaultd";
  return actor;
}

audit::Actor ActorOf(const Peer& peer, std::string_view role) {
  audit::Actor actor;
  actor.uid = static_cast<std::int64_t>(peer.uid);
  actor.gid = static_cast<std::int64_t>(peer.gid);
  actor.name = peer.name;
  actor.pid = peer.pid;
  actor.pid_start = peer.pid_start;
  actor.role = role;
  return actor;
}

std::string LogName(std::string_view vault_id) {
  std::string name(vault_id);
  name += '/';
  for (const char c : base::HostName().substr(0, 64)) {
    const bool plain = c > 0x20 && c < 0x7f && c != '"' && c != '\\';
    name += plain ? c : '_';
  }
  return name;
}

std::string BootName() {
  // Not a secret; two random nonces are at hand where a random source for public bytes is not.
  Bytes random = Cipher::RandomNonce();
  const Bytes more = Cipher::RandomNonce();
  random.insert(random.end(), more.begin(), more.begin() + 4);
  return base::Hex(random);
}

}  // namespace strongroom::vault
