#include "vault/kek_directory.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include "base/files.h"
#include "vault/kek_file.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kStaged = ".staged", kErased = ".erased";

}  // namespace

KekDirectory::KekDirectory(std::string path) : path_(std::move(path)) {
  std::error_code ignored;
  one_file_ = !std::filesystem::is_directory(path_, ignored);
  while (!one_file_ && path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
}

std::string KekDirectory::PathOf(std::int64_t version, ProtectorKind kind) const {
  return one_file_ ? path_ : path_ + "/" + ProtectorFileName(version, kind);
}

std::string KekDirectory::Staged(std::int64_t version, ProtectorKind kind) const {
  return PathOf(version, kind) + std::string(kStaged);
}

std::vector<ProtectorKind> KekDirectory::KindsOf(std::int64_t version) const {
  std::vector<ProtectorKind> kinds;
  for (const ProtectorKind kind : kProtectorKinds) {
    if (Has(version, kind)) kinds.push_back(kind);
  }
  return kinds;
}

bool KekDirectory::Has(std::int64_t version, ProtectorKind kind) const {
  if (one_file_ && kind != ProtectorKind::kFile) return false;
  return access(PathOf(version, kind).c_str(), F_OK) == 0;
}

Result<ProtectorFile> KekDirectory::Read(std::int64_t version, ProtectorKind kind) const {
  if (one_file_) return Fail(Code::kNotFound, "no such file");
  TRY_ASSIGN(const std::string content, base::ReadPrivate(PathOf(version, kind), ProtectorFile::kMostBytes));
  TRY_ASSIGN(ProtectorFile file, ProtectorFile::Decode(base::AsBytes(content)));
  if (file.kind() != kind) return Fail(Code::kCorrupt, "is another protector's file");
  return file;
}

Result<void> KekDirectory::Check(std::int64_t version, ProtectorKind kind, const Kek& kek,
                                 std::string_view vault_id) const {
  if (kind != ProtectorKind::kFile) {
    TRY_ASSIGN(const ProtectorFile file, Read(version, kind));
    if (!file.IsGenuine(kek, vault_id, version)) return Fail(Code::kCorrupt, "was changed outside vaultd");
    return {};
  }
  TRY_ASSIGN(const Kek read, KekFile::Read(PathOf(version, kind)));
  TRY_ASSIGN(const Bytes is, CheckValue(read));
  TRY_ASSIGN(const Bytes wanted, CheckValue(kek));
  if (!Cipher::Equal(is, wanted)) return Fail(Code::kCorrupt, "is not the KEK that the database means");
  return {};
}

Result<void> KekDirectory::Stage(std::int64_t version, ProtectorKind kind, const Bytes& content) const {
  return base::WriteFileAtomic(Staged(version, kind), base::AsText(content), 0600);
}

Result<void> KekDirectory::StageRaw(std::int64_t version, const Kek& kek) const {
  return KekFile::WriteOver(Staged(version, ProtectorKind::kFile), kek);
}

Result<void> KekDirectory::Place(std::int64_t version, ProtectorKind kind) const {
  return base::PutInPlace(Staged(version, kind), PathOf(version, kind));
}

// Out of its place first: one that is half overwritten would keep vaultd from starting.
Result<void> KekDirectory::Erase(std::int64_t version, ProtectorKind kind) const {
  // Whatever version is asked for, that file is the KEK in use.
  if (one_file_) return Fail(Code::kRefused, "is the one KEK file that vaultd was told to use");
  const std::string path = PathOf(version, kind);
  if (!Has(version, kind)) return {};
  TRY(base::PutInPlace(path, path + std::string(kErased)));
  return KekFile::Erase(path + std::string(kErased));
}

Result<void> KekDirectory::Tidy() const {
  std::error_code error;
  if (one_file_) return {};
  std::vector<std::string> left;
  std::filesystem::directory_iterator entry(path_, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    for (const std::string_view suffix : {kStaged, kErased}) {
      const bool ours = name.ends_with(suffix) && VersionOfFileName(name.substr(0, name.size() - suffix.size())) > 0;
      if (ours) left.push_back(entry->path().native());
    }
  }
  if (error) return Fail(Code::kUnavailable, "the KEK directory cannot be listed: errno", error.value());
  for (const std::string& path : left) TRY(KekFile::Erase(path));
  return {};
}

}  // namespace strongroom::vault
