// LoadKeys: from the KEKs' protectors and the vault database to the keys that an unsealed vault holds.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/config.h"
#include "vault/store.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

// KeysProblem is why the keys were not loaded: one line for a person. `missing` is true where a KEK is not there, or its
// file is damaged and another protector could bring it, and false where something is there and wrong.
struct KeysProblem {
  std::string text;
  bool missing = false;
};

// LoadKeys demands each KEK version that keys may be under, compares its check value, and opens the vault's own keys. A
// version comes from its N.key or from `offered`; where none are offered, from another protector that opens by itself. The keys that
// sign are those of `node`'s log.
std::expected<std::shared_ptr<const VaultKeys>, KeysProblem> LoadKeys(const base::Config& config, Store& store, std::string_view vault_id,
                                                                      const std::string& node, const Keyring* offered = nullptr);

}  // namespace strongroom::vault
