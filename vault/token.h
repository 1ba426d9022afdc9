// Cipher::Token: AES-256-GCM by a key that never leaves a PKCS#11 token (OASIS PKCS #11 v2.40). Part of the room of Cipher.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vault/cipher.h"
#include "vault/token_uri.h"

namespace strongroom::vault {

// A Token is one login: from Open until it goes. It asks the module for no more than that, so that nobody is logged in
// between ceremonies. Every call may block for as long as the token likes: TokenThread (vault/token_thread.h) alone calls
// them, for one Token at a time in a process.
class Cipher::Token {
 public:
  enum class NoKey : std::uint8_t { kRefuse, kGenerate };
  // `pin_is_kept`: nobody typed it, so it is not tried where the token would lock if it is wrong.
  struct Login {
    SecretView pin;
    bool pin_is_kept = false;
  };

  // Open loads the module (an absolute path; a file that only root or we can write), finds the one token and the one key that
  // are meant, and logs in. Each error is one of the refusals kPkcs11Module to kTokenKeyExposed; the log has what
  // the token answered. A key that could leave the token is refused, whoever made it.
  static Result<std::unique_ptr<Token>> Open(const std::string& module, const TokenUri& key, const Login& login, NoKey no_key);
  ~Token();
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  // Seal and OpenSealed are Cipher::SealWith and OpenWith under the token's key. A ciphertext that the token does not open is
  // kDecryptFailed; a token that fails, kTokenMissing.
  Result<Bytes> Seal(ByteView nonce, ByteView aad, SecretView plaintext);
  Result<SecretValue> OpenSealed(ByteView nonce, ByteView aad, ByteView ciphertext);

 private:
  class Session;
  explicit Token(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

}  // namespace strongroom::vault
