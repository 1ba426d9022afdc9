#include "vault/take_keks.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/log.h"
#include "vault/cipher.h"
#include "vault/kek_acts.h"
#include "vault/load_keys.h"
#include "vault/node_keks.h"
#include "vault/protectors.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

class TakeKeks final : public Act {
 public:
  TakeKeks(OpenVault& vault, const NodeKey& key) : vault_(vault), key_(key) {}

  void Prepare() override {
    auto made = MakeAhead();
    if (made) ahead_ = std::move(*made);
    else prepared_ = std::unexpected(made.error());
  }
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override {
    const bool was_sealed = vault_.sealed();
    vault_.held.Put(std::move(keys_));
    vault_.proofs.Forget();
    // As at an unseal: what the file of stops lacks could not be proved without keys.
    if (was_sealed) vault_.epoch.Doubt();
    return Reply(Bytes{});
  }

 private:
  // Ahead is what a token may be slow with, and what it was made of: Decide opens and checks all of it anew, and takes the files
  // where it finds the same.
  struct Ahead {
    std::vector<KekForNodeRow> sealed;
    std::shared_ptr<const VaultKeys> held;
    std::vector<NewProtector> files;
  };
  Result<Ahead> MakeAhead() const;
  Result<Keyring> OpenNew(Store& store, const std::vector<KekForNodeRow>& sealed, const Keyring& held) const;
  Result<void> Check(Store& store, const std::vector<KekForNodeRow>& sealed, bool fresh) const;
  Result<void> Protect(const Keyring& fresh_keks) const;

  OpenVault& vault_;
  const NodeKey& key_;
  Ahead ahead_;
  Result<void> prepared_;
  std::shared_ptr<const VaultKeys> keys_;
};

Keyring KeysOf(const std::shared_ptr<const VaultKeys>& held) { return held ? held->keyring : Keyring(); }

// A node without a KEK puts its first ones into files; another has them under whatever its own are under.
Result<TakeKeks::Ahead> TakeKeks::MakeAhead() const {
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  Store store(*reader);
  Ahead ahead;
  TRY_ASSIGN(ahead.sealed, store.ListKeksForNode(vault_.node_id));
  ahead.held = vault_.held.Get();
  TRY_ASSIGN(const Keyring opened, OpenNew(store, ahead.sealed, KeysOf(ahead.held)));
  for (const auto& [version, kek] : opened.keks()) {
    std::vector<NewProtector> files{{version, ProtectorKind::kFile, kek, {}}};
    if (ahead.held) {
      const std::int64_t model = ahead.held->wrap_version;
      TRY_ASSIGN(const auto active, ahead.held->keyring.Find(model));
      TRY_ASSIGN(files, ProtectLike(vault_, model, *active, version, kek, nullptr));
    }
    std::ranges::move(files, std::back_inserter(ahead.files));
  }
  return ahead;
}

// A version that is held already needs no opening: it was taken up, and the node was killed before it could say so.
Result<Keyring> TakeKeks::OpenNew(Store& store, const std::vector<KekForNodeRow>& sealed, const Keyring& held) const {
  Keyring opened;
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  for (const KekForNodeRow& box : sealed) {
    const auto row = std::ranges::find(rows, box.kek_version, &KekRow::version);
    if (row == rows.end() || !CarriesWraps(*row) || held.Find(box.kek_version)) continue;
    auto secret = SealedBox::OpenSealed(key_.private_key(), key_.public_key(), box.sealed);
    if (!secret && secret.error().code() != Code::kDecryptFailed) return std::unexpected(secret.error());
    auto kek = secret ? Kek::FromSecret(std::move(*secret)) : Result<Kek>(std::unexpected(secret.error()));
    if (!kek) return Refuse(Refusal::kNodeKekTampered);
    TRY_ASSIGN(const Bytes value, CheckValue(*kek));
    if (!Cipher::Equal(value, row->check_value)) return Refuse(Refusal::kNodeKekTampered);
    opened.Add(box.kek_version, std::move(*kek));
  }
  return opened;
}

Result<void> TakeKeks::Check(Store& store, const std::vector<KekForNodeRow>& sealed, bool fresh) const {
  const NodeKeks travelling(vault_.vault_id, *keys_, store);
  if (fresh) TRY(travelling.CheckJoined(vault_.node_id, key_));
  for (const KekForNodeRow& box : sealed) TRY(travelling.CheckSealed(box, key_.public_key()));
  return {};
}

Result<void> TakeKeks::Protect(const Keyring& fresh_keks) const {
  const KekDirectory directory(vault_.config.vault.kek_path);
  if (directory.one_file() && !fresh_keks.keks().empty()) return Refuse(Refusal::kKekOneFile);
  for (const auto& [version, kek] : fresh_keks.keks()) {
    // A file of that number which is another KEK's may be all that is left of one: it is not written over.
    if (!directory.KindsOf(version).empty()) TRY(CheckProtectors(vault_, version, *kek));
    std::vector<NewProtector> files;
    std::ranges::copy_if(ahead_.files, std::back_inserter(files), [v = version](const auto& file) { return file.version == v; });
    if (files.empty()) return Refuse(Refusal::kConflict);
    TRY(StageAll(directory, files));
    TRY(PlaceAll(directory, files));
  }
  return {};
}

// Every check comes before the first file.
Result<void> TakeKeks::Decide(Store& store, base::Micros, audit::Draft& record) {
  record.before = audit::Facts{{"node", vault_.node_id}};
  TRY_ASSIGN(const std::vector<KekForNodeRow> sealed, store.ListKeksForNode(vault_.node_id));
  TRY_ASSIGN(const bool awaits_unseal, AwaitsUnseal(vault_, store));
  if (awaits_unseal) return Refuse(Refusal::kSealed);
  const auto held = vault_.held.Get();
  Keyring all = KeysOf(held);
  TRY_ASSIGN(const Keyring opened, OpenNew(store, sealed, all));
  for (const auto& [version, kek] : opened.keks()) all.Add(version, kek);
  auto keys = LoadKeys(vault_.config, store, vault_.vault_id, vault_.node_id, &all);
  if (!keys) {
    base::Log(base::Level::kError, "keks_not_taken_up", {{"why", keys.error().text}});
    return Refuse(keys.error().missing ? Refusal::kKekMissing : Refusal::kNodeKekTampered);
  }
  keys_ = std::move(*keys);
  TRY(Check(store, sealed, held == nullptr));
  TRY(prepared_);
  // Sealed or rotated since, or sent anew: the next tick begins again.
  if (ahead_.sealed != sealed || ahead_.held != held) return Refuse(Refusal::kConflict);
  TRY(Protect(opened));
  for (const KekForNodeRow& box : sealed) {
    if (keys_->keyring.Find(box.kek_version)) TRY(store.NoteKek(vault_.node_id, box.kek_version));
  }
  TRY(store.EraseKeksFor(vault_.node_id));
  record.after = audit::Facts{{"kek_versions", VersionsOf(opened)}};
  return {};
}

}  // namespace

Result<bool> AwaitsUnseal(const OpenVault& vault, Store& store) {
  if (!vault.sealed()) return false;
  const KekDirectory directory(vault.config.vault.kek_path);
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  return std::ranges::any_of(rows, [&directory](const KekRow& row) {
    return row.status == kKekActive && !directory.KindsOf(row.version).empty();
  });
}

std::unique_ptr<Act> MakeTakeKeks(OpenVault& vault, const NodeKey& key) { return std::make_unique<TakeKeks>(vault, key); }

}  // namespace strongroom::vault
