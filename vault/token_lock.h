// TokenLock: KEK versions under the key of a PKCS#11 token: from strongroom.toml to the token, and to the file and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/config.h"
#include "vault/protector_file.h"
#include "vault/token.h"

namespace strongroom::vault {

// PinIsKept is whether the PIN is there to be read, as things are configured: in pkcs11_pin_file, or from systemd.
bool PinIsKept(const base::Config& config);

// OpenToken logs in with `pin`, or with the one that is kept where that is nullptr; kPassphraseWanted where there is none.
// Other errors are Cipher::Token's.
Result<std::unique_ptr<Cipher::Token>> OpenToken(const base::Config& config, const SecretValue* pin,
                                                 Cipher::Token::NoKey no_key = Cipher::Token::NoKey::kRefuse);

// LockByToken puts a KEK version under the token's key; the file is authenticated, and was opened again.
Result<ProtectorFile> LockByToken(std::string_view vault_id, std::int64_t version, Cipher::Token& token, const Kek& kek);
// UnlockByToken fails as Unlock does, or as the token.
Result<Kek> UnlockByToken(const ProtectorFile& file, std::string_view vault_id, std::int64_t version, Cipher::Token& token);

}  // namespace strongroom::vault
