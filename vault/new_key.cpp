#include "vault/new_key.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "vault/cipher.h"
#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/stops.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kHouse = "HOUSE";
constexpr std::size_t kFingerprintBytes = 16;

Result<KeyRow> MakeRow(const OpenVault& vault, const VaultKeys& keys, const Place& place, KeyRef ref, SecretView key, base::Micros now) {
  const auto kek = keys.keyring.Find(keys.wrap_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  KeyRow row;
  row.key_ref = ref.text();
  row.customer = place.customer;
  row.provider = place.provider;
  row.label = place.label;
  row.key_version = ref.version();
  row.origin = place.origin.text();
  row.hosted = place.hosted ? "Y" : "N";
  row.status = StateName(KeyState::kPending);
  row.kek_version = keys.wrap_version;
  row.row_version = 1;
  row.created_at = row.state_changed_at = now;
  TRY_ASSIGN(Bytes mac, Cipher::MacOfSecret(keys.fingerprint_key->View(), key));
  row.fingerprint = base::Hex(ByteView(mac).first(kFingerprintBytes));
  WrapContext context(KeyContext(vault.vault_id, std::move(ref)), place.origin, place.hosted);
  context.kek_version = row.kek_version;
  TRY_ASSIGN(row.sealed, Seal(**kek, context, key));
  return row;
}

// More rows of one customer's than anybody deletes.
constexpr int kMostDeleted = 1000;

// FreshRef names the next version. One whose row somebody has deleted is not given again: its records would be those of two keys.
Result<KeyRef> FreshRef(const OpenVault& vault, Store& store, const Place& place) {
  TRY_ASSIGN(std::int64_t newest, store.NewestVersion(place.customer, place.provider, place.label));
  for (int passed = 0; passed <= kMostDeleted; ++passed, ++newest) {
    // An edited KEY_VERSION must not overflow; what is merely too large KeyRef refuses.
    if (newest == std::numeric_limits<std::int64_t>::max()) break;
    auto ref = KeyRef::Make(place.customer, place.provider, place.label, newest + 1);
    if (!ref) break;
    TRY_ASSIGN(const bool held_before, store.WasHeld(ref->text()));
    if (!held_before && vault.stops->VersionOf(ref->text()) == 0) return std::move(*ref);
  }
  return Refuse(Refusal::kFieldInvalid);
}

}  // namespace

Result<Place> PlaceFor(const NewPlace& asked) {
  const auto standard = DefaultEndpoint(asked.provider);
  if (!standard) return Refuse(Refusal::kFieldInvalid);
  if (!NeedsKey(asked.provider)) return Refuse(Refusal::kKeyProviderMismatch);
  const auto origin = Origin::OfEndpoint(asked.endpoint.empty() ? *standard : asked.endpoint);
  if (!origin) return Refuse(Refusal::kFieldInvalid);
  if (asked.hosted && asked.customer != kHouse) return Refuse(Refusal::kFieldInvalid);
  if (!origin->is_https()) return Refuse(Refusal::kOriginNotTls);
  return Place{asked.customer, asked.provider, asked.label.empty() ? "default" : asked.label, *origin, asked.hosted};
}

Result<Place> PlaceLike(const OpenVault& vault, Store& store, const std::string& key_ref) {
  TRY_ASSIGN(const ProvenKey like, ProvenKey::Find(vault, store, key_ref));
  const KeyRow& row = like.row();
  return Place{row.customer, row.provider, row.label, like.context().origin, like.context().hosted};
}

Result<void> CheckNotLeaked(const OpenVault& vault, Store& store, const KeyRow& row) {
  TRY_ASSIGN(const auto leaked, store.CopiesOf(row.fingerprint, row.key_ref, Copies::kCompromised));
  TRY_ASSIGN(const auto destroyed, store.CopiesOf(row.fingerprint, row.key_ref, Copies::kDestroyed));
  const bool was = std::ranges::any_of(destroyed, [&vault](const std::string& key_ref) { return vault.stops->WasCompromised(key_ref); });
  return leaked.empty() && !was ? Result<void>() : Refuse(Refusal::kKeyLeaked);
}

Result<std::string> HoldPending(const OpenVault& vault, Store& store, const Place& place, SecretView key, base::Micros now,
                                audit::Draft& record) {
  record.customer = place.customer;
  TRY_ASSIGN(KeyRef ref, FreshRef(vault, store, place));
  std::string key_ref = ref.text();
  record.key_ref = key_ref;
  record.key_version = ref.version();
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY(CheckWraps(store, *keys));
  TRY_ASSIGN(const KeyRow row, MakeRow(vault, *keys, place, std::move(ref), key, now));
  TRY(CheckNotLeaked(vault, store, row));
  TRY(store.InsertKey(row));
  record.after = audit::Facts{{"status", row.status}, {"origin", row.origin}, {"hosted", row.hosted}, {"fingerprint", row.fingerprint}};
  return key_ref;
}

}  // namespace strongroom::vault
