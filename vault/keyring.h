// The keyring: the KEK versions this process holds, and the vault's own keys wrapped under them.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/kek_file.h"
#include "vault/secret.h"

namespace strongroom::vault {

// KekProblem is why a keyring was refused: `path` is the file or directory the error speaks of.
struct KekProblem {
  std::string path;
  Error error;
};

// Keyring holds KEK versions by number. A copy shares them.
class Keyring {
 public:
  // Load reads PATH/1.key, 2.key … of a directory, or one file as version 1: those that `wanted` names, all where it names
  // none. Other names are ignored; none at all is kNotFound.
  static std::expected<Keyring, KekProblem> Load(const std::string& path, const std::set<std::int64_t>& wanted = {});

  // The highest version whose file's name Load reads.
  static constexpr std::int64_t kNewestPossible = 999'999'999;
  // NewestFile is the highest version that has a file of any protector in the directory, 0 for none.
  static Result<std::int64_t> NewestFile(const std::string& directory);

  // Find is kNotFound where this version is not held.
  Result<std::shared_ptr<const Kek>> Find(std::int64_t version) const;
  std::int64_t newest() const { return keks_.empty() ? 0 : keks_.rbegin()->first; }
  const std::map<std::int64_t, std::shared_ptr<const Kek>>& keks() const { return keks_; }
  void Add(std::int64_t version, Kek kek) { Add(version, std::make_shared<const Kek>(std::move(kek))); }
  void Add(std::int64_t version, std::shared_ptr<const Kek> kek) { keks_[version] = std::move(kek); }
  void Drop(std::int64_t version) { keks_.erase(version); }

 private:
  std::map<std::int64_t, std::shared_ptr<const Kek>> keks_;
};

// VersionsOf is "1,2" of a keyring that holds these.
std::string VersionsOf(const Keyring& keyring);

// WrappedSecret is one of the vault's own keys as VAULT_SECRET stores it.
struct WrappedSecret {
  std::int64_t kek_version;
  Bytes nonce, ciphertext;
};
// WrapMacKey and UnwrapMacKey bind the vault's id, the secret's name and the KEK version.
Result<WrappedSecret> WrapMacKey(const Kek& kek, std::int64_t kek_version, std::string_view vault_id,
                                 std::string_view name, const MacKey& key);
Result<MacKey> UnwrapMacKey(const Kek& kek, std::string_view vault_id, std::string_view name,
                            const WrappedSecret& wrapped);

}  // namespace strongroom::vault
