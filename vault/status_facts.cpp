// What vaultd answers about itself, and about its KEK versions, as JSON for people (vault/PROTOCOL.md).
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "vault/arena.h"
#include "vault/cipher.h"
#include "vault/exposure.h"
#include "vault/kek_acts.h"
#include "vault/kek_directory.h"
#include "vault/opener.h"
#include "vault/operations.h"
#include "vault/recovery.h"
#include "vault/status_away.h"
#include "vault/two_people.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownCheckBytes = 4;

// No answer of ours fails over a byte that is not UTF-8 in an edited row.
Bytes Document(const Json& json) { return EncodeText(json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace)); }

Json Protectors(const KekDirectory& directory, std::int64_t version) {
  Json names = Json::array();
  for (const ProtectorKind kind : directory.KindsOf(version)) names.push_back(ProtectorName(kind));
  return names;
}

// UnsealAsks is the protector whose secret an unseal needs; null where the vault is not sealed, or opens by itself.
Result<Json> UnsealAsks(const OpenVault& vault, Store& store) {
  Json asks(nullptr);
  if (!vault.sealed()) return asks;
  const KekDirectory directory(vault.config.vault.kek_path);
  TRY_ASSIGN(const auto keks, store.ListKeks());
  for (const KekRow& row : keks) {
    if (row.status != kKekActive && row.status != kKekRetiring) continue;
    const auto kinds = directory.KindsOf(row.version);
    const auto by_itself = [&vault](ProtectorKind kind) { return OpensByItself(vault.config, kind); };
    const auto asked = std::find_if(kinds.begin(), kinds.end(), TakesSecret);
    if (asked != kinds.end() && std::none_of(kinds.begin(), kinds.end(), by_itself)) asks = ProtectorName(*asked);
  }
  return asks;
}

// The set in force as its row says; `intact` is null while sealed, when nobody can tell.
Result<Json> RecoveryJson(const OpenVault& vault, Store& store) {
  TRY_ASSIGN(const std::vector<RecoverySetRow> sets, store.ListRecoverySets());
  if (sets.empty()) return Json(nullptr);
  const RecoverySetRow& row = sets.back();
  Json json;
  json["set_id"] = row.set_id;
  json["shares"] = row.digests.size() / kDigestBytes;
  json["threshold"] = row.threshold;
  json["created_at"] = base::FormatTime(row.created_at);
  json["kek_versions"] = Json::array();
  const auto keys = vault.held.Get();
  bool intact = keys && RecoverySets(vault.vault_id, *keys, store).InForce();
  TRY_ASSIGN(const std::vector<SealedKekRow> keks, store.ListSealedKeks(row.number));
  for (const SealedKekRow& kek : keks) {
    json["kek_versions"].push_back(kek.kek_version);
    intact = intact && RecoverySets(vault.vault_id, *keys, store).CheckSealed(kek.kek_version);
  }
  json["intact"] = keys ? Json(intact) : Json(nullptr);
  return json;
}

// TrailJson is what vaultd knows of its trail by itself.
Json TrailJson(const OpenVault& vault) {
  Json json = {{"healthy", vault.log->healthy()},
               {"last_seq", vault.log->last_seq()},
               {"last_time", base::FormatTime(vault.log->last_time())},
               {"disk_has_room", vault.reserve->held()},
               {"anchor", StandingName(vault.trail->standing())},
               {"origin", vault.trail->verifier().name},
               {"checkpoint_size", vault.trail->size()},
               {"signing_key_rotating", nullptr}};
  if (vault.publisher != nullptr) {
    const Publisher::Published published = vault.publisher->published();
    json["published_size"] = published.size;
    json["published_at"] = published.at == 0 ? Json(nullptr) : Json(base::FormatTime(published.at));
    json["publishing_healthy"] = !published.failing;
  }
  return json;
}

