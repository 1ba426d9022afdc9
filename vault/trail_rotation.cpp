#include "vault/trail_rotation.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "audit/tree.h"
#include "base/log.h"
#include "vault/cipher.h"
#include "vault/envelope.h"
#include "vault/field_rules.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kEraseAgain = 10 * base::kMicrosPerSecond;

audit::Facts KeyFact(const audit::VerifierKey& key) { return {{"verifier_key", key.Print()}}; }

Result<audit::VerifierKey> Named(const std::string& origin, const TrailKey& key) {
  return audit::VerifierKey::Of(origin, audit::SignatureType::kEd25519, key.public_key());
}

Result<MacKey> OpenSeed(const VaultKeys& keys, std::string_view vault_id, std::string_view name, const WrappedSecret& row) {
  const auto kek = keys.keyring.Find(row.kek_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  auto seed = UnwrapMacKey(**kek, vault_id, name, row);
  if (!seed) return Refuse(Refusal::kKeyTampered);
  return std::move(*seed);
}

Result<WrappedSecret> WrapSeed(const VaultKeys& keys, std::string_view vault_id, std::string_view name, const MacKey& seed) {
  const auto kek = keys.keyring.Find(keys.wrap_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  return WrapMacKey(**kek, keys.wrap_version, vault_id, name, seed);
}

// MadeKey is a new signing key, and its seed under the KEK that wraps.
struct MadeKey {
  std::shared_ptr<const TrailKey> key;
  WrappedSecret wrapped;
};

Result<MadeKey> MakeKey(const VaultKeys& keys, std::string_view vault_id, std::string_view name) {
  TRY_ASSIGN(const MacKey seed, MacKey::Generate());
  TRY_ASSIGN(TrailKey key, TrailKey::Of(seed.View()));
  TRY_ASSIGN(WrappedSecret wrapped, WrapSeed(keys, vault_id, name, seed));
  return MadeKey{std::make_shared<const TrailKey>(std::move(key)), std::move(wrapped)};
}

// PutSecret puts a wrap in the place of the one that was read, `row`, or where there was none.
Result<void> PutSecret(Store& store, std::string_view name, const WrappedSecret& wrapped, const std::optional<WrappedSecret>& row) {
  return row ? store.UpdateSecret(name, wrapped, row->kek_version) : store.InsertSecret(name, wrapped);
}

// RotateSigningKey: the key that was goes on beside the new one, under another name in VAULT_SECRET. All is one transaction.
class RotateSigningKey final : public Act {
 public:
  RotateSigningKey(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) {}

  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override {
    vault_.held.Put(std::move(next_));
    // Its record was kept when the old key alone could sign.
    if (const auto kept = vault_.trail->SignAgain(); !kept) base::LogError("checkpoint_not_signed", kept.error());
    base::Log(base::Level::kWarning, "signing_key_rotated", {{"verifier_key", after_.Print()}});
    return Reply(EncodeText(after_.Print()));
  }

 private:
  // Keep puts both keys under the ACTIVE KEK; a wrap holds its name, so the old one is wrapped anew.
  Result<void> Keep(Store& store, const TrailSecrets& names, const WrappedSecret& made);

  OpenVault& vault_;
  const std::string reason_;
  std::shared_ptr<VaultKeys> next_;
  audit::VerifierKey after_;
};

Result<void> RotateSigningKey::Decide(Store& store, base::Micros, audit::Draft& record) {
  TRY(TakeReason(reason_, record));
  TRY_ASSIGN(const auto keys, vault_.Keys());
  const TrailSecrets names = TrailSecretsOf(vault_.config, vault_.node_id);
  TRY_ASSIGN(const auto rotating, store.FindSecret(names.before));
  if (rotating || keys->old_trail_key) return Refuse(Refusal::kSigningKeyRotating);
  if (vault_.trail->standing() != Standing::kSound) return Refuse(Refusal::kDatabaseOlder);
  TRY_ASSIGN(MadeKey made, MakeKey(*keys, vault_.vault_id, names.own));
  next_ = std::make_shared<VaultKeys>(*keys);
  next_->old_trail_key = std::exchange(next_->trail_key, std::move(made.key));
  const std::string origin = vault_.trail->verifier().name;
  TRY_ASSIGN(const audit::VerifierKey before, Named(origin, *next_->old_trail_key));
  TRY_ASSIGN(after_, Named(origin, *next_->trail_key));
  TRY(Keep(store, names, made.wrapped));
  if (vault_.nodes == nullptr) TRY(store.PutTrailPublicKey(after_.public_key));
  TRY(store.PutVerifierKey(vault_.node_id, after_.Print()));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.before = KeyFact(before);
  record.after = KeyFact(after_);
  return {};
}

// A node's first rotation leaves the key of all where it is: others may sign with it.
Result<void> RotateSigningKey::Keep(Store& store, const TrailSecrets& names, const WrappedSecret& made) {
  TRY_ASSIGN(const auto own, store.FindSecret(names.own));
  const std::string_view old_name = own ? std::string_view(names.own) : kTrailKeySecret;
  TRY_ASSIGN(const auto row, store.FindSecret(old_name));
  if (!row) return Refuse(Refusal::kConflict);
  TRY_ASSIGN(const MacKey old_seed, OpenSeed(*next_, vault_.vault_id, old_name, *row));
  TRY_ASSIGN(const WrappedSecret aside, WrapSeed(*next_, vault_.vault_id, names.before, old_seed));
  TRY(store.InsertSecret(names.before, aside));
  return PutSecret(store, names.own, made, own);
}

// EraseSigningKey: its record quotes what both keys signed, so that whoever noted the old key finds the way to the new one in the trail itself.
class EraseSigningKey final : public Act {
 public:
  EraseSigningKey(OpenVault& vault, audit::Rotation rotation) : vault_(vault), rotation_(std::move(rotation)) {}

  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY_ASSIGN(const auto keys, vault_.Keys());
    if (!keys->old_trail_key || keys->old_trail_key->public_key() != rotation_.before.public_key) return Refuse(Refusal::kConflict);
    TRY(store.EraseSecret(TrailSecretsOf(vault_.config, vault_.node_id).before));
    TRY(ReplaceUnusedKey(vault_, store, *keys));
    next_ = std::make_shared<VaultKeys>(*keys);
    next_->old_trail_key.reset();
    record.before = KeyFact(rotation_.before);
    record.after = KeyFact(rotation_.after);
    record.after->emplace("checkpoint", rotation_.handover);
    return {};
  }
  Reply Answer(audit::Receipt&) override {
    vault_.held.Put(std::move(next_));
    base::Log(base::Level::kInfo, "old_signing_key_erased", {{"verifier_key", rotation_.before.Print()}});
    return Reply(Bytes{});
  }

 private:
  OpenVault& vault_;
  const audit::Rotation rotation_;
  std::shared_ptr<VaultKeys> next_;
};

// HandsOver is true for a checkpoint that covers the record and is signed by both keys, whatever name the log has by now.
bool HandsOver(const std::string& text, const audit::Rotation& rotation) {
  const auto note = audit::Note::Parse(text);
  const auto checkpoint = note ? audit::Checkpoint::Parse(note->text) : Fail(note.error());
  if (!checkpoint || checkpoint->head.size <= rotation.seq) return false;
  for (const audit::VerifierKey* one : {&rotation.before, &rotation.after}) {
    const auto key = audit::VerifierKey::Of(checkpoint->origin, audit::SignatureType::kEd25519, one->public_key);
    if (!key || audit::CheckSignature(*note, *key) != audit::Signed::kYes) return false;
  }
  return true;
}

// Handover is the checkpoint of the records up to the rotation's, signed by both.
Result<std::string> Handover(sql::Database& database, const audit::Rotation& rotation, const VaultKeys& keys) {
  audit::StoredTree tree(database);
  TRY_ASSIGN(const audit::Edge edge, audit::EdgeAt(tree, rotation.seq + 1));
  const std::string body = audit::Checkpoint{rotation.before.name, edge.head()}.Body();
  TRY_ASSIGN(const Bytes old_signature, keys.old_trail_key->Sign(body));
  TRY_ASSIGN(const Bytes signature, keys.trail_key->Sign(body));
  return body + '\n' + audit::SignatureLine(rotation.before, old_signature) + audit::SignatureLine(rotation.after, signature);
}

}  // namespace

