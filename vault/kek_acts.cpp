#include "vault/kek_acts.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "vault/cipher.h"
#include "vault/field_rules.h"
#include "vault/node_keks.h"
#include "vault/operations.h"
#include "vault/protectors.h"
#include "vault/recovery.h"

namespace strongroom::vault {
namespace {

std::unexpected<Error> FileRefused(const std::string& path, const Error& error) {
  base::LogError("kek_file_failed", error, {{"path", path}});
  return Refuse(Refusal::kKekFile);
}

// TakeRow is the row of a version that must be in state `from`; the record tells what it was.
Result<KekRow> TakeRow(Store& store, std::int64_t version, std::string_view from, audit::Draft& record) {
  TRY_ASSIGN(KekRow row, FindKek(store, version));
  record.before = audit::Facts{{"kek_version", std::to_string(row.version)}, {"status", row.status}};
  if (row.status != from) return Refuse(Refusal::kKekMoveForbidden);
  return row;
}

Result<void> CheckCensus(Store& store, const VaultKeys& keys) {
  TRY_ASSIGN(const std::int64_t census, store.CountOutside(keys.wrap_version));
  if (census != 0) return Refuse(Refusal::kKekInUse);
  return {};
}

// CheckNodes demands that each node which shares this vault holds the version: it could open nothing that is rewrapped.
Result<void> CheckNodes(const OpenVault& vault, Store& store, std::int64_t version) {
  if (vault.nodes == nullptr) return {};
  TRY_ASSIGN(const std::vector<std::string> lacking, store.NodesWithout(version));
  const bool others = std::ranges::any_of(lacking, [&vault](const std::string& node) { return node != vault.node_id; });
  if (others) return Refuse(Refusal::kNodeLacksKek);
  return {};
}

// An act on one version. What is put in force once the record is durable is what Decide left in `next`.
class KekAct : public Act {
 public:
  KekAct(OpenVault& vault, KekRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) final {
    TRY(TakeReason(request_.reason, record));
    TRY_ASSIGN(const auto keys, vault_.Keys());
    next_ = std::make_shared<VaultKeys>(*keys);
    return Move(store, now, record);
  }
  Reply Answer(audit::Receipt&) override {
    vault_.held.Put(std::move(next_));
    // What was proved under a version that goes must not keep it in memory.
    vault_.proofs.Forget();
    return Reply(Bytes{});
  }

 protected:
  virtual Result<void> Move(Store& store, base::Micros now, audit::Draft& record) = 0;
  OpenVault& vault_;
  const KekRequest request_;
  std::shared_ptr<VaultKeys> next_;
};

audit::Facts KekFacts(std::int64_t version, std::string_view status) {
  return {{"kek_version", std::to_string(version)}, {"status", std::string(status)}};
}

// The new KEK, and its file under each protector that the ACTIVE version has, are made before the writer's turn: a protector
// may take its time.
class PrepareKek final : public KekAct {
 public:
  // `pin` is a token's, where one of the protectors is on a token and its PIN is not kept.
  PrepareKek(OpenVault& vault, KekRequest request, std::optional<SecretValue> pin)
      : KekAct(vault, std::move(request)), pin_(std::move(pin)) {}
  void Prepare() override {
    made_ = Make();
    pin_.reset();
  }
  Reply Answer(audit::Receipt& receipt) override {
    static_cast<void>(KekAct::Answer(receipt));
    return Reply(EncodeNumber(version_));
  }

 protected:
  Result<void> Move(Store& store, base::Micros now, audit::Draft& record) override;

