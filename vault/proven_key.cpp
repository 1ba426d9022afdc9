#include "vault/proven_key.h"

#include <limits>
#include <utility>

#include "vault/kek_acts.h"
#include "vault/notice.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/stop_unproven.h"

namespace strongroom::vault {
namespace {

// ContextOf reads the row into what its wrap must have been made for. The columns that repeat parts of KEY_REF are not
// in the wrap by themselves, so they must agree with it.
Result<WrapContext> ContextOf(const std::string& vault_id, const KeyRow& row) {
  TRY_ASSIGN(KeyRef ref, KeyRef::Parse(row.key_ref));
  TRY_ASSIGN(Origin origin, Origin::Parse(row.origin));
  TRY_ASSIGN(const KeyState state, ParseState(row.status));
  const bool agrees = ref.customer() == row.customer && ref.provider() == row.provider &&
                      ref.label() == row.label && ref.version() == row.key_version;
  if (!agrees || (row.hosted != "Y" && row.hosted != "N")) {
    return Fail(Code::kCorrupt, "the key's row contradicts itself");
  }
  WrapContext context(KeyContext(vault_id, std::move(ref)), std::move(origin), row.hosted == "Y");
  context.state = state;
  context.grace_until = row.grace_until;
  context.row_version = row.row_version;
  context.kek_version = row.kek_version;
  context.limit = row.limit;
  return context;
}

}  // namespace

bool IsDestroyed(const KeyRow& row) {
  return row.status == StateName(KeyState::kDestroyed) && row.sealed.dek.ciphertext.empty() && row.sealed.dek.nonce.empty();
}

Result<void> VerifyRow(const Kek& kek, const std::string& vault_id, const KeyRow& row) {
  TRY_ASSIGN(const WrapContext context, ContextOf(vault_id, row));
  return Verify(kek, context, row.sealed);
}

Result<ProvenKey> ProvenKey::Prove(const OpenVault& vault, KeyRow row) {
  if (IsDestroyed(row)) return Refuse(Refusal::kKeyDestroyed);
  auto context = ContextOf(vault.vault_id, row);
  if (!context || !vault.stops->Allows(row)) return Refuse(Refusal::kKeyTampered);
  TRY_ASSIGN(const auto keys, vault.Keys());
  auto kek = keys->keyring.Find(row.kek_version);
  // What is in use is held, or the vault is sealed: an older version that is not held is in use no more.
  if (!kek) return Refuse(row.kek_version < keys->wrap_version ? Refusal::kKekRetired : Refusal::kKekMissing);
  if (!Verify(**kek, *context, row.sealed)) return Refuse(Refusal::kKeyTampered);
  return ProvenKey(std::move(row), std::move(*context), std::move(*kek));
}

Result<ProvenKey> ProvenKey::Find(const OpenVault& vault, Store& store, std::string_view key_ref) {
  TRY_ASSIGN(std::optional<KeyRow> row, store.FindKey(key_ref));
  if (!row) {
    TRY_ASSIGN(const Refusal gone, RowGone(vault, store, std::string(key_ref)));
    return Refuse(gone);
  }
  return Prove(vault, std::move(*row));
}

Result<KeyRow> ProvenKey::Rewrapped(const OpenVault& vault, const VaultKeys& keys, KeyRow row) {
  auto from = ContextOf(vault.vault_id, row);
  // A rewrap adds one to ROW_VERSION: an old row must not catch up that way.
  const bool last = row.row_version == std::numeric_limits<std::int64_t>::max();
  if (!from || last || !vault.stops->Allows(row)) return Refuse(Refusal::kKeyTampered);
  const auto old_kek = keys.keyring.Find(row.kek_version), kek = keys.keyring.Find(keys.wrap_version);
  if (!old_kek || !kek) return Refuse(Refusal::kKekMissing);
  WrapContext to = *from;
  // While a key is PENDING its ROW_VERSION counts its probes.
  if (from->state != KeyState::kPending) to.row_version = ++row.row_version;
  to.kek_version = row.kek_version = keys.wrap_version;
  auto wrapped = Rewrap(**old_kek, *from, row.sealed.dek, **kek, to);
  // A full arena says nothing about the row.
  if (!wrapped && wrapped.error().code() != Code::kDecryptFailed) return std::unexpected(wrapped.error());
  if (!wrapped) return Refuse(Refusal::kKeyTampered);
  row.sealed.dek = std::move(*wrapped);
  return row;
}

bool ProvenKey::IsInForce(const OpenVault& vault) const {
  const auto keys = vault.held.Get();
  if (keys == nullptr) return false;
  const auto kek = keys->keyring.Find(row_.kek_version);
  return kek && *kek == kek_ && vault.stops->Allows(row_);
}

Result<void> ProvenKey::CheckState(base::Micros now) const {
  switch (context_.state) {
    case KeyState::kPending:
      return Refuse(Refusal::kKeyPending);
    case KeyState::kSuspended:
      return Refuse(Refusal::kKeySuspended);
    case KeyState::kRevoked:
      return Refuse(Refusal::kKeyRevoked);
    case KeyState::kCompromised:
      return Refuse(Refusal::kKeyCompromised);
    case KeyState::kDestroyed:
      return Refuse(Refusal::kKeyDestroyed);
    case KeyState::kActive:
    case KeyState::kRotated:
      break;
  }
  if (!Opens(context_.state, context_.grace_until, now)) return Refuse(Refusal::kKeyGraceOver);
  return {};
}

Result<void> ProvenKey::Write(const OpenVault& vault, Store& store, KeyState state,
                              std::optional<base::Micros> grace_until, base::Micros now) {
  KeyRow row = row_;
  row.status = StateName(state);
  row.grace_until = grace_until;
  row.state_changed_at = now;
  if (state == KeyState::kRevoked || state == KeyState::kCompromised) row.revoked_at = row.revoked_at.value_or(now);
  // A probe of a PENDING key is noted in the row at once; later uses stand in the trail, from where every act on the
  // key brings the column up to date.
  TRY_ASSIGN(const std::optional<base::Micros> used, store.LastUsed(row.key_ref));
  if (used) row.last_used_at = used;
  return Rewrite(vault, store, std::move(row));
}

Result<void> ProvenKey::WriteLimit(const OpenVault& vault, Store& store, const AccountLimit& limit) {
  KeyRow row = row_;
  row.limit = limit;
  return Rewrite(vault, store, std::move(row));
}

Result<void> ProvenKey::Touch(const OpenVault& vault, Store& store, base::Micros used_at) {
  KeyRow row = row_;
  row.last_used_at = used_at;
  return Rewrite(vault, store, std::move(row));
}

Result<void> ProvenKey::Rewrite(const OpenVault& vault, Store& store, KeyRow row) {
  if (row_.row_version == std::numeric_limits<std::int64_t>::max()) return Refuse(Refusal::kKeyTampered);
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY(CheckWraps(store, *keys));
  row.row_version = row_.row_version + 1;
  row.kek_version = keys->wrap_version;
  TRY_ASSIGN(WrapContext context, ContextOf(vault.vault_id, row));
  auto kek = keys->keyring.Find(keys->wrap_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  auto wrapped = Rewrap(*kek_, context_, row_.sealed.dek, **kek, context);
  if (!wrapped) return Refuse(Refusal::kKeyTampered);
  row.sealed.dek = std::move(*wrapped);
  TRY(store.UpdateKey(row, row_.row_version));
  if (row.status == row_.status) TRY(CarryNotice(vault, *keys, store, row, row_.row_version));
  row_ = std::move(row);
  context_ = std::move(context);
  kek_ = std::move(*kek);
  return {};
}

}  // namespace strongroom::vault