Result<void> ReplaceUnusedKey(const OpenVault& vault, Store& store, const VaultKeys& keys) {
  if (vault.nodes == nullptr) return {};
  TRY_ASSIGN(const std::int64_t using_it, store.MembersWithoutSecret(TrailSecretsOf(vault.config, "").own));
  if (using_it != 0) return {};
  TRY_ASSIGN(const auto row, store.FindSecret(kTrailKeySecret));
  if (!row) return Refuse(Refusal::kConflict);
  TRY_ASSIGN(const MadeKey made, MakeKey(keys, vault.vault_id, kTrailKeySecret));
  TRY(PutSecret(store, kTrailKeySecret, made.wrapped, row));
  return store.PutTrailPublicKey(made.key->public_key());
}

Result<std::shared_ptr<VaultKeys>> ReplaceErasedKey(const OpenVault& vault, Store& store, const VaultKeys& keys) {
  TRY_ASSIGN(const std::vector<audit::Rotation> rotations, store.SigningKeyRotations());
  const auto is_erased = [&keys](const audit::Rotation& one) { return one.erased && one.before.public_key == keys.trail_key->public_key(); };
  if (std::ranges::none_of(rotations, is_erased)) return nullptr;
  const TrailSecrets names = TrailSecretsOf(vault.config, vault.node_id);
  TRY_ASSIGN(MadeKey made, MakeKey(keys, vault.vault_id, names.own));
  TRY_ASSIGN(const auto own, store.FindSecret(names.own));
  TRY(PutSecret(store, names.own, made.wrapped, own));
  TRY_ASSIGN(const auto before, store.FindSecret(names.before));
  if (before) TRY(store.EraseSecret(names.before));
  if (vault.nodes == nullptr) TRY(store.PutTrailPublicKey(made.key->public_key()));
  auto next = std::make_shared<VaultKeys>(keys);
  next->trail_key = std::move(made.key);
  next->old_trail_key.reset();
  return next;
}

