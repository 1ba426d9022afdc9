// InitVault: a home from nothing. It either makes all of it or leaves nothing behind.
#include <unistd.h>

#include <array>
#include <utility>

#include "base/config.h"
#include "base/files.h"
#include "base/process.h"
#include "sql/database.h"
#include "vault/fresh_home.h"
#include "vault/kek_file.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/rate_seed.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

using Outcome = std::expected<void, VaultProblem>;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

constexpr std::array<const char*, 4> kNames = {"strongroom.toml", "kek", "vault.db", "strongroom.db"};

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

Result<void> FillVault(sql::Database& database, const Kek& kek, const VaultRow& vault) {
  Store store(database);
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database));
  TRY(store.InsertVault(vault));
  TRY_ASSIGN(const Bytes check_value, CheckValue(kek));
  TRY(store.InsertKek({1, check_value, "ACTIVE", vault.created_at, vault.created_at}));
  for (const std::string_view name : {kProfileMacSecret, kFingerprintSecret, kApprovalMacSecret}) {
    TRY_ASSIGN(const MacKey key, MacKey::Generate());
    TRY_ASSIGN(const WrappedSecret wrapped, WrapMacKey(kek, 1, vault.vault_id, name, key));
    TRY(store.InsertSecret(name, wrapped));
  }
  for (const Rate& rate : SeededRates()) TRY(store.InsertRate(rate));
  return transaction.Commit();
}

Result<void> RecordInit(const std::string& url, const VaultRow& vault) {
  sql::OpenOptions options;
  options.checkpoint_elsewhere = true;
  TRY_ASSIGN(auto database, sql::Open(url, options));
  TRY_ASSIGN(auto checkpointer, sql::Open(url, options));
  audit::LogWriter::Options beginning;
  beginning.new_log = true;
  TRY_ASSIGN(const auto log, audit::LogWriter::Start(std::move(database), std::move(checkpointer),
                                                     LogName(vault.vault_id), BootName(), beginning));
  audit::Draft record;
  record.action = "init";
  record.actor = SystemActor();
  record.epoch = vault.epoch;
  record.after = audit::Facts{{"vault_id", vault.vault_id}, {"kek_version", "1"}};
  TRY(log->Append(std::move(record)));
  return {};
}

Result<void> MakeDatabase(const std::string& url, sql::Schema schema, unsigned mode) {
  sql::OpenOptions options;
  options.access = sql::Access::kCreate;
  options.mode = mode;
  TRY_ASSIGN(const auto database, sql::Open(url, options));
  return sql::CreateSchema(*database, schema);
}

Result<void> MakeVault(const std::string& path, const Kek& kek) {
  const std::string url = "sqlite:" + path;
  TRY(MakeDatabase(url, sql::Schema::kVault, 0600));
  const VaultRow vault{BootName(), 1, base::WallMicros()};
  {
    TRY_ASSIGN(const auto database, sql::Open(url, {}));
    TRY(FillVault(*database, kek, vault));
  }
  return RecordInit(url, vault);
}

}  // namespace

std::expected<std::string, VaultProblem> InitVault(const std::string& home) {
  if (const auto fresh = RefuseOldHome(home); !fresh) return std::unexpected(fresh.error());
  Made made;
  const auto there = MakeHome(home, made);
  if (!there) return there;
  const auto kek = MakeKek(home, made);
  if (!kek) return std::unexpected(kek.error());
  made.AddDatabase(home + "/vault.db");
  if (const auto vault = MakeVault(home + "/vault.db", *kek); !vault) {
    return Problem("cannot make " + home + "/vault.db: " + vault.error().Message());
  }
  made.AddDatabase(home + "/strongroom.db");
  const auto work = MakeDatabase("sqlite:" + home + "/strongroom.db", sql::Schema::kWork, 0660);
  if (!work) return Problem("cannot make " + home + "/strongroom.db: " + work.error().Message());
  // Last, because a home is a home by this file: what was interrupted before it is not mistaken for one.
  const std::string text = base::DefaultConfigText(base::UserName(geteuid()));
  if (const auto written = base::WriteFileAtomic(home + "/strongroom.toml", text, 0640); !written) {
    return Problem("cannot write " + home + "/strongroom.toml: " + written.error().Message());
  }
  made.Keep();
  return *there;
}

}  // namespace strongroom::vault
