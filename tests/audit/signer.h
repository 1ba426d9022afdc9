// Signer: an Ed25519 key of the tests' own, by OpenSSL: whoever signs notes in production is another library (vault/trail_key.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"

namespace strongroom::audit {

class Signer {
 public:
  // A seed is 32 bytes; the short form fills it with one.
  Signer(const std::string& name, ByteView seed, SignatureType type = SignatureType::kEd25519);
  Signer(const std::string& name, std::uint8_t seed, SignatureType type = SignatureType::kEd25519)
      : Signer(name, Bytes(32, seed), type) {}

  const VerifierKey& key() const { return key_; }
  Bytes SignBytes(std::string_view message) const;
  // Line is a signature line for a note's text.
  std::string Line(std::string_view text) const;
  // CosignLine is a witness's.
  std::string CosignLine(std::string_view text, std::uint64_t seconds) const;
  // Sign is a signed checkpoint under the key's name.
  std::string Sign(const Head& head) const;

 private:
  Bytes seed_;
  VerifierKey key_;
};

}  // namespace strongroom::audit