void KeyErasure::Look(const Publisher::Published& published) {
  const auto keys = vault_.held.Get();
  const bool rotating = keys != nullptr && keys->old_trail_key != nullptr && vault_.trail->standing() == Standing::kSound;
  if (!rotating || erasing_.load() || base::MonoMicros() < again_at_ || published.failing || published.note.empty()) return;
  auto reader = OpenReader(vault_.config, vault_.node_id);
  const auto rotations = reader ? audit::RotationsOf(**reader) : Fail(reader.error());
  again_at_ = base::MonoMicros() + kEraseAgain;
  if (!rotations) return base::LogError("old_signing_key_kept", rotations.error());
  if (rotations->empty() || rotations->back().erased || rotations->back().before.public_key != keys->old_trail_key->public_key()) {
    return base::Log(base::Level::kError, "old_signing_key_kept", {{"why", "no record in the trail is of its rotation"}});
  }
  audit::Rotation rotation = rotations->back();
  again_at_ = 0;
  if (!HandsOver(published.note, rotation) || !HandsOver(vault_.trail->NewestNote(), rotation)) return;
  auto handover = Handover(**reader, rotation, *keys);
  if (!handover) return base::LogError("old_signing_key_kept", handover.error());
  rotation.handover = std::move(*handover);
  again_at_ = base::MonoMicros() + kEraseAgain;
  erasing_ = true;
  const bool begun = RunOwnCeremony(vault_, audit::kEraseSigningKey, std::make_unique<EraseSigningKey>(vault_, std::move(rotation)),
                                    [this](const Result<Reply>& reply) {
                                      if (!reply) base::LogError("old_signing_key_kept", reply.error());
                                      erasing_ = false;
                                    });
  if (!begun) erasing_ = false;
}

MadeAct MakeRotateSigningKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<RotateSigningKey>(vault, std::move(reason));
}

std::optional<SensitiveAct> RotatesSigningKey(ByteView body) {
  auto reason = DecodeText(body);
  if (!reason) return std::nullopt;
  return SensitiveAct{"have the trail signed by another key", std::move(*reason), {}, true};
}

}  // namespace strongroom::vault
