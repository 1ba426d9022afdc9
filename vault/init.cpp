// InitVault: a home from nothing. It either makes all of it or leaves nothing behind.
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "base/config.h"
#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "sql/database.h"
#include "vault/fresh_home.h"
#include "vault/kek_file.h"
#include "vault/node_id.h"
#include "vault/node_key.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/rate_seed.h"
#include "vault/store.h"
#include "vault/trail.h"

namespace strongroom::vault {
namespace {

using Outcome = std::expected<void, VaultProblem>;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

constexpr std::array<const char*, 7> kNames = {"strongroom.toml", "kek", "node", "node.key", "anchor", "vault.db", "strongroom.db"};

Outcome RefuseOldHome(const std::string& home) {
  if (IsThere(home + "/strongroom.toml")) return Problem("this home already has a vault: " + home);
  for (const char* name : kNames) {
    if (!IsThere(home + "/" + name)) continue;
    return Problem("this home already has a vault, or part of one: " + home + "/" + name +
                   " is there without strongroom.toml; move it away first");
  }
  return {};
}

// The kek directory is also what makes two inits at once impossible: mkdir succeeds for one of them.
std::expected<Kek, VaultProblem> MakeKek(const std::string& home, Made& made) {
  const std::string directory = home + "/kek";
  if (const auto created = base::CreateDirectory(directory, 0700); !created) {
    if (created.error().code() == Code::kAlreadyExists) return Problem("this home already has a vault: " + home);
    return Problem("cannot make " + directory + ": " + created.error().Message());
  }
  made.Add(directory);
  made.Add(directory + "/1.key");
  auto kek = KekFile::Create(directory + "/1.key");
  if (!kek) return Problem("cannot make " + directory + "/1.key: " + kek.error().Message());
  return std::move(*kek);
}

Result<void> FillVault(sql::Database& database, const Kek& kek, VaultRow& vault, const std::string& node, std::optional<TrailKey>& trail_key) {
  Store store(database);
  TRY_ASSIGN(const MacKey seed, MacKey::Generate());
  TRY_ASSIGN(trail_key, TrailKey::Of(seed.View()));
  vault.trail_public_key = trail_key->public_key();
  TRY(store.InsertVault(vault));
  TRY(store.InsertNode(ThisNode(node, kNodeMember)));
  TRY_ASSIGN(const Bytes check_value, CheckValue(kek));
  TRY(store.InsertKek({1, check_value, "ACTIVE", vault.created_at, vault.created_at}));
  TRY_ASSIGN(const WrappedSecret wrapped_seed, WrapMacKey(kek, 1, vault.vault_id, kTrailKeySecret, seed));
  TRY(store.InsertSecret(kTrailKeySecret, wrapped_seed));
  for (const std::string_view name : {kProfileMacSecret, kFingerprintSecret, kApprovalMacSecret}) {
    TRY_ASSIGN(const MacKey key, MacKey::Generate());
    TRY_ASSIGN(const WrappedSecret wrapped, WrapMacKey(kek, 1, vault.vault_id, name, key));
    TRY(store.InsertSecret(name, wrapped));
  }
  for (const Rate& rate : SeededRates()) TRY(store.InsertRate(rate));
  return {};
}

// BeginLog makes the anchor of a node's log, signed where there is a key, and writes its first record, and what `also` writes in the same transaction.
// So short a trail needs no checkpointer.
Result<void> BeginLog(const std::string& home, std::unique_ptr<sql::Database> database, const VaultRow& vault,
                      const std::string& origin, const std::string& node, std::string_view action, audit::Facts facts,
                      const TrailKey* trail_key, std::function<void(sql::Database&)> also = nullptr) {
  TRY_ASSIGN(const audit::VerifierKey verifier, BeginAnchor(home, origin, vault.trail_public_key));
  facts.emplace("verifier_key", verifier.Print());
  TRY_ASSIGN(const auto anchor, audit::Anchor::Open(home + "/" + std::string(kAnchorFile), [&](std::string_view body) {
    const auto signature = trail_key == nullptr ? Result<Bytes>(Refuse(Refusal::kSealed)) : trail_key->Sign(body);
    return signature ? audit::SignatureLine(verifier, *signature) : std::string();
  }));
  audit::LogWriter::Options beginning;
  beginning.keep_head = [&anchor](const audit::Head& head) { return anchor->Keep(head); };
  beginning.new_log = true;
  TRY_ASSIGN(const auto log, audit::LogWriter::Start(std::move(database), nullptr, LogName(vault.vault_id, node), BootName(),
                                                     beginning));
  audit::Draft record;
  record.action = action;
  record.actor = SystemActor();
  record.epoch = vault.epoch;
  record.after = std::move(facts);
  TRY(log->Append(std::move(record), std::move(also)));
  return {};
}

// EnterVault returns the check phrase of the node that has now joined.
Result<std::string> EnterVault(const std::string& home, const std::string& url, const std::string& node, const NodeKey& key,
                               const std::string& organization) {
  TRY_ASSIGN(auto database, sql::Open(url, WritingOptions(node)));
  TRY(sql::CheckSchema(*database, sql::Schema::kVault));
  TRY_ASSIGN(const VaultRow vault, Store(*database).FindVault());
  // A row that cannot be written fails the transaction.
  const audit::Facts facts{{"vault_id", vault.vault_id}, {"node", node}};
  TRY(BeginLog(home, std::move(database), vault, OriginOf(organization, vault.vault_id, node), node, "join", facts, nullptr, [&](sql::Database& inside) {
    Store store(inside);
    auto entered = store.InsertNode(ThisNode(node, kNodeJoining));
    if (entered) entered = store.PutNodeKey({node, key.public_key(), {}, {}});
    if (!entered) base::LogError("join_failed", entered.error());
  }));
  return key.Phrase(vault.vault_id, node).Print();
}

Result<void> MakeWorkDatabase(const std::string& url) {
  sql::OpenOptions options;
  options.access = sql::Access::kCreate;
  options.mode = 0660;
  TRY_ASSIGN(const auto database, sql::Open(url, options));
  return sql::CreateSchema(*database, sql::Schema::kWork);
}

Result<void> MakeVault(const std::string& home, const std::string& url, const Kek& kek, const std::string& node,
                       const std::string& organization) {
  sql::OpenOptions options = WritingOptions(node);
  options.access = sql::Access::kCreate;
  VaultRow vault{BootName(), 1, base::WallMicros(), {}};
  std::optional<TrailKey> trail_key;
  {
    TRY_ASSIGN(const auto database, sql::Open(url, options));
    TRY(sql::CreateSchema(*database, sql::Schema::kVault,
                          [&](sql::Database& inside) { return FillVault(inside, kek, vault, node, trail_key); }));
  }
  TRY_ASSIGN(auto database, sql::Open(url, WritingOptions(node)));
  return BeginLog(home, std::move(database), vault, OriginOf(organization, vault.vault_id), node, "init",
                  {{"vault_id", vault.vault_id}, {"kek_version", "1"}, {"node", node}}, &*trail_key);
}

// A server's database is somebody else's to make, and is only filled; what of a vault is in it already is not ours.
Outcome MakeServerVault(const std::string& home, const std::string& url, const Kek& kek, const std::string& node,
                        const std::string& organization, Made& files) {
  files.Add(home + "/" + std::string(kAnchorFile));
  const auto made = MakeVault(home, url, kek, node, organization);
  if (made) return {};
  if (made.error().code() != Code::kAlreadyExists) return Problem("cannot make the vault database: " + made.error().Message());
  return Problem("the vault database holds a vault already: name an empty one");
}

Outcome MakeFileVault(const std::string& home, const Kek& kek, const std::string& node, const std::string& organization,
                      Made& made) {
  const std::string path = home + "/vault.db";
  made.AddDatabase(path);
  made.Add(home + "/" + std::string(kAnchorFile));
  const auto vault = MakeVault(home, "sqlite:" + path, kek, node, organization);
  if (!vault) return Problem("cannot make " + path + ": " + vault.error().Message());
  return {};
}

// MakeRest is what every home has beside its KEKs and its vault; it returns the node's id.
std::expected<std::string, VaultProblem> MakeRest(const std::string& home, Made& made) {
  made.Add(home + "/node");
  auto node = MakeNodeId(home);
  if (!node) return Problem("cannot make " + home + "/node: " + node.error().Message());
  made.AddDatabase(home + "/strongroom.db");
  const auto work = MakeWorkDatabase("sqlite:" + home + "/strongroom.db");
  if (!work) return Problem("cannot make " + home + "/strongroom.db: " + work.error().Message());
  return std::move(*node);
}

// Last, because a home is a home by this file: what was interrupted before it is not mistaken for one.
Outcome WriteConfig(const std::string& home, const std::string& vault_database, const std::string& organization) {
  const std::string text = base::DefaultConfigText(base::UserName(geteuid()), vault_database, organization);
  if (const auto written = base::WriteFileAtomic(home + "/strongroom.toml", text, 0640); !written) {
    return Problem("cannot write " + home + "/strongroom.toml: " + written.error().Message());
  }
  return {};
}

// The configuration is read by more users than vaultd's, and a command line by everybody.
Outcome CheckUrl(const std::string& url) {
  if (!url.starts_with("odbc:")) return Problem("--vault-database takes \"odbc:Driver=...;Server=...;Database=...;Uid=...\"");
  if (!sql::HoldsPassword(url)) return {};
  return Problem("--vault-database with a password in it: leave it out, and name a file (0600) that libpq reads it from: "
                 "pqopt={passfile=/etc/strongroom/pgpass}");
}

Outcome CheckOrganization(const std::string& organization) {
  if (base::IsOrganization(organization)) return {};
  return Problem("--organization takes 1 to 64 letters, digits, dots, hyphens and underscores, such as your domain");
}

}  // namespace

std::expected<std::string, VaultProblem> InitVault(const std::string& home, const std::string& vault_database,
                                                   const std::string& organization) {
  if (const auto named = CheckOrganization(organization); !named) return std::unexpected(named.error());
  if (!vault_database.empty()) {
    if (const auto checked = CheckUrl(vault_database); !checked) return std::unexpected(checked.error());
  }
  if (const auto fresh = RefuseOldHome(home); !fresh) return std::unexpected(fresh.error());
  Made made;
  const auto there = MakeHome(home, made);
  if (!there) return there;
  const auto kek = MakeKek(home, made);
  if (!kek) return std::unexpected(kek.error());
  const auto node = MakeRest(home, made);
  if (!node) return std::unexpected(node.error());
  const auto vault = vault_database.empty() ? MakeFileVault(home, *kek, *node, organization, made)
                                            : MakeServerVault(home, vault_database, *kek, *node, organization, made);
  if (!vault) return std::unexpected(vault.error());
  if (const auto written = WriteConfig(home, vault_database, organization); !written) return std::unexpected(written.error());
  made.Keep();
  return *there;
}

std::expected<std::string, VaultProblem> JoinVault(const std::string& home, const std::string& vault_database,
                                                   const std::string& organization) {
  if (const auto named = CheckOrganization(organization); !named) return std::unexpected(named.error());
  if (const auto checked = CheckUrl(vault_database); !checked) return std::unexpected(checked.error());
  if (const auto fresh = RefuseOldHome(home); !fresh) return std::unexpected(fresh.error());
  Made made;
  if (const auto there = MakeHome(home, made); !there) return there;
  if (const auto kek = base::CreateDirectory(home + "/kek", 0700); !kek) {
    return Problem("cannot make " + home + "/kek: " + kek.error().Message());
  }
  made.Add(home + "/kek");
  const auto node = MakeRest(home, made);
  if (!node) return std::unexpected(node.error());
  made.Add(home + "/node.key");
  made.Add(home + "/" + std::string(kAnchorFile));
  const auto key = NodeKey::Open(home);
  if (!key) return Problem("cannot make " + home + "/node.key: " + key.error().Message());
  const auto phrase = EnterVault(home, vault_database, *node, *key, organization);
  if (!phrase) return Problem("cannot join the vault in that database: " + phrase.error().Message());
  if (const auto written = WriteConfig(home, vault_database, organization); !written) return std::unexpected(written.error());
  made.Keep();
  return *node + "\n" + *phrase;
}

std::expected<std::string, VaultProblem> NodePhrase(const std::string& home) {
  const auto config = base::LoadConfig(home);
  if (!config) return Problem(config.error().text);
  const auto node = ReadNodeId(home);
  if (!node) return Problem(home + "/node was refused: " + node.error().Message());
  // Made here, it would be another than the one that stands in the database.
  if (!IsThere(home + "/node.key")) return Problem(home + "/node.key is missing: this home has not joined others, nor served with them");
  const auto key = NodeKey::Open(home);
  if (!key) return Problem(home + "/node.key was refused: " + key.error().Message());
  const auto database = OpenReader(*config, *node);
  if (!database) return Problem("cannot open " + DatabaseName(*config) + ": " + database.error().Message());
  const auto vault = Store(**database).FindVault();
  if (!vault) return Problem(DatabaseName(*config) + " cannot be read: " + vault.error().Message());
  return key->Phrase(vault->vault_id, *node).Print();
}

}  // namespace strongroom::vault
