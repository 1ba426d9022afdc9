#include "vault/envelope.h"

#include <utility>

#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kAlgorithm = "AES-256-GCM";
constexpr std::string_view kPayloadDomain = "strongroom/payload/v1";
constexpr std::string_view kWrapDomain = "strongroom/wrap/v1";
constexpr std::string_view kLimit = "limit";
constexpr std::string_view kEncryptInfo = "strongroom/dek/encrypt/v1";
constexpr std::string_view kCommitInfo = "strongroom/dek/commit/v1";
constexpr std::size_t kCommitmentBytes = 32;
constexpr std::size_t kHeadBytes = 1 + kCommitmentBytes;

void WriteKeyFields(base::ByteWriter& writer, const KeyContext& context) {
  writer.Field(context.vault_id)
      .U8(kFormat)
      .Field(kAlgorithm)
      .Field(context.key_ref.customer())
      .Field(context.key_ref.provider())
      .Field(context.key_ref.text())
      .I64(context.key_ref.version());
}

std::unexpected<Error> DoesNotOpen() {
  return Fail(Code::kDecryptFailed, "does not open");
}

Result<WrappedDek> Wrap(const Kek& kek, const WrapContext& context, const Dek& dek) {
  WrappedDek wrapped{Cipher::RandomNonce(), {}};
  TRY_ASSIGN(wrapped.ciphertext, Cipher::SealWith(kek.View(), wrapped.nonce, WrapAad(context), dek.View()));
  return wrapped;
}

Result<Dek> Unwrap(const Kek& kek, const WrapContext& context, const WrappedDek& wrapped) {
  TRY_ASSIGN(SecretValue value,
             Cipher::OpenWith(kek.View(), wrapped.nonce, WrapAad(context), wrapped.ciphertext));
  if (value.size() != Dek::kBytes) return DoesNotOpen();
  return Dek::FromSecret(std::move(value));
}

bool IsFormed(const SealedKey& key) {
  return key.ciphertext.size() >= kHeadBytes + Cipher::kTagBytes && key.ciphertext[0] == kFormat &&
         key.nonce.size() == Cipher::kNonceBytes;
}

// GCM alone opens one ciphertext under many keys (it does not commit to its key): the commitment ties the
// payload to the one DEK that sealed it, and is compared before anything is decrypted.
bool IsCommitted(const SealedKey& key, const Bytes& commitment) {
  return Cipher::Equal(commitment, ByteView(key.ciphertext).subspan(1, kCommitmentBytes));
}

// A DEK's encryption key, and its commitment as the published half.
Result<Cipher::Both> DeriveKeys(const Dek& dek) {
  static_assert(Dek::kBytes == Cipher::kMacBytes && kCommitmentBytes == Cipher::kMacBytes);
  return Cipher::DeriveBoth(dek.View(), kEncryptInfo, kCommitInfo);
}

}  // namespace

Bytes PayloadAad(const KeyContext& context) {
  base::ByteWriter writer;
  writer.Field(kPayloadDomain);
  WriteKeyFields(writer, context);
  return writer.Take();
}

Bytes WrapAad(const WrapContext& context) {
  base::ByteWriter writer;
  writer.Field(kWrapDomain);
  WriteKeyFields(writer, context.key);
  writer.Field(StateName(context.state)).U8(context.grace_until.has_value() ? 1 : 0);
  if (context.grace_until) writer.I64(*context.grace_until);
  writer.Field(context.origin.text())
      .U8(context.hosted ? 1 : 0)
      .I64(context.row_version)
      .I64(context.kek_version);
  if (context.limit.any()) writer.Field(kLimit).I64(context.limit.rpm.value_or(0)).I64(context.limit.tpm.value_or(0));
  return writer.Take();
}

Result<Sealed> Seal(const Kek& kek, const WrapContext& context, SecretView api_key) {
  TRY_ASSIGN(const Dek dek, Dek::Generate());
  TRY_ASSIGN(const Cipher::Both keys, DeriveKeys(dek));
  SealedKey key{Cipher::RandomNonce(), {}};
  TRY_ASSIGN(const Bytes ciphertext,
             Cipher::SealWith(keys.secret.View(), key.nonce, PayloadAad(context.key), api_key));
  key.ciphertext = base::ByteWriter().U8(kFormat).Raw(keys.published).Raw(ciphertext).Take();
  TRY_ASSIGN(WrappedDek wrapped, Wrap(kek, context, dek));
  return Sealed{std::move(key), std::move(wrapped)};
}

Result<SecretValue> Open(const Kek& kek, const WrapContext& context, const Sealed& sealed) {
  TRY_ASSIGN(const Dek dek, Unwrap(kek, context, sealed.dek));
  if (!IsFormed(sealed.key)) return DoesNotOpen();
  TRY_ASSIGN(const Cipher::Both keys, DeriveKeys(dek));
  if (!IsCommitted(sealed.key, keys.published)) return DoesNotOpen();
  return Cipher::OpenWith(keys.secret.View(), sealed.key.nonce, PayloadAad(context.key),
                          ByteView(sealed.key.ciphertext).subspan(kHeadBytes));
}

Result<void> Verify(const Kek& kek, const WrapContext& context, const Sealed& sealed) {
  TRY_ASSIGN(const Dek dek, Unwrap(kek, context, sealed.dek));
  if (!IsFormed(sealed.key)) return DoesNotOpen();
  TRY_ASSIGN(const Bytes commitment, Cipher::DerivePublic(dek.View(), kCommitInfo, kCommitmentBytes));
  if (!IsCommitted(sealed.key, commitment)) return DoesNotOpen();
  return {};
}

Result<WrappedDek> Rewrap(const Kek& old_kek, const WrapContext& from, const WrappedDek& dek,
                          const Kek& new_kek, const WrapContext& to) {
  // A payload is sealed to its identity for good; a wrap for another one could never open.
  if (from.key.vault_id != to.key.vault_id || !(from.key.key_ref == to.key.key_ref)) {
    return Fail(Code::kInvalidArgument, "a rewrap keeps the vault and the KEY_REF");
  }
  TRY_ASSIGN(const Dek opened, Unwrap(old_kek, from, dek));
  return Wrap(new_kek, to, opened);
}

}  // namespace strongroom::vault
