// The other ceremonies: shares prove that they open the vault, or bring its KEKs back.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "vault/ceremony.h"
#include "vault/cipher.h"
#include "vault/gathering.h"
#include "vault/house_user.h"
#include "vault/kek_acts.h"
#include "vault/kek_file.h"
#include "vault/open_vault.h"
#include "vault/proven_key.h"
#include "vault/recovery.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::ordered_json;

// How many keys under a version are tried until one opens: some rows may have been edited.
constexpr std::int64_t kKeysTried = 200;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }
std::string Named(std::int64_t version) { return "KEK version " + std::to_string(version); }

// Recovery is the vault database, read only, and the KEKs that the shares open.
class Recovery {
 public:
  Recovery(const base::Config& config, sql::Database& database) : config_(config), store_(database) {}

  std::expected<void, VaultProblem> Open(const CeremonyOptions& options);
  // Prove opens the vault's own keys and a DEK under each version that has any.
  std::expected<void, VaultProblem> Prove();
  std::expected<void, VaultProblem> PutFiles();
  std::string Report(std::string_view act) const;

 private:
  std::expected<void, VaultProblem> ReadTables();
  std::expected<void, VaultProblem> OpenKek(const KekRow& row, SecretView private_key);
  std::expected<std::string, VaultProblem> ProveDek(std::int64_t version, const Kek& kek);
  std::expected<bool, VaultProblem> IsInPlace(const std::string& path, const Kek& kek) const;
  std::unexpected<VaultProblem> Unread(const Error& error) const {
    return Problem(DatabaseName(config_) + " cannot be read: " + error.Message());
  }

  const base::Config& config_;
  Store store_;
  std::string vault_id_;
  RecoverySetRow set_;
  std::vector<RecoverySetRow> earlier_;
  std::vector<KekRow> keks_;
  std::vector<SealedKekRow> sealed_;
  Keyring keyring_;
  std::vector<std::int64_t> shares_used_, restored_;
  std::vector<std::string> proved_;
};

std::expected<void, VaultProblem> Recovery::ReadTables() {
  const auto vault = store_.FindVault();
  if (!vault) return Unread(vault.error());
  vault_id_ = vault->vault_id;
  auto keks = store_.ListKeks();
  if (!keks) return Unread(keks.error());
  auto sets = store_.ListRecoverySets();
  if (!sets) return Unread(sets.error());
  if (sets->empty()) {
    const auto had_one = store_.HadRecoverySet();
    if (!had_one) return Unread(had_one.error());
    if (*had_one) {
      return Problem("this vault had recovery shares, by its trail, and their rows were deleted outside vaultd: the shares open an older copy of " + DatabaseName(config_) +
                     " (a backup); look for one before you give any key up");
    }
    return Problem("this vault never had recovery shares: its KEKs are in its KEK files and their backups alone; where those are "
                   "lost, `keytool recover --all-lost-kek` lists who must supply a new key");
  }
  keks_ = std::move(*keks);
  set_ = std::move(sets->back());
  sets->pop_back();
  earlier_ = std::move(*sets);
  auto sealed = store_.ListSealedKeks(set_.number);
  if (!sealed) return Unread(sealed.error());
  sealed_ = std::move(*sealed);
  const std::size_t made = set_.digests.size() / kDigestBytes;
  const bool sound = SetIdOf(set_.public_key) == set_.set_id && set_.digests.size() % kDigestBytes == 0 &&
                     set_.threshold >= kLeastThreshold && set_.threshold <= static_cast<std::int64_t>(made);
  if (!sound) return Problem("the row of recovery set " + set_.set_id + " was changed outside vaultd: restore the database");
  return {};
}

std::expected<void, VaultProblem> Recovery::OpenKek(const KekRow& row, SecretView private_key) {
  for (const SealedKekRow& sealed : sealed_) {
    if (sealed.kek_version != row.version) continue;
    auto opened = SealedBox::OpenSealed(private_key, set_.public_key, sealed.sealed);
    if (!opened) return Problem(Named(row.version) + ", as it is sealed to set " + set_.set_id + ": " + opened.error().Message());
    auto kek = Kek::FromSecret(std::move(*opened));
    const auto value = kek ? CheckValue(*kek) : Result<Bytes>(std::unexpected(kek.error()));
    if (!value || !Cipher::Equal(*value, row.check_value)) {
      return Problem("what is sealed as " + Named(row.version) + " is not the KEK that the database means: a row was changed "
                     "outside vaultd, restore the database");
    }
    keyring_.Add(row.version, std::move(*kek));
    return {};
  }
  // One that was prepared before there were shares, and never used.
  if (row.status == kKekPrepared) return {};
  return Problem(Named(row.version) + " is in use and not sealed to set " + set_.set_id + ": its row was taken away");
}

std::expected<void, VaultProblem> Recovery::Open(const CeremonyOptions& options) {
  TRY(ReadTables());
  Gathering gathering(set_, earlier_);
  TRY(options.files.empty() ? gathering.FromTerminal(gathering.needed()) : gathering.FromFiles(options.files));
  if (gathering.shares().size() < gathering.needed()) {
    return Problem(std::to_string(gathering.shares().size()) + " of set " + set_.set_id + "'s shares, which are right, are not enough: " +
                   std::to_string(gathering.needed()) + " are needed");
  }
  for (const Share& share : gathering.shares()) shares_used_.push_back(share.facts.index);
  TRY_ASSIGN(const SecretValue private_key, gathering.PrivateKey());
  for (const KekRow& row : keks_) {
    const bool in_use = row.status == kKekActive || row.status == kKekRetiring || row.status == kKekPrepared;
    if (in_use) TRY(OpenKek(row, private_key.View()));
  }
  return {};
}