// KnownStatus is every member of the status, in order; those that the database fills in are null.
Json KnownStatus(OpenVault& vault) {
  Json json;
  json["vault_id"] = vault.vault_id;
  json["epoch"] = vault.epoch.value();
  json["sealed"] = vault.sealed();
  const std::string because = vault.held.NoneBecause();
  json["sealed_because"] = because.empty() ? Json(nullptr) : Json(because);
  json["unseal_asks"] = nullptr;
  json["single_user"] = vault.config.vault.single_user;
  json["protection"] = ProtectionName(Arena::Process().protection());
  json["arena_bytes"] = Arena::Process().bytes();
  json["kek_versions"] = Json::array();
  const auto held = vault.held.Get();
  if (held) {
    for (const auto& [version, kek] : held->keyring.keks()) json["kek_versions"].push_back(version);
  }
  json["newest_kek"] = held ? Json(held->wrap_version) : Json(nullptr);
  json["trail"] = TrailJson(vault);
  json["stops"] = {{"healthy", vault.stops->healthy()},
                   {"database_older", vault.stops->older()},
                   {"epoch", vault.stops->epoch()},
                   {"keys", vault.stops->keys()}};
  json["recovery"] = nullptr;
  json["quarantine"] = nullptr;
  if (vault.quarantine->in_force()) {
    const Manifest& backup = *vault.quarantine->backup();
    json["quarantine"] = {{"backup_made_at", base::FormatTime(backup.made_at)}, {"epoch", backup.epoch}, {"record", backup.record}};
  }
  const Denials& denials = vault.releases.denials();
  const std::int64_t releases = vault.releases.releases_per_minute();
  json["ceilings"] = {{"keys_per_minute", vault.releases.keys_per_minute()},
                      {"releases_per_minute", releases > 0 ? Json(releases) : Json(nullptr)},
                      {"denied_attempts", denials.attempts.load()},
                      {"denied_keys", denials.keys.load()},
                      {"denied_users", denials.users.load()},
                      {"denied_reports", denials.reports.load()}};
  json["two_people"] = {{"demanded", nullptr}};
  json["exposed"] = Json::array();  // paths that others than their owner may open
  for (const Exposed& exposed : FindExposed(vault.config)) json["exposed"].push_back(exposed.path);
  for (const char* counted : {"noticed", "keys", "profiles", "over_quota"}) json[counted] = nullptr;
  json["version"] = STRONGROOM_VERSION;
  json["pid"] = getpid();
  json["uptime_seconds"] = (base::MonoMicros() - vault.opened_at) / base::kMicrosPerSecond;
  json["database_answers"] = false;
  return json;
}

}  // namespace

Bytes StatusWithoutDatabase(OpenVault& vault) { return Document(KnownStatus(vault)); }

Result<Bytes> Status(OpenVault& vault, Store& store, ByteView body) {
  if (!body.empty()) return Refuse(Refusal::kMalformed);
  Json json = KnownStatus(vault);
  TRY_ASSIGN(const auto keys, store.CountKeysByStatus());
  json["keys"] = Json::object();
  for (const auto& [status, count] : keys) json["keys"][status] = count;
  TRY_ASSIGN(json["profiles"], store.CountProfiles());
  TRY_ASSIGN(json["over_quota"], store.CountOverQuota());
  TRY_ASSIGN(json["noticed"], store.CountNotices());  // keys that are SUSPENDED because their providers refused them
  TRY_ASSIGN(json["unseal_asks"], UnsealAsks(vault, store));
  TRY_ASSIGN(const auto old_key, store.FindSecret(TrailSecretsOf(vault.config, vault.node_id).before));
  json["trail"]["signing_key_rotating"] = old_key.has_value();
  TRY_ASSIGN(json["recovery"], RecoveryJson(vault, store));
  const auto demanded = TwoPeopleDemanded(vault, store);
  json["two_people"] = {{"demanded", demanded ? Json(*demanded) : Json(nullptr)}};  // null: the row was changed, or sealed
  json["database_answers"] = true;
  return Document(json);
}

Result<Bytes> KekStatus(OpenVault& vault, Store& store, ByteView body) {
  if (!body.empty()) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const auto keks, store.ListKeks());
  TRY_ASSIGN(const auto counts, store.CountKeysByKek());
  const auto held = vault.held.Get();
  const KekDirectory directory(vault.config.vault.kek_path);
  Json json = Json::array();
  for (const KekRow& row : keks) {
    const auto kek = held ? held->keyring.Find(row.version) : Refuse(Refusal::kSealed);
    const auto value = kek ? CheckValue(**kek) : Result<Bytes>(std::unexpected(kek.error()));
    const auto count = counts.find(row.version);
    const std::size_t shown = std::min(kShownCheckBytes, row.check_value.size());
    json.push_back({{"kek_version", row.version},
                    {"status", row.status},
                    {"check_value", base::Hex(ByteView(row.check_value).first(shown))},
                    {"held", kek.has_value()},
                    {"matches", value && Cipher::Equal(*value, row.check_value)},
                    {"keys", count == counts.end() ? std::int64_t{0} : count->second},
                    {"protectors", Protectors(directory, row.version)},
                    {"created_at", base::FormatTime(row.created_at)}});
  }
  return Document(json);
}

}  // namespace strongroom::vault
