// A house that knows a PKCS#11 token: SoftHSM's, in strongroom.toml.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tests/e2e/house.h"
#include "tests/vault/soft_token.h"

namespace strongroom::e2e {

// PinFile writes a PIN to a file (0600) and returns its path.
inline std::string PinFile(House& house, const std::string& name, const std::string& pin) {
  house.WriteKey(name, pin + "\n");
  return house.KeyFile(name);
}

// Tokened makes the house ready, with the token in its configuration, and with `kept` its PIN in HOME/pin. It returns the
// environment in which vaultd finds the token.
inline std::map<std::string, std::string> Tokened(House& house, const vault::SoftToken& token, bool kept = false) {
  house.Ready();
  house.vaultd().Stop();
  std::string settings = "true\npkcs11_module = \"" + vault::SoftToken::Module() + "\"";
  settings += std::string("\npkcs11_uri = \"") + vault::SoftToken::kUri + "\"";
  if (kept) {
    settings += "\npkcs11_pin_file = \"pin\"";
    WriteWhole(house.home() + "/pin", std::string(vault::SoftToken::kPin) + "\n");
    std::filesystem::permissions(house.home() + "/pin", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  house.SetConfig("single_user", settings);
  const std::map<std::string, std::string> environment = {{"SOFTHSM2_CONF", token.Configuration()}};
  house.StartVaultd(environment);
  return environment;
}

}  // namespace strongroom::e2e
