// TokenLock: KEK versions under the key of a PKCS#11 token: from strongroom.toml to the token, and to the file and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/config.h"
#include "vault/protector_file.h"
#include "vault/token_thread.h"

namespace strongroom::vault {

// PinIsKept is whether the PIN is there to be read, as things are configured: in pkcs11_pin_file, or from systemd.
bool PinIsKept(const base::Config& config);

// OpenToken logs in with `pin`, or with the one that is kept where that is nullptr; kPassphraseWanted where there is none.
// Other errors are Cipher::TokenThread's. Each call waits for pkcs11_timeout_ms at most, and no longer than until `stop`.
Result<std::unique_ptr<Cipher::TokenThread>> OpenToken(const base::Config& config, const SecretValue* pin, std::stop_token stop = {},
                                                       Cipher::Token::NoKey no_key = Cipher::Token::NoKey::kRefuse);

// LockByToken puts a KEK version under the token's key; the file is authenticated, and was opened again.
Result<ProtectorFile> LockByToken(std::string_view vault_id, std::int64_t version, Cipher::TokenThread& token, const Kek& kek);
// UnlockByToken fails as Unlock does, or as the token.
Result<Kek> UnlockByToken(const ProtectorFile& file, std::string_view vault_id, std::int64_t version, Cipher::TokenThread& token);

}  // namespace strongroom::vault
