#include "vault/protectors.h"

#include <utility>

#include "base/log.h"
#include "vault/kek_file.h"
#include "vault/operations.h"
#include "vault/token_lock.h"

namespace strongroom::vault {
namespace {

std::unexpected<Error> FileRefused(const std::string& path, const Error& error) {
  base::LogError("kek_file_failed", error, {{"path", path}});
  return Refuse(Refusal::kKekFile);
}

Result<Bytes> LockAnew(const OpenVault& vault, const ProtectorFile& model, std::int64_t version, const Kek& kek, const SecretValue* pin) {
  if (const auto* lock = std::get_if<PassphraseLock>(&model.lock)) {
    TRY_ASSIGN(const ProtectorFile file, LockByPassphrase(vault.vault_id, version, *lock, kek));
    return file.Encode();
  }
  if (model.kind() == ProtectorKind::kPkcs11) {
    TRY_ASSIGN(const auto token, OpenToken(vault.config, pin, vault.anteroom.stop()));
    TRY_ASSIGN(const ProtectorFile file, LockByToken(vault.vault_id, version, *token, kek));
    return file.Encode();
  }
  const std::string& path = vault.config.vault.credential_path;
  const auto credential = KekFile::ReadCredential(path);
  if (!credential) {
    base::LogError("protector_failed", credential.error(), {{"path", path}});
    return Refuse(Refusal::kCredentialMissing);
  }
  TRY_ASSIGN(const ProtectorFile file, LockByCredential(vault.vault_id, version, credential->View(), kek));
  return file.Encode();
}

}  // namespace

Result<void> StageAll(const KekDirectory& directory, const std::vector<NewProtector>& files) {
  for (const NewProtector& file : files) {
    const auto staged = file.kind == ProtectorKind::kFile ? directory.StageRaw(file.version, *file.kek)
                                                          : directory.Stage(file.version, file.kind, file.content);
    if (!staged) return FileRefused(directory.PathOf(file.version, file.kind), staged.error());
  }
  return {};
}

Result<void> PlaceAll(const KekDirectory& directory, const std::vector<NewProtector>& files) {
  for (const NewProtector& file : files) {
    const auto placed = directory.Place(file.version, file.kind);
    if (!placed) return FileRefused(directory.PathOf(file.version, file.kind), placed.error());
  }
  return {};
}

Result<std::vector<NewProtector>> ProtectLike(const OpenVault& vault, std::int64_t model, const Kek& model_kek,
                                              std::int64_t version, std::shared_ptr<const Kek> kek, const SecretValue* pin) {
  TRY(CheckProtectors(vault, model, model_kek));
  const KekDirectory directory(vault.config.vault.kek_path);
  std::vector<NewProtector> files;
  for (const ProtectorKind kind : directory.KindsOf(model)) {
    NewProtector file{version, kind, kek, {}};
    if (kind != ProtectorKind::kFile) {
      const auto old = directory.Read(model, kind);
      if (!old) return FileRefused(directory.PathOf(model, kind), old.error());
      // Read anew: it may have changed since it was checked.
      if (!old->IsGenuine(model_kek, vault.vault_id, model)) return Refuse(Refusal::kProtectorTampered);
      TRY_ASSIGN(file.content, LockAnew(vault, *old, version, *kek, pin));
    }
    files.push_back(std::move(file));
  }
  return files;
}

Result<void> CheckProtectors(const OpenVault& vault, std::int64_t version, const Kek& kek, std::int64_t model) {
  const KekDirectory directory(vault.config.vault.kek_path);
  std::vector<ProtectorKind> kinds = directory.KindsOf(version);
  if (model != 0) {
    for (const ProtectorKind kind : directory.KindsOf(model)) kinds.push_back(kind);
  }
  if (kinds.empty()) {
    return FileRefused(directory.PathOf(version, ProtectorKind::kFile), Error(Code::kNotFound, "the KEK has no protector"));
  }
  for (const ProtectorKind kind : kinds) {
    const auto checked = directory.Check(version, kind, kek, vault.vault_id);
    if (!checked) return FileRefused(directory.PathOf(version, kind), checked.error());
  }
  return {};
}

}  // namespace strongroom::vault
