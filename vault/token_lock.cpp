#include "vault/token_lock.h"

#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "vault/kek_file.h"
#include "vault/operations.h"

namespace strongroom::vault {

bool PinIsKept(const base::Config& config) {
  const std::string& path = config.vault.pkcs11_pin_path;
  return !path.empty() && access(path.c_str(), R_OK) == 0;
}

Result<std::unique_ptr<Cipher::TokenThread>> OpenToken(const base::Config& config, const SecretValue* pin, std::stop_token stop,
                                                       Cipher::Token::NoKey no_key) {
  const auto& vault = config.vault;
  const auto uri = TokenUri::Parse(vault.pkcs11_uri);
  if (!uri) {
    // Not the text itself: somebody may have put a PIN into it.
    base::LogError("token_failed", uri.error(), {{"setting", "pkcs11_uri"}});
    return Refuse(Refusal::kPkcs11Module);
  }
  const auto log_in = [&](const Cipher::Token::Login& login) {
    return Cipher::TokenThread::Open(vault.pkcs11_module, *uri, login, no_key,
                                     {vault.pkcs11_timeout_ms * base::kMicrosPerMilli, std::move(stop)});
  };
  if (pin != nullptr) return log_in({pin->View()});
  if (!PinIsKept(config)) return Refuse(Refusal::kPassphraseWanted);
  const auto kept = KekFile::ReadPin(vault.pkcs11_pin_path);
  if (!kept) {
    base::LogError("token_failed", kept.error(), {{"path", vault.pkcs11_pin_path}});
    return Refuse(Refusal::kPassphraseWanted);
  }
  return log_in({kept->View(), true});
}

Result<ProtectorFile> LockByToken(std::string_view vault_id, std::int64_t version, Cipher::TokenThread& token, const Kek& kek) {
  const TokenLock lock{Cipher::RandomNonce()};
  ProtectorFile file{std::string(vault_id), version, lock, {}, {}};
  TRY_ASSIGN(file.wrapped, token.Seal(lock.nonce, file.WrapAad(), kek.View()));
  TRY(file.Authenticate(kek));
  const auto again = UnlockByToken(file, vault_id, version, token);
  if (!again) {
    base::LogError("token_failed", again.error());
    return Refuse(Refusal::kTokenMissing);
  }
  return file;
}

Result<Kek> UnlockByToken(const ProtectorFile& file, std::string_view vault_id, std::int64_t version, Cipher::TokenThread& token) {
  const auto* lock = std::get_if<TokenLock>(&file.lock);
  if (lock == nullptr) return Fail(Code::kCorrupt, "is another protector's file");
  TRY_ASSIGN(SecretValue value, token.OpenSealed(lock->nonce, file.WrapAad(), file.wrapped));
  TRY_ASSIGN(Kek kek, Kek::FromSecret(std::move(value)));
  TRY(file.CheckGenuine(kek, vault_id, version));
  return kek;
}

}  // namespace strongroom::vault