 private:
  Result<void> Make();
  Result<std::int64_t> NextVersion(Store& store, const Keyring& held) const;
  std::optional<SecretValue> pin_;
  std::int64_t version_ = 0;
  std::shared_ptr<const Kek> kek_;
  std::vector<NewProtector> files_;
  Result<void> made_;
  bool placed_ = false;
};

// A file without a row is of a prepare that did not finish, or belongs to a database newer than this one: its number is
// passed over and the file left alone.
Result<std::int64_t> PrepareKek::NextVersion(Store& store, const Keyring& held) const {
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  const std::string& directory = vault_.config.vault.kek_path;
  const auto newest_file = Keyring::NewestFile(directory);
  if (!newest_file) return FileRefused(directory, newest_file.error());
  std::int64_t newest = *newest_file;
  for (const KekRow& row : rows) {
    if (row.status == kKekRetiring) return Refuse(Refusal::kKekMoveForbidden);
    // One whose file is lost wraps nothing yet, and can be left where it is.
    if (row.status == kKekPrepared && held.Find(row.version)) return Refuse(Refusal::kKekMoveForbidden);
    newest = std::max(newest, row.version);
  }
  if (newest >= Keyring::kNewestPossible) return Refuse(Refusal::kKekMoveForbidden);
  return newest + 1;
}

Result<void> PrepareKek::Make() {
  if (request_.version != 0) return Refuse(Refusal::kFieldInvalid);
  if (KekDirectory(vault_.config.vault.kek_path).one_file()) return Refuse(Refusal::kKekFile);
  TRY_ASSIGN(const auto keys, vault_.Keys());
  TRY_ASSIGN(const auto active, keys->keyring.Find(keys->wrap_version));
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  Store store(*reader);
  TRY_ASSIGN(version_, NextVersion(store, keys->keyring));
  TRY_ASSIGN(Kek kek, Kek::Generate());
  kek_ = std::make_shared<const Kek>(std::move(kek));
  TRY_ASSIGN(files_, ProtectLike(vault_, keys->wrap_version, *active, version_, kek_, pin_ ? &*pin_ : nullptr));
  return {};
}

Result<void> PrepareKek::Move(Store& store, base::Micros now, audit::Draft& record) {
  TRY(made_);
  if (!placed_) {
    TRY_ASSIGN(const std::int64_t next, NextVersion(store, next_->keyring));
    if (next != version_) return Refuse(Refusal::kConflict);
    // The files are durable before the row that asks for them at the next start.
    const KekDirectory directory(vault_.config.vault.kek_path);
    TRY(StageAll(directory, files_));
    TRY(PlaceAll(directory, files_));
    placed_ = true;
  }
  TRY_ASSIGN(const Bytes check_value, CheckValue(*kek_));
  TRY(store.InsertKek({version_, check_value, std::string(kKekPrepared), now, now}));
  TRY(RecoverySets(vault_.vault_id, *next_, store).SealKek(version_, *kek_));
  TRY(NodeKeks(vault_.vault_id, *next_, store).SealToAll(vault_.node_id, version_, *kek_));
  next_->keyring.Add(version_, kek_);
  record.after = KekFacts(version_, kKekPrepared);
  return {};
}

class ActivateKek final : public KekAct {
 public:
  using KekAct::KekAct;

 protected:
  Result<void> Move(Store& store, base::Micros now, audit::Draft& record) override;
};

Result<void> ActivateKek::Move(Store& store, base::Micros now, audit::Draft& record) {
  TRY_ASSIGN(const KekRow row, FindKek(store, request_.version));
  record.before = KekFacts(next_->wrap_version, kKekActive);
  const auto kek = next_->keyring.Find(row.version);
  if (row.status != kKekPrepared) return Refuse(Refusal::kKekMoveForbidden);
  if (!kek) return Refuse(Refusal::kKekMissing);
  TRY_ASSIGN(const Bytes value, CheckValue(**kek));
  if (!Cipher::Equal(value, row.check_value)) return Refuse(Refusal::kKekMissing);
  TRY(CheckProtectors(vault_, row.version, **kek, next_->wrap_version));
  TRY(RecoverySets(vault_.vault_id, *next_, store).CheckSealed(row.version));
  TRY(CheckNodes(vault_, store, row.version));
  TRY(CheckWraps(store, *next_));
  TRY(store.MoveKek(next_->wrap_version, kKekActive, kKekRetiring, now));
  TRY(store.MoveKek(row.version, kKekPrepared, kKekActive, now));
  next_->wrap_version = row.version;
  TRY(RewrapSecrets(vault_, store, *next_));
  record.after = KekFacts(row.version, kKekActive);
  return {};
}

class RetireKek final : public KekAct {
 public:
  using KekAct::KekAct;