std::expected<std::string, VaultProblem> Recovery::ProveDek(std::int64_t version, const Kek& kek) {
  const auto rows = store_.KeysUnder(version, "", kKeysTried);
  if (!rows) return Unread(rows.error());
  for (const KeyRow& row : *rows) {
    const auto whole = store_.FindKey(row.key_ref);
    if (!whole) return Unread(whole.error());
    if (*whole && VerifyRow(kek, vault_id_, **whole)) return row.key_ref;
  }
  if (rows->empty()) return "";
  return Problem("none of the first " + std::to_string(rows->size()) + " keys under " + Named(version) + " opens");
}

std::expected<void, VaultProblem> Recovery::Prove() {
  const auto names = store_.ListSecrets();
  if (!names) return Unread(names.error());
  for (const std::string& name : *names) {
    const auto secret = store_.FindSecret(name);
    if (!secret) return Unread(secret.error());
    const auto kek = *secret ? keyring_.Find((*secret)->kek_version) : Fail(Code::kNotFound, "no such row");
    if (!kek || !UnwrapMacKey(**kek, vault_id_, name, **secret)) {
      return Problem("the vault's own key '" + name + "' does not open with the recovered KEK");
    }
  }
  for (const auto& [version, kek] : keyring_.keks()) {
    TRY_ASSIGN(const std::string key_ref, ProveDek(version, *kek));
    if (!key_ref.empty()) proved_.push_back(key_ref);
  }
  return {};
}

std::expected<bool, VaultProblem> Recovery::IsInPlace(const std::string& path, const Kek& kek) const {
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return false;
  const auto there = KekFile::Read(path);
  if (!there) return Problem(path + " is there and was refused: " + there.error().Message() + "; move it away");
  const auto value = CheckValue(*there), wanted = CheckValue(kek);
  if (value && wanted && Cipher::Equal(*value, *wanted)) return true;
  return Problem(path + " is there and holds another KEK than this vault's: move it away");
}

// Nothing is written before everything that is there has been looked at; each file is whole or not there, so whoever is
// interrupted asks again.
std::expected<void, VaultProblem> Recovery::PutFiles() {
  std::string directory = config_.vault.kek_path;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  std::error_code ignored;
  if (!std::filesystem::exists(directory, ignored)) {
    const auto made = base::CreateDirectory(directory, 0700);
    if (!made) return Problem("cannot make " + directory + ": " + made.error().Message());
  }
  if (!std::filesystem::is_directory(directory, ignored)) return Problem(directory + " is no directory of KEK versions");
  const auto path_of = [&](std::int64_t version) { return directory + "/" + std::to_string(version) + ".key"; };
  std::vector<std::int64_t> missing;
  for (const auto& [version, kek] : keyring_.keks()) {
    TRY_ASSIGN(const bool there, IsInPlace(path_of(version), *kek));
    if (!there) missing.push_back(version);
  }
  for (const std::int64_t version : missing) {
    const auto kek = keyring_.Find(version);
    CHECK(kek.has_value());
    const auto written = KekFile::Write(path_of(version), **kek);
    if (!written) return Problem(path_of(version) + ": " + written.error().Message());
    TRY_ASSIGN(const bool there, IsInPlace(path_of(version), **kek));
    if (!there) return Problem(path_of(version) + " was written and is not there");
    restored_.push_back(version);
  }
  return {};
}

std::string Recovery::Report(std::string_view act) const {
  Json json;
  json["act"] = act;
  json["set_id"] = set_.set_id;
  json["shares"] = shares_used_;
  json["threshold"] = set_.threshold;
  json["kek_versions"] = Json::array();
  for (const auto& [version, kek] : keyring_.keks()) json["kek_versions"].push_back(version);
  json["opened"] = proved_;
  json["restored"] = restored_;
  return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

CeremonyOutcome Perform(const base::Config& config, const CeremonyOptions& options, bool restore) {
  if (const std::string wrong = WrongUser(config, "this"); !wrong.empty()) return Problem(wrong);
  const auto database = OpenReader(config, "");
  if (!database) return Problem("cannot open " + DatabaseName(config) + ": " + database.error().Message());
  if (const auto schema = sql::CheckSchema(**database, sql::Schema::kVault); !schema) {
    return Problem(DatabaseName(config) + " is refused: " + schema.error().Message());
  }
  Recovery recovery(config, **database);
  TRY(recovery.Open(options));
  TRY(recovery.Prove());
  if (restore) TRY(recovery.PutFiles());
  return recovery.Report(restore ? "restored" : "verified");
}

}  // namespace

CeremonyOutcome VerifyShares(const base::Config& config, const CeremonyOptions& options) { return Perform(config, options, false); }

CeremonyOutcome RestoreKeks(const base::Config& config, const CeremonyOptions& options) { return Perform(config, options, true); }

}  // namespace strongroom::vault
