// Protectors: what stands between a KEK version and whoever may have it, added and removed for all versions at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vault/kek_directory.h"
#include "vault/open_vault.h"

namespace strongroom::vault {

// NewProtector is the file of one version under one protector, not yet written; of ProtectorKind::kFile the KEK itself.
struct NewProtector {
  std::int64_t version = 0;
  ProtectorKind kind = ProtectorKind::kFile;
  std::shared_ptr<const Kek> kek;
  Bytes content;
};

// StageAll writes them beside their places, PlaceAll puts them there. An error is kKekFile's; the log has the reason.
Result<void> StageAll(const KekDirectory& directory, const std::vector<NewProtector>& files);
Result<void> PlaceAll(const KekDirectory& directory, const std::vector<NewProtector>& files);

// ProtectLike puts a new KEK version under every protector that `model` has. Of their secrets it needs a token's PIN alone:
// `pin`, or nullptr for the one that is kept; a token that is not there is the refusal, for no protector is left out. Each
// file of the model has to be genuine: nothing is sealed to a public key that a stranger put there. kKekFile where one is
// not, or where the model has none. In the anteroom: it waits for a token.
Result<std::vector<NewProtector>> ProtectLike(const OpenVault& vault, std::int64_t model, const Kek& model_kek,
                                              std::int64_t version, std::shared_ptr<const Kek> kek, const SecretValue* pin);

// CheckProtectors demands that a version has at least one protector, and that what is there is genuine: it is where the next
// start looks. With `model` it also demands every protector that the model has.
Result<void> CheckProtectors(const OpenVault& vault, std::int64_t version, const Kek& kek, std::int64_t model = 0);

}  // namespace strongroom::vault
