#include "vault/load_keys.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "vault/cipher.h"
#include "vault/kek_acts.h"
#include "vault/kek_file.h"
#include "vault/open_vault.h"
#include "vault/opener.h"

namespace strongroom::vault {
namespace {

template <typename T>
using OrProblem = std::expected<T, KeysProblem>;

// Why a version is not held: what is wrong with its N.key, and why another protector that opens by itself did not.
struct Unheld {
  std::map<std::int64_t, std::string> damaged;
  std::map<std::int64_t, Error> refused;
};

std::unexpected<KeysProblem> Problem(std::string text) { return std::unexpected(KeysProblem{std::move(text), false}); }
std::unexpected<KeysProblem> Missing(std::string text) { return std::unexpected(KeysProblem{std::move(text), true}); }

// WayOut is what to do about an N.key that is there and is not the KEK, where nothing else brings that version.
std::string WayOut(const std::string& path) {
  return ": put the right file back from your backup, or move " + path + " away: vaultd then starts sealed, for `keytool kek restore` with your shares or, without any, "
         "`keytool recover --all-lost-kek`";
}

std::vector<ProtectorKind> OtherKinds(const base::Config& config, std::int64_t version) {
  auto kinds = KekDirectory(config.vault.kek_path).KindsOf(version);
  std::erase(kinds, ProtectorKind::kFile);
  return kinds;
}

// LoadFile reads a version's N.key. One that is damaged, or another vault's, keeps vaultd from starting only where no other
// protector could bring that version.
OrProblem<void> LoadFile(const base::Config& config, const KekRow& row, Keyring& keyring, Unheld& unheld) {
  auto read = Keyring::Load(config.vault.kek_path, {row.version});
  if (!read && read.error().error.code() == Code::kNotFound) return {};
  const bool alone = OtherKinds(config, row.version).empty();
  if (!read) {
    const KekProblem& problem = read.error();
    std::string text = "the KEK at " + problem.path + " was refused: " + problem.error.Message();
    if (problem.path == config.vault.kek_path) return Problem(std::move(text));
    if (alone) return Problem(text + WayOut(problem.path));
    unheld.damaged.emplace(row.version, std::move(text));
    return {};
  }
  const auto kek = read->Find(row.version);
  if (!kek) return {};  // the one file is version 1's
  const auto value = CheckValue(**kek);
  if (alone || (value && Cipher::Equal(*value, row.check_value))) keyring.Add(row.version, *kek);
  else unheld.damaged.emplace(row.version, "the KEK in " + std::to_string(row.version) + ".key is not this vault's");
  return {};
}

// Only what the database wants is read: a stray or a retired file must not keep vaultd from starting.
OrProblem<Keyring> LoadKeyring(const base::Config& config, const std::vector<KekRow>& rows, std::string_view vault_id,
                               const Keyring* offered, Unheld& unheld) {
  Keyring keyring;
  Opener opener(config, std::string(vault_id));
  for (const KekRow& row : rows) {
    if (row.status == kKekRetired || row.status == kKekDestroyed) continue;
    TRY(LoadFile(config, row, keyring, unheld));
    if (keyring.Find(row.version)) continue;
    if (offered != nullptr) {
      if (const auto held = offered->Find(row.version)) keyring.Add(row.version, *held);
    } else if (auto opened = opener.OpenOther(row.version)) {
      keyring.Add(row.version, std::move(*opened));
    } else if (opened.error().refusal() != 0) {
      unheld.refused.emplace(row.version, opened.error());
    }
  }
  for (const auto& [version, why] : unheld.damaged) {
    base::Log(base::Level::kError, "kek_file_damaged", {{"kek_version", version}, {"why", why}});
  }
  return keyring;
}

std::string MissingText(const base::Config& config, std::int64_t version, const Unheld& unheld) {
  const KekDirectory directory(config.vault.kek_path);
  const std::string name = "KEK version " + std::to_string(version);
  std::string kinds;
  for (const ProtectorKind kind : directory.KindsOf(version)) kinds += (kinds.empty() ? "" : ", ") + std::string(ProtectorName(kind));
  if (const auto why = unheld.damaged.find(version); why != unheld.damaged.end()) {
    const auto others = OtherKinds(config, version);
    const auto asked = std::ranges::find_if(others, TakesSecret);
    const std::string first = asked == others.end() ? "" : "run `keytool unseal --with " + std::string(ProtectorName(*asked)) + "`, and ";
    return name + " does not open (it is under: " + kinds + "): " + why->second + "; " + first + "put the right file back from your backup";
  }
  if (const auto why = unheld.refused.find(version); why != unheld.refused.end()) {
    return name + " does not open (it is under: " + kinds + "): " + std::string(why->second.text());
  }
  const auto others = OtherKinds(config, version);
  if (std::ranges::find(others, ProtectorKind::kCredential) != others.end() && std::ranges::none_of(others, TakesSecret)) {
    return name + " does not open (it is under: " + kinds + "): no credential was handed over ([vault] credential): start vaultd by its systemd unit, or put " +
           std::to_string(version) + ".key back";
  }
  if (!kinds.empty()) {
    return name + " does not open by itself (it is under: " + kinds + "): run `keytool unseal`";
  }
  return name + " is missing at " + config.vault.kek_path + ": put " + std::to_string(version) +
         ".key or another of its protectors back from your backup";
}

// CheckKeks demands every KEK that keys may be under, and that it is the one the database means: a wrong one would make
// every key look tampered. A PREPARED one wraps nothing yet. What is retired or unknown is not held. It returns the ACTIVE
// one.
OrProblem<std::int64_t> CheckKeks(const base::Config& config, const std::vector<KekRow>& rows,
                                  const Unheld& unheld, Keyring& keyring) {
  std::int64_t active = 0;
  Keyring wanted;
  for (const KekRow& row : rows) {
    const bool prepared = row.status == kKekPrepared;
    if (row.status != kKekActive && row.status != kKekRetiring && !prepared) continue;
    const std::string version = std::to_string(row.version);
    const auto kek = keyring.Find(row.version);
    if (!kek && prepared) continue;
    if (!kek) return Missing(MissingText(config, row.version, unheld));
    const auto value = CheckValue(**kek);
    const bool right = value && Cipher::Equal(*value, row.check_value);
    if (!right && prepared) continue;
    if (!right) {
      const std::string path = KekDirectory(config.vault.kek_path).PathOf(row.version, ProtectorKind::kFile);
      return Problem("KEK version " + version + " at " + path + " is not this vault's KEK" + WayOut(path));
    }
    wanted.Add(row.version, *kek);
    if (row.status != kKekActive) continue;
    if (active != 0) return Problem("the KEK table was changed outside vaultd: two versions are ACTIVE; restore the database");
    active = row.version;
  }
  if (active == 0) return Problem("the vault database names no ACTIVE KEK: it is damaged, restore it");
  // vaultd only ever activates a version above all others in use. Another order would put a retired KEK back in force.
  for (const KekRow& row : rows) {
    if (row.status == kKekPrepared || row.version <= active) continue;
    return Problem("the KEK table was changed outside vaultd: version " + std::to_string(row.version) + " is " + row.status +
                   " and newer than the ACTIVE one; restore the database");
  }
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

OrProblem<std::shared_ptr<const TrailKey>> LoadTrailKey(const base::Config& config, Store& store, const Keyring& keyring,
                                                        std::string_view vault_id, std::string_view name) {
  const auto seed = LoadSecret(config, store, keyring, vault_id, name);
  if (!seed) return std::unexpected(seed.error());
  auto key = TrailKey::Of((*seed)->View());
  if (!key) return Problem("the trail's key cannot be used: " + key.error().Message());
  return std::make_shared<const TrailKey>(std::move(*key));
}

// LoadTrailKeys loads the key that signs the trail and, while a rotation is under way, the one before it.
OrProblem<void> LoadTrailKeys(const base::Config& config, Store& store, std::string_view vault_id, const std::string& node,
                              VaultKeys& keys) {
  const auto unread = [&config](const Error& error) { return Problem(DatabaseName(config) + " cannot be read: " + error.Message()); };
  const TrailSecrets names = TrailSecretsOf(config, node);
  const auto own = store.FindSecret(names.own);
  if (!own) return unread(own.error());
  auto trail_key = LoadTrailKey(config, store, keys.keyring, vault_id, *own ? std::string_view(names.own) : kTrailKeySecret);
  if (!trail_key) return std::unexpected(trail_key.error());
  const auto public_key = store.TrailPublicKey(node);
  if (!public_key || *public_key != (*trail_key)->public_key()) {
    return Problem(DatabaseName(config) + ": the trail's public key was changed outside vaultd (VAULT.TRAIL_PUBLIC_KEY, or this node's NODE.VERIFIER_KEY); the "
                   "wrapped one's is " + base::Hex((*trail_key)->public_key()) + ": restore it");
  }
  keys.trail_key = std::move(*trail_key);
  const auto before = store.FindSecret(names.before);
  if (!before) return unread(before.error());
  if (!*before) return {};
  auto old_key = LoadTrailKey(config, store, keys.keyring, vault_id, names.before);
  if (!old_key) return std::unexpected(old_key.error());
  keys.old_trail_key = std::move(*old_key);
  return {};
}

}  // namespace

OrProblem<std::shared_ptr<const VaultKeys>> LoadKeys(const base::Config& config, Store& store, std::string_view vault_id,
                                                     const std::string& node, const Keyring* offered) {
  const auto rows = store.ListKeks();
  if (!rows) return Problem(DatabaseName(config) + " cannot be read: " + rows.error().Message());
  auto keys = std::make_shared<VaultKeys>();
  Unheld unheld;
  auto keyring = LoadKeyring(config, *rows, vault_id, offered, unheld);
  if (!keyring) return std::unexpected(std::move(keyring.error()));
  keys->keyring = std::move(*keyring);
  const auto active = CheckKeks(config, *rows, unheld, keys->keyring);
  if (!active) return std::unexpected(active.error());
  keys->wrap_version = *active;
  auto profile = LoadSecret(config, store, keys->keyring, vault_id, kProfileMacSecret);
  if (!profile) return std::unexpected(profile.error());
  keys->profile_key = std::move(*profile);
  auto fingerprint = LoadSecret(config, store, keys->keyring, vault_id, kFingerprintSecret);
  if (!fingerprint) return std::unexpected(fingerprint.error());
  keys->fingerprint_key = std::move(*fingerprint);
  auto approval = LoadSecret(config, store, keys->keyring, vault_id, kApprovalMacSecret);
  if (!approval) return std::unexpected(approval.error());
  keys->approval_key = std::move(*approval);
  if (const auto loaded = LoadTrailKeys(config, store, vault_id, node, *keys); !loaded) return std::unexpected(loaded.error());
  return keys;
}

}  // namespace strongroom::vault
