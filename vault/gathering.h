// Gathering: shares that come in one by one, each judged before it is taken.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "vault/service.h"
#include "vault/shares.h"
#include "vault/store.h"

namespace strongroom::vault {

class Gathering {
 public:
  // Shares of `set` are wanted; `earlier` are the sets that it replaced.
  Gathering(RecoverySetRow set, std::vector<RecoverySetRow> earlier) : set_(std::move(set)), earlier_(std::move(earlier)) {}

  // Judge says what is wrong with a share, empty where nothing is: another set's, not the one that was made, given already.
  std::string Judge(const Share& share) const;
  // FromFiles takes the share of each file; the problem names the file.
  std::expected<void, VaultProblem> FromFiles(const std::vector<std::string>& files);
  // FromTerminal asks until `wanted` shares are there.
  std::expected<void, VaultProblem> FromTerminal(std::size_t wanted);

  // PrivateKey is what the shares make, proved against the set's public key. There must be enough of them.
  std::expected<SecretValue, VaultProblem> PrivateKey() const;

  const std::vector<Share>& shares() const { return shares_; }
  std::size_t needed() const { return static_cast<std::size_t>(set_.threshold); }
  std::size_t made() const;
  // NameOf is a share as people call it: "share 2 (Ada)".
  std::string NameOf(std::size_t index) const;

 private:
  RecoverySetRow set_;
  std::vector<RecoverySetRow> earlier_;
  std::vector<Share> shares_;
};

}  // namespace strongroom::vault
