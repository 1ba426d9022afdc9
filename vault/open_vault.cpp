#include "vault/open_vault.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include "base/log.h"
#include "base/process.h"
#include "vault/backup.h"
#include "vault/cipher.h"
#include "vault/kek_directory.h"
#include "vault/load_keys.h"
#include "vault/node_id.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

bool IsInFile(const base::Config& config) { return config.vault.database.starts_with(kSqlite); }

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

template <typename T>
using OrProblem = std::expected<T, VaultProblem>;

OrProblem<std::unique_ptr<sql::Database>> OpenDatabase(const base::Config& config, const sql::OpenOptions& options) {
  auto database = sql::Open(config.vault.database, options);
  if (database) return std::move(*database);
  const std::string name = DatabaseName(config);
  if (database.error().code() == Code::kNotFound) {
    return Problem("there is no vault at " + name + ": run 'keytool init', or name another home with --home");
  }
  return Problem("cannot open " + name + ": " + database.error().Message());
}

// The trail keeps the name it began with: a host that is renamed, or a container with a new name each time, does not
// start another log inside the same chain.
std::string KnownLogName(Store& store, std::string_view vault_id, std::string_view node) {
  const auto bytes = store.FirstRecord();
  if (bytes && *bytes) {
    const auto entry = audit::Parse(**bytes);
    if (entry && entry->place.log.starts_with(vault_id)) return entry->place.log;
  }
  return LogName(vault_id, node);
}

// FindNode is this home's node id. A vault in a file is this home's alone, whatever became of the file that says so; a home
// that shares a database with others must have joined them.
OrProblem<std::string> FindNode(const base::Config& config) {
  auto node = ReadNodeId(config.home);
  if (node) return std::move(*node);
  const std::string path = config.home + "/node";
  const bool missing = node.error().code() == Code::kNotFound;
  if (!missing) return Problem(path + " was refused: " + node.error().Message());
  if (!IsInFile(config)) return Problem(path + " is missing: put it back from your backup; it names this home's log in the trail");
  node = MakeNodeId(config.home);
  if (!node) return Problem("cannot make " + path + ": " + node.error().Message());
  return std::move(*node);
}

OrProblem<void> CheckNode(const base::Config& config, const std::string& node, Store& store) {
  const auto nodes = store.ListNodes();
  if (!nodes) return Problem(DatabaseName(config) + " cannot be read: " + nodes.error().Message());
  for (const NodeRow& row : *nodes) {
    if (row.node_id == node && row.status == kNodeMember) return {};
    if (row.node_id == node && row.status == kNodeJoining) {
      return Problem("node " + node + " is not a member yet: an admin on one that serves runs 'keytool node confirm " + node + "'");
    }
    if (row.node_id == node) return Problem("node " + node + " is " + row.status + " in " + DatabaseName(config));
  }
  if (!IsInFile(config)) return Problem("node " + node + " of this home is not registered in " + DatabaseName(config));
  const auto entered = store.InsertNode(ThisNode(node, kNodeMember));
  if (!entered) return Problem(DatabaseName(config) + " cannot be written: " + entered.error().Message());
  return {};
}

// EnterNode takes this node's lease; the trail's writer keeps it.
Result<void> EnterNode(OpenVault& vault, sql::Database& database, const std::string& boot, audit::LogWriter::Options& keeping) {
  if (IsInFile(vault.config)) {
    vault.lease.HoldForGood();
    return {};
  }
  auto key = NodeKey::Open(vault.config.home);
  if (!key) {
    base::LogError("node_key_failed", key.error(), {{"path", vault.config.home + "/node.key"}});
    return std::unexpected(key.error());
  }
  vault.nodes = std::make_unique<Nodes>(vault, std::move(*key), boot);
  keeping.tick = [&nodes = *vault.nodes](sql::Database* open) { return nodes.Tick(open); };
  return vault.nodes->Enter(database);
}

// A vault whose KEK is not there opens sealed: its trail, its lists and its status are at hand, and unseal brings the rest.
// A KEK that is there and wrong, with no other protector to bring it, is another matter: somebody has to look at it first.
OrProblem<std::unique_ptr<OpenVault>> Assemble(const base::Config& config, const std::string& node, Store& store) {
  const auto row = store.FindVault();
  if (!row) return Problem(DatabaseName(config) + " cannot be read: " + row.error().Message());
  if (const auto tidied = KekDirectory(config.vault.kek_path).Tidy(); !tidied) {
    base::LogError("kek_directory_not_tidied", tidied.error(), {{"path", config.vault.kek_path}});
  }
  auto keys = LoadKeys(config, store, row->vault_id, node);
  if (!keys && !keys.error().missing) return Problem(keys.error().text);
  auto vault = std::make_unique<OpenVault>(config, row->vault_id, node);
  if (keys) {
    vault->held.Put(std::move(*keys));
  } else {
    base::Log(base::Level::kWarning, "sealed", {{"why", keys.error().text}});
    vault->held.Put(nullptr, keys.error().text);
  }
  vault->epoch.Publish(row->epoch);
  return vault;
}

