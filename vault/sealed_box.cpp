#include "vault/sealed_box.h"

#include <sodium.h>

namespace strongroom::vault {

static_assert(SealedBox::kKeyBytes == crypto_box_PUBLICKEYBYTES && SealedBox::kKeyBytes == crypto_box_SECRETKEYBYTES);
static_assert(SealedBox::kOverhead == crypto_box_SEALBYTES);

Result<SealedBox::KeyPair> SealedBox::Generate() {
  TRY_ASSIGN(SecretValue private_key, SecretValue::Random(kKeyBytes));
  TRY_ASSIGN(Bytes public_key, PublicOf(private_key.View()));
  return KeyPair(std::move(private_key), std::move(public_key));
}

Result<Bytes> SealedBox::PublicOf(SecretView private_key) {
  if (private_key.size() != kKeyBytes) return Fail(Code::kInvalidArgument, "an X25519 private key is 32 bytes");
  Bytes public_key(kKeyBytes);
  const int failed = crypto_scalarmult_base(public_key.data(), private_key.Bytes(SecretAccess()).data());
  ClearRegisters();
  if (failed != 0) return Fail(Code::kUnavailable, "libsodium cannot compute X25519");
  return public_key;
}

Result<Bytes> SealedBox::SealTo(ByteView public_key, SecretView secret) {
  if (public_key.size() != kKeyBytes) return Fail(Code::kInvalidArgument, "an X25519 public key is 32 bytes");
  Bytes sealed(secret.size() + kOverhead);
  const ByteView plaintext = secret.Bytes(SecretAccess());
  const int failed = crypto_box_seal(sealed.data(), plaintext.data(), plaintext.size(), public_key.data());
  ClearRegisters();
  // A public key of small order: the shared secret would be known to all.
  if (failed != 0) return Fail(Code::kInvalidArgument, "nothing can be sealed to this X25519 public key");
  return sealed;
}

Result<SecretValue> SealedBox::OpenSealed(SecretView private_key, ByteView public_key, ByteView sealed) {
  constexpr base::Literal kDoesNotOpen = "does not open";
  if (private_key.size() != kKeyBytes || public_key.size() != kKeyBytes || sealed.size() < kOverhead ||
      sealed.size() > SecretValue::kMostBytes + kOverhead) {
    return Fail(Code::kDecryptFailed, kDoesNotOpen);
  }
  const SecretAccess access;
  TRY_ASSIGN(SecretValue opened, SecretValue::Allocate(sealed.size() - kOverhead));
  const int failed = crypto_box_seal_open(opened.Bytes(access).data(), sealed.data(), sealed.size(), public_key.data(),
                                          private_key.Bytes(access).data());
  ClearRegisters();
  if (failed != 0) return Fail(Code::kDecryptFailed, kDoesNotOpen);
  return opened;
}

}  // namespace strongroom::vault
