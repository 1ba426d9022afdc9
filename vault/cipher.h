// Cipher: the room's AES-256-GCM, HKDF and HMAC, all by OpenSSL's EVP. Nothing else in vault/ touches key bytes with a
// library call. Thread-safe: contexts are a thread's own and are reset after each use.
#pragma once

#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class Cipher {
 public:
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;
  static constexpr std::size_t kMacBytes = 32;

  // RandomNonce returns 12 random bytes.
  static Bytes RandomNonce();

  // SealWith returns ciphertext ‖ tag (AES-256-GCM, NIST SP 800-38D). `key` is 32 bytes, `nonce` 12.
  static Result<Bytes> SealWith(SecretView key, ByteView nonce, ByteView aad, SecretView plaintext);
  // OpenWith is its inverse; every failure is kDecryptFailed and leaves nothing behind. Only a full arena, found
  // before the ciphertext is looked at, is kResourceExhausted: it must not pass for tampering.
  static Result<SecretValue> OpenWith(SecretView key, ByteView nonce, ByteView aad, ByteView ciphertext);

  // Derive is HKDF-SHA-256 (RFC 5869) with an empty salt; `size` bytes, at most 64.
  static Result<SecretValue> Derive(SecretView key, std::string_view info, std::size_t size);
  // DerivePublic is Derive for values that are stored: commitments and KEK check values.
  static Result<Bytes> DerivePublic(SecretView key, std::string_view info, std::size_t size);
  // DeriveBoth is Derive and DerivePublic of 32 bytes each, from one extraction.
  struct Both {
    Both(SecretValue its_secret, Bytes its_published)
        : secret(std::move(its_secret)), published(std::move(its_published)) {}
    SecretValue secret;
    Bytes published;
  };
  static Result<Both> DeriveBoth(SecretView key, std::string_view secret_info, std::string_view public_info);
  // Mac is HMAC-SHA-256 of public bytes; MacOfSecret of a secret (fingerprints).
  static Result<Bytes> Mac(SecretView key, ByteView message);
  static Result<Bytes> MacOfSecret(SecretView key, SecretView message);
  // Equal compares in constant time; false where the lengths differ.
  static bool Equal(ByteView a, ByteView b);
};

}  // namespace strongroom::vault