// A trail that its anchor does not know is treated like a database that was put back: it may be yesterday's.
OrProblem<void> OpenTrail(OpenVault& vault, sql::Database& database) {
  const auto public_key = Store(database).TrailPublicKey(vault.node_id);
  if (!public_key) return Problem(DatabaseName(vault.config) + " cannot be read: " + public_key.error().Message());
  auto trail = Trail::Open(vault.config, vault.vault_id, *public_key, vault.held, database, vault.quarantine->in_force());
  if (!trail) return std::unexpected(trail.error());
  if ((*trail)->standing() != Standing::kSound) vault.stops->MarkOlder();
  vault.trail = std::move(*trail);
  return {};
}

}  // namespace

std::string DatabaseName(const base::Config& config) {
  // What follows "odbc:" may hold a password.
  return IsInFile(config) ? config.vault.database.substr(kSqlite.size()) : std::string("the vault database");
}

TrailSecrets TrailSecretsOf(const base::Config& config, std::string_view node) {
  TrailSecrets names{std::string(kTrailKeySecret), std::string(kOldTrailKeySecret)};
  if (IsInFile(config)) return names;
  for (std::string* name : {&names.own, &names.before}) name->append("/").append(node);
  return names;
}

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

Result<std::unique_ptr<sql::Database>> OpenReader(const base::Config& config, const std::string& node) {
  sql::OpenOptions reading;
  reading.node = node;
  reading.access = sql::Access::kReadOnly;
  reading.busy_ms = 100;  // facts are read on the thread that serves everybody
  return sql::Open(config.vault.database, reading);
}

sql::OpenOptions WritingOptions(const std::string& node) {
  sql::OpenOptions writing;
  writing.checkpoint_elsewhere = true;
  writing.erase_freed = true;  // a destroyed key's DEK
  writing.durable = true;
  writing.node = node;
  return writing;
}

NodeRow ThisNode(const std::string& node, std::string_view status) {
  NodeRow row;
  row.node_id = node;
  row.host = base::HostName();
  row.status = status;
  row.seen_at = base::WallMicros();
  return row;
}

OrProblem<std::unique_ptr<OpenVault>> LoadVault(const base::Config& config) {
  const auto node = FindNode(config);
  if (!node) return std::unexpected(node.error());
  const sql::OpenOptions writing = WritingOptions(*node);
  auto writer = OpenDatabase(config, writing);
  if (!writer) return std::unexpected(writer.error());
  if (const auto schema = sql::CheckSchema(**writer, sql::Schema::kVault); !schema) {
    return Problem(DatabaseName(config) + " is refused: " + schema.error().Message());
  }
  Store store(**writer);
  if (const auto member = CheckNode(config, *node, store); !member) return std::unexpected(member.error());
  auto vault = Assemble(config, *node, store);
  if (!vault) return vault;
  auto quarantine = Quarantine::Open(config.home + "/" + std::string(kQuarantineFile), (*vault)->vault_id);
  if (!quarantine) return std::unexpected(quarantine.error());
  (*vault)->quarantine = std::move(*quarantine);
  const std::string path = config.home + "/stops";
  auto stops = Stops::Open(path, (*vault)->vault_id);
  if (!stops) return std::unexpected(stops.error());
  (*vault)->stops = std::move(*stops);
  if (const auto caught_up = CatchUp(**vault, store, (*vault)->epoch.value()); !caught_up) {
    return Problem("cannot bring " + path + " up to " + DatabaseName(config) + ": " + caught_up.error().Message());
  }
  if (const auto opened = OpenTrail(**vault, **writer); !opened) return std::unexpected(opened.error());
  if (const auto read = (*vault)->releases.ReadBack(store); !read) {
    return Problem("the trail in " + DatabaseName(config) + " cannot be read: " + read.error().Message());
  }
  std::unique_ptr<sql::Database> checkpointer;
  if (IsInFile(config)) {
    auto opened = OpenDatabase(config, writing);
    if (!opened) return std::unexpected(opened.error());
    checkpointer = std::move(*opened);
  }
  auto reader = OpenReader(config, *node);
  if (!reader) return Problem("cannot open " + DatabaseName(config) + ": " + reader.error().Message());
  (*vault)->reader = std::move(*reader);
  const std::string name = KnownLogName(store, (*vault)->vault_id, *node);
  const std::string boot = BootName();
  audit::LogWriter::Options keeping;
  if (const auto entered = EnterNode(**vault, **writer, boot, keeping); !entered) {
    return Problem("node " + *node + " cannot serve " + DatabaseName(config) + ": " + entered.error().Message());
  }
  (*vault)->reserve = std::make_unique<Reserve>(IsInFile(config) ? DatabaseName(config) + "-reserve" : std::string());
  (*vault)->reserve->Take();
  keeping.on_full = [raw = vault->get()] { raw->reserve->Give(); };
  keeping.keep_head = [raw = vault->get()](const audit::Head& head) { return raw->trail->Keep(head); };
  auto log = audit::LogWriter::Start(std::move(*writer), std::move(checkpointer), name, boot, std::move(keeping));
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

std::string LogName(std::string_view vault_id, std::string_view node) {
  std::string name(vault_id);
  name += '/';
  for (const char c : base::HostName().substr(0, 64)) {
    const bool plain = c > 0x20 && c < 0x7f && c != '"' && c != '\\';
    name += plain ? c : '_';
  }
  name += '/';
  name += node;
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