 protected:
  Result<void> Move(Store& store, base::Micros now, audit::Draft& record) override {
    TRY_ASSIGN(const KekRow row, TakeRow(store, request_.version, kKekRetiring, record));
    TRY(CheckWraps(store, *next_));
    TRY(CheckCensus(store, *next_));
    // A protector that went in the meantime would take every key with it at the next stop.
    TRY_ASSIGN(const auto active, next_->keyring.Find(next_->wrap_version));
    TRY(CheckProtectors(vault_, next_->wrap_version, *active));
    TRY(store.EraseKekForNodes(row.version));
    TRY(store.MoveKek(row.version, kKekRetiring, kKekRetired, now));
    next_->keyring.Drop(row.version);
    record.after = KekFacts(row.version, kKekRetired);
    return {};
  }
};

class DestroyKek final : public KekAct {
 public:
  using KekAct::KekAct;

 protected:
  Result<void> Move(Store& store, base::Micros now, audit::Draft& record) override {
    TRY_ASSIGN(const KekRow row, TakeRow(store, request_.version, kKekRetired, record));
    if (now - row.changed_at < kKekKept) return Refuse(Refusal::kKekTooSoon);
    // A row from before the rotation may have been put back since.
    TRY(CheckCensus(store, *next_));
    // First the files: a row that says DESTROYED must be true.
    if (KekDirectory(vault_.config.vault.kek_path).one_file()) return Refuse(Refusal::kKekOneFile);
    TRY(EraseKekFiles(vault_, row.version));
    TRY(store.EraseSealedKek(row.version));
    TRY(store.MoveKek(row.version, kKekRetired, kKekDestroyed, now));
    record.after = KekFacts(row.version, kKekDestroyed);
    return {};
  }
};

template <typename T, typename... More>
MadeAct MakeKekAct(OpenVault& vault, ByteView body, More... more) {
  TRY_ASSIGN(KekRequest request, KekRequest::Decode(body));
  return std::make_unique<T>(vault, std::move(request), std::move(more)...);
}

}  // namespace

Result<KekRow> FindKek(Store& store, std::int64_t version) {
  TRY_ASSIGN(std::vector<KekRow> rows, store.ListKeks());
  for (KekRow& row : rows) {
    if (row.version == version) return std::move(row);
  }
  return Refuse(Refusal::kKekMoveForbidden);
}

Result<void> EraseKekFiles(const OpenVault& vault, std::int64_t version) {
  const KekDirectory directory(vault.config.vault.kek_path);
  if (directory.one_file()) return {};  // it is the KEK in use
  Result<void> first;
  for (const ProtectorKind kind : kProtectorKinds) {
    const auto erased = directory.Erase(version, kind);
    if (erased || !first) continue;
    first = FileRefused(directory.PathOf(version, kind), erased.error());
  }
  return first;
}

Result<void> RewrapSecrets(const OpenVault& vault, Store& store, const VaultKeys& keys) {
  const auto kek = keys.keyring.Find(keys.wrap_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  TRY_ASSIGN(const std::vector<std::string> names, store.ListSecrets());
  for (const std::string& name : names) {
    TRY_ASSIGN(const auto old, store.FindSecret(name));
    if (!old) return Refuse(Refusal::kConflict);
    if (old->kek_version == keys.wrap_version) continue;
    const auto old_kek = keys.keyring.Find(old->kek_version);
    if (!old_kek) return Refuse(Refusal::kKekMissing);
    const auto key = UnwrapMacKey(**old_kek, vault.vault_id, name, *old);
    if (!key) return Refuse(Refusal::kKeyTampered);
    TRY_ASSIGN(const WrappedSecret wrapped, WrapMacKey(**kek, keys.wrap_version, vault.vault_id, name, *key));
    TRY(store.UpdateSecret(name, wrapped, old->kek_version));
  }
  return {};
}

Result<KekRow> CheckWraps(Store& store, const VaultKeys& keys) {
  TRY_ASSIGN(KekRow row, FindKek(store, keys.wrap_version));
  if (row.status != kKekActive) return Refuse(Refusal::kKekMissing);
  return row;
}

MadeAct MakePrepareKek(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  return MakeKekAct<PrepareKek>(vault, body, std::move(secret));
}
MadeAct MakeActivateKek(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeKekAct<ActivateKek>(vault, body);
}
MadeAct MakeRetireKek(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeKekAct<RetireKek>(vault, body);
}
MadeAct MakeDestroyKek(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeKekAct<DestroyKek>(vault, body);
}

}  // namespace strongroom::vault
