#include "vault/trail_key.h"

#include <sodium.h>

namespace strongroom::vault {

static_assert(TrailKey::kPublicBytes == crypto_sign_PUBLICKEYBYTES && TrailKey::kSignatureBytes == crypto_sign_BYTES);

Result<TrailKey> TrailKey::Of(SecretView seed) {
  if (seed.size() != crypto_sign_SEEDBYTES) return Fail(Code::kInvalidArgument, "an Ed25519 seed is 32 bytes");
  const SecretAccess access;
  TRY_ASSIGN(SecretValue pair, SecretValue::Allocate(crypto_sign_SECRETKEYBYTES));
  Bytes public_key(kPublicBytes);
  const int failed = crypto_sign_seed_keypair(public_key.data(), pair.Bytes(access).data(), seed.Bytes(access).data());
  ClearRegisters();
  if (failed != 0) return Fail(Code::kUnavailable, "libsodium cannot compute Ed25519");
  return TrailKey(std::move(pair), std::move(public_key));
}

Result<Bytes> TrailKey::Sign(std::string_view text) const {
  Bytes signature(kSignatureBytes);
  const ByteView message = base::AsBytes(text);
  const int failed = crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                                          pair_.View().Bytes(SecretAccess()).data());
  ClearRegisters();
  if (failed != 0) return Fail(Code::kUnavailable, "libsodium cannot sign");
  return signature;
}

}  // namespace strongroom::vault
