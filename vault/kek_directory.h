// KekDirectory: where the KEK versions are on disk: for each, one file a protector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "vault/protector_file.h"
#include "vault/secret.h"

namespace strongroom::vault {

// All its files are 0600 and the vault user's own; what is written is durable, and in its place whole or not at all.
class KekDirectory {
 public:
  // `path` is [vault] kek: a directory, or one KEK file (K3SAI_KEK_PATH), which is then every version's.
  explicit KekDirectory(std::string path);

  // one_file is true where the path names no directory: nothing can be put beside that file.
  bool one_file() const { return one_file_; }
  const std::string& path() const { return path_; }
  std::string PathOf(std::int64_t version, ProtectorKind kind) const;
  // KindsOf is whose files are there, in the order of kProtectorKinds; whether they open is another question.
  std::vector<ProtectorKind> KindsOf(std::int64_t version) const;
  bool Has(std::int64_t version, ProtectorKind kind) const;

  // Read is kNotFound where there is no such file, kPermissionDenied where others could have written it, kCorrupt where it
  // does not parse. Not for ProtectorKind::kFile.
  Result<ProtectorFile> Read(std::int64_t version, ProtectorKind kind) const;
  // Check is whether the file that is there holds this KEK, and was made by vaultd for this vault and version.
  Result<void> Check(std::int64_t version, ProtectorKind kind, const Kek& kek, std::string_view vault_id) const;

  // Stage writes a protector's file beside its place, for Place to put it there; one that was staged before goes.
  Result<void> Stage(std::int64_t version, ProtectorKind kind, const Bytes& content) const;
  Result<void> StageRaw(std::int64_t version, const Kek& kek) const;
  Result<void> Place(std::int64_t version, ProtectorKind kind) const;
  // Erase takes a protector's file out of its place, overwrites and removes it; one that is not there is as good. kRefused
  // where one_file.
  Result<void> Erase(std::int64_t version, ProtectorKind kind) const;
  // Tidy erases what a crash has left of either: staged files, and those that were being erased.
  Result<void> Tidy() const;

 private:
  std::string Staged(std::int64_t version, ProtectorKind kind) const;
  std::string path_;
  bool one_file_ = false;
};

}  // namespace strongroom::vault
