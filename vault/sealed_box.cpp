#include "vault/sealed_box.h"

#include <sodium.h>

#include <algorithm>
#include <optional>

namespace strongroom::vault {
namespace {

constexpr base::Literal kDoesNotOpen = "does not open";

}  // namespace

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

Result<Bytes> SealedBox::SealTo(ByteView public_key, SecretView secret, ByteView head) {
  if (public_key.size() != kKeyBytes) return Fail(Code::kInvalidArgument, "an X25519 public key is 32 bytes");
  std::optional<SecretValue> joined;
  if (!head.empty()) {
    TRY_ASSIGN(joined, Join(head, secret));
  }
  const ByteView plaintext = (joined ? joined->View() : secret).Bytes(SecretAccess());
  Bytes sealed(plaintext.size() + kOverhead);
  const int failed = crypto_box_seal(sealed.data(), plaintext.data(), plaintext.size(), public_key.data());
  ClearRegisters();
  // A public key of small order: the shared secret would be known to all.
  if (failed != 0) return Fail(Code::kInvalidArgument, "nothing can be sealed to this X25519 public key");
  return sealed;
}

Result<SecretValue> SealedBox::Join(ByteView head, SecretView secret) {
  const SecretAccess access;
  TRY_ASSIGN(SecretValue joined, SecretValue::Allocate(head.size() + secret.size()));
  const auto bytes = joined.Bytes(access);
  std::ranges::copy(head, bytes.begin());
  std::ranges::copy(secret.Bytes(access), bytes.begin() + std::ssize(head));
  ClearRegisters();
  return joined;
}

// CutHead is kDecryptFailed unless `opened` begins with `head`.
Result<SecretValue> SealedBox::CutHead(SecretValue opened, ByteView head) {
  const SecretAccess access;
  const ByteView bytes = opened.View().Bytes(access);
  if (bytes.size() < head.size() || sodium_memcmp(bytes.data(), head.data(), head.size()) != 0) {
    return Fail(Code::kDecryptFailed, kDoesNotOpen);
  }
  TRY_ASSIGN(SecretValue secret, SecretValue::Allocate(bytes.size() - head.size()));
  std::ranges::copy(bytes.subspan(head.size()), secret.Bytes(access).begin());
  ClearRegisters();
  return secret;
}

Result<SecretValue> SealedBox::OpenSealed(SecretView private_key, ByteView public_key, ByteView sealed, ByteView head) {
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
  if (head.empty()) return opened;
  return CutHead(std::move(opened), head);
}

}  // namespace strongroom::vault
