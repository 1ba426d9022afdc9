// Cipher: the room's AES-256-GCM, HKDF and HMAC, all by OpenSSL's EVP, and Argon2id by libsodium. Nothing else in vault/ but
// SealedBox touches key bytes with a library call. Thread-safe: contexts are a thread's own and are reset after each use.
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
  // RandomSalt returns 16.
  static Bytes RandomSalt();

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
  // Argon2 is what stretching costs: passes over so many bytes of memory.
  struct Argon2 {
    std::uint64_t passes, memory;
    bool operator==(const Argon2&) const = default;
  };
  // kModerate is libsodium's MODERATE: 256 MiB and most of a second.
  static constexpr Argon2 kModerate{3, std::uint64_t{256} << 20};
  static constexpr std::size_t kSaltBytes = 16;
  // Stretch makes 32 bytes of a passphrase: Argon2id (RFC 9106) of version 1.3 with one lane. `salt` is 16 bytes. It blocks
  // for as long as it costs, and takes its working memory from the heap: kUnavailable where there is not so much.
  static Result<SecretValue> Stretch(SecretView passphrase, ByteView salt, const Argon2& cost);
  // Equal compares in constant time; false where the lengths differ.
  static bool Equal(ByteView a, ByteView b);

  class Token;        // vault/token.h: the same AES-256-GCM, by a key that is on a PKCS#11 token
  class TokenThread;  // vault/token_thread.h: a Token that is waited for so long and no longer
};

}  // namespace strongroom::vault
