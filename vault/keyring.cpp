#include "vault/keyring.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "vault/cipher.h"
#include "vault/protector_file.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kSecretDomain = "strongroom/secret/v1";
constexpr std::string_view kAlgorithm = "AES-256-GCM";
static_assert(Keyring::kNewestPossible == 999'999'999, "as many digits as a file's name may have");

Bytes SecretAad(std::string_view vault_id, std::string_view name, std::int64_t kek_version) {
  return base::ByteWriter()
      .Field(kSecretDomain)
      .Field(vault_id)
      .Field(kAlgorithm)
      .Field(name)
      .I64(kek_version)
      .Take();
}

}  // namespace

std::expected<Keyring, KekProblem> Keyring::Load(const std::string& path, const std::set<std::int64_t>& wanted) {
  namespace fs = std::filesystem;
  Keyring keyring;
  const auto add = [&keyring](std::int64_t version, const std::string& file) -> Result<void> {
    TRY_ASSIGN(Kek kek, KekFile::Read(file));
    keyring.Add(version, std::move(kek));
    return {};
  };
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (auto added = add(1, path); !added) return std::unexpected(KekProblem{path, added.error()});
    return keyring;
  }
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    const std::int64_t version = VersionOfFileName(name);
    if (version == 0 || name != ProtectorFileName(version, ProtectorKind::kFile) || (!wanted.empty() && !wanted.contains(version))) continue;
    if (auto added = add(version, entry->path().native()); !added) {
      return std::unexpected(KekProblem{entry->path().native(), added.error()});
    }
  }
  if (error)
    return std::unexpected(
        KekProblem{path, Error(Code::kUnavailable, "cannot be listed: errno", error.value())});
  if (keyring.keks_.empty()) {
    return std::unexpected(KekProblem{path, Error(Code::kNotFound, "holds no KEK file (1.key, 2.key ...)")});
  }
  return keyring;
}

Result<std::int64_t> Keyring::NewestFile(const std::string& directory) {
  std::int64_t newest = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    newest = std::max(newest, VersionOfFileName(entry->path().filename().native()));
  }
  if (error) return Fail(Code::kUnavailable, "the KEK directory cannot be listed: errno", error.value());
  return newest;
}

std::string VersionsOf(const Keyring& keyring) {
  std::string text;
  for (const auto& [version, kek] : keyring.keks()) text += (text.empty() ? "" : ",") + std::to_string(version);
  return text;
}

Result<std::shared_ptr<const Kek>> Keyring::Find(std::int64_t version) const {
  const auto found = keks_.find(version);
  if (found == keks_.end())
    return Fail(Code::kNotFound, "the keyring does not hold this KEK version", version);
  return found->second;
}

Result<WrappedSecret> WrapMacKey(const Kek& kek, std::int64_t kek_version, std::string_view vault_id,
                                 std::string_view name, const MacKey& key) {
  WrappedSecret wrapped{kek_version, Cipher::RandomNonce(), {}};
  TRY_ASSIGN(wrapped.ciphertext,
             Cipher::SealWith(kek.View(), wrapped.nonce, SecretAad(vault_id, name, kek_version), key.View()));
  return wrapped;
}

Result<MacKey> UnwrapMacKey(const Kek& kek, std::string_view vault_id, std::string_view name,
                            const WrappedSecret& wrapped) {
  TRY_ASSIGN(SecretValue value,
             Cipher::OpenWith(kek.View(), wrapped.nonce, SecretAad(vault_id, name, wrapped.kek_version),
                              wrapped.ciphertext));
  if (value.size() != MacKey::kBytes) return Fail(Code::kDecryptFailed, "does not open");
  return MacKey::FromSecret(std::move(value));
}

}  // namespace strongroom::vault
