// SealedBox: a secret sealed to somebody's public key, by libsodium's crypto_box_seal (X25519, XSalsa20-Poly1305, a
// nonce of BLAKE2b over both public keys). Whoever seals cannot open again. Nothing says who sealed: where a stranger's box
// must not pass for ours, what is in it has to be checked.
#pragma once

#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class SealedBox {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  // What a box is longer than its secret by: the sender's one-time public key and a tag.
  static constexpr std::size_t kOverhead = 48;

  // KeyPair is an X25519 pair (RFC 7748); the private half lives in the locked arena.
  struct KeyPair {
    KeyPair(SecretValue its_private, Bytes its_public)
        : private_key(std::move(its_private)), public_key(std::move(its_public)) {}
    SecretValue private_key;
    Bytes public_key;
  };

  // Generate makes a random pair; kResourceExhausted where the arena is full.
  static Result<KeyPair> Generate();
  // PublicOf is the public half of a private one of 32 bytes; kInvalidArgument for another length.
  static Result<Bytes> PublicOf(SecretView private_key);
  // SealTo returns a box of head.size() + secret.size() + kOverhead bytes, each time another. `head` is public, and comes before the
  // secret. kInvalidArgument where both are over SecretValue::kMostBytes, or where the public key is not 32 bytes, or is one of the few
  // whose boxes everybody could open.
  static Result<Bytes> SealTo(ByteView public_key, SecretView secret, ByteView head = {});
  // OpenSealed is its inverse, straight into the arena: what comes after `head`. Every failure, another head included, is
  // kDecryptFailed. Only a full arena is kResourceExhausted.
  static Result<SecretValue> OpenSealed(SecretView private_key, ByteView public_key, ByteView sealed, ByteView head = {});

 private:
  static Result<SecretValue> Join(ByteView head, SecretView secret);
  static Result<SecretValue> CutHead(SecretValue opened, ByteView head);
};

}  // namespace strongroom::vault
