// TrailKey: the Ed25519 key that signs the trail's checkpoints (RFC 8032, by libsodium). It is random, wrapped like the vault's other own
// keys and derived from none; whoever has it can sign another history, but not one that fits a checkpoint that left the host before.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class TrailKey {
 public:
  static constexpr std::size_t kPublicBytes = 32, kSignatureBytes = 64;

  // Of makes the pair from its seed of 32 bytes; kResourceExhausted where the arena is full.
  static Result<TrailKey> Of(SecretView seed);
  const Bytes& public_key() const { return public_key_; }
  // Sign is the signature over a public text. Thread-safe.
  Result<Bytes> Sign(std::string_view text) const;

 private:
  TrailKey(SecretValue pair, Bytes public_key) : pair_(std::move(pair)), public_key_(std::move(public_key)) {}

  SecretValue pair_;  // libsodium's 64 bytes: seed ‖ public key
  Bytes public_key_;
};

}  // namespace strongroom::vault
