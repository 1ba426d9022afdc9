#include "vault/cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <utility>

namespace strongroom::vault {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMostAad = 1 << 16;  // far above any AAD of ours; keeps every length an int
constexpr std::size_t kMostDerived = 2 * Cipher::kMacBytes;

// Fetched once: an implicit fetch costs more than the cipher itself.
const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// One context a thread. A context that is kept keeps the key schedule on the heap until it is reset, so each
// use ends in a reset, whatever happened; a failed call must not leave errors for somebody else's
// SSL_get_error.
class CipherUse {
 public:
  CipherUse() : context_(OfThread()) {}
  ~CipherUse() {
    if (context_ != nullptr) EVP_CIPHER_CTX_reset(context_);
    ERR_clear_error();
    ClearRegisters();
  }
  CipherUse(const CipherUse&) = delete;
  CipherUse& operator=(const CipherUse&) = delete;
  EVP_CIPHER_CTX* get() const { return context_; }

 private:
  static EVP_CIPHER_CTX* OfThread() {
    thread_local const std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree> context(EVP_CIPHER_CTX_new());
    return context.get();
  }
  EVP_CIPHER_CTX* context_;
};

struct MacContextFree {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

constexpr std::array<std::uint8_t, kKeyBytes> kZeros{};

// A context with its digest named and a key of zeros: naming the digest anew costs as much as the MAC.
std::unique_ptr<EVP_MAC_CTX, MacContextFree> MakeHmacSha256() {
  std::unique_ptr<EVP_MAC_CTX, MacContextFree> made;
  if (EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr); hmac != nullptr) {
    made.reset(EVP_MAC_CTX_new(hmac));
    EVP_MAC_free(hmac);
  }
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                         OSSL_PARAM_construct_end()};
  if (made && EVP_MAC_init(made.get(), kZeros.data(), kZeros.size(), params.data()) != 1) made.reset();
  return made;
}

// Hmac is a thread's context for the HMAC-SHA-256 sums of one use; one use at a time. An EVP_MAC context has no reset: each
// use ends with a key of zeros, which cleanses the copy of the last key and begins the digest states anew. One that cannot end
// so ends the process: the next use would begin with the wrong key.
class Hmac {
 public:
  Hmac() : context_(OfThread()) {}
  ~Hmac() {
    CHECK(context_ == nullptr || EVP_MAC_init(context_, kZeros.data(), kZeros.size(), nullptr) == 1);
  }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  // Sum is of the parts, one after another.
  bool Sum(ByteView key, std::initializer_list<ByteView> parts, std::span<std::uint8_t, Cipher::kMacBytes> out) {
    if (context_ == nullptr || EVP_MAC_init(context_, key.data(), key.size(), nullptr) != 1) return false;
    return Finish(parts, out);
  }
  // SumOfZeros is Sum with a key of zeros, as the first of a use: such is the context's state then.
  bool SumOfZeros(std::initializer_list<ByteView> parts, std::span<std::uint8_t, Cipher::kMacBytes> out) {
    return context_ != nullptr && Finish(parts, out);
  }
  // SumAgain is Sum with the key of the last one: it costs two blocks of SHA-256 less.
  bool SumAgain(std::initializer_list<ByteView> parts, std::span<std::uint8_t, Cipher::kMacBytes> out) {
    return context_ != nullptr && EVP_MAC_init(context_, nullptr, 0, nullptr) == 1 && Finish(parts, out);
  }

 private:
  bool Finish(std::initializer_list<ByteView> parts, std::span<std::uint8_t, Cipher::kMacBytes> out) {
    for (const ByteView part : parts) {
      if (!part.empty() && EVP_MAC_update(context_, part.data(), part.size()) != 1) return false;
    }
    std::size_t size = 0;
    return EVP_MAC_final(context_, out.data(), &size, out.size()) == 1 && size == out.size();
  }
  static EVP_MAC_CTX* OfThread() {
    thread_local const std::unique_ptr<EVP_MAC_CTX, MacContextFree> context = MakeHmacSha256();
    return context.get();
  }
  EVP_MAC_CTX* context_;
};

// Hkdf is HKDF-SHA-256 with an empty salt (RFC 5869): one extraction, then as many expansions as wanted. It is
// composed from Hmac, since EVP_KDF would copy the key once more, and takes twice as long. The pseudo-random
// key and the blocks live in `scratch`, which is kScratchBytes of a secret.
class Hkdf {
 public:
  static constexpr std::size_t kScratchBytes = 3 * Cipher::kMacBytes;
  explicit Hkdf(std::span<std::uint8_t> scratch)
      : prk_(scratch.first<Cipher::kMacBytes>()), blocks_(scratch.subspan<Cipher::kMacBytes, kMostDerived>()) {}

  // Extract is the first of all: an empty salt is a key of zeros.
  bool Extract(ByteView key) { return hmac_.SumOfZeros({key}, prk_); }
  // Expand fills `out`, at most two blocks.
  bool Expand(std::string_view info, std::span<std::uint8_t> out) {
    constexpr std::array<std::uint8_t, 1> kOne{1}, kTwo{2};
    const auto first = blocks_.first<Cipher::kMacBytes>();
    const bool again = std::exchange(has_key_, true);
    const std::initializer_list<ByteView> parts = {base::AsBytes(info), kOne};
    if (!(again ? hmac_.SumAgain(parts, first) : hmac_.Sum(prk_, parts, first))) return false;
    if (out.size() > first.size() &&
        !hmac_.SumAgain({first, base::AsBytes(info), kTwo}, blocks_.last<Cipher::kMacBytes>())) {
      return false;
    }
    std::copy_n(blocks_.data(), out.size(), out.data());
    return true;
  }

 private:
  Hmac hmac_;
  std::span<std::uint8_t, Cipher::kMacBytes> prk_;
  std::span<std::uint8_t, kMostDerived> blocks_;
  bool has_key_ = false;  // hmac_ has prk_ as its key
};

std::unexpected<Error> NoHmac() { return Fail(Code::kUnavailable, "OpenSSL cannot compute HMAC-SHA-256"); }

bool Encrypt(EVP_CIPHER_CTX* context, ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
             Bytes& out) {
  int length = 0;
  const auto size = static_cast<int>(plaintext.size());
  return EVP_EncryptInit_ex2(context, Aes256Gcm(), key.data(), nonce.data(), nullptr) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1 &&
         EVP_EncryptUpdate(context, out.data(), &length, plaintext.data(), size) == 1 && length == size &&
         EVP_EncryptFinal_ex(context, out.data() + size, &length) == 1 && length == 0 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Cipher::kTagBytes, out.data() + size) == 1;
}

bool Decrypt(EVP_CIPHER_CTX* context, ByteView key, ByteView nonce, ByteView aad, ByteView ciphertext,
             std::span<std::uint8_t> out) {
  int length = 0;
  const auto size = static_cast<int>(out.size());
  std::array<std::uint8_t, Cipher::kTagBytes> tag;
  std::copy_n(ciphertext.data() + out.size(), tag.size(), tag.data());
  return EVP_DecryptInit_ex2(context, Aes256Gcm(), key.data(), nonce.data(), nullptr) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1 &&
         EVP_DecryptUpdate(context, out.data(), &length, ciphertext.data(), size) == 1 && length == size &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Cipher::kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context, out.data() + size, &length) == 1 && length == 0;
}

}  // namespace

Bytes Cipher::RandomNonce() {
  Bytes nonce(kNonceBytes);
  randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

Bytes Cipher::RandomSalt() {
  Bytes salt(kSaltBytes);
  randombytes_buf(salt.data(), salt.size());
  return salt;
}

Result<Bytes> Cipher::SealWith(SecretView key, ByteView nonce, ByteView aad, SecretView plaintext) {
  if (key.size() != kKeyBytes || nonce.size() != kNonceBytes || aad.size() > kMostAad) {
    return Fail(Code::kInvalidArgument,
                "AES-256-GCM takes a key of 32 bytes, a nonce of 12 and an AAD of at most 64 KiB");
  }
  const SecretAccess access;
  Bytes sealed(plaintext.size() + kTagBytes);
  const CipherUse use;
  if (use.get() == nullptr ||
      !Encrypt(use.get(), key.Bytes(access), nonce, aad, plaintext.Bytes(access), sealed)) {
    return Fail(Code::kUnavailable, "OpenSSL cannot encrypt with AES-256-GCM");
  }
  return sealed;
}

Result<SecretValue> Cipher::OpenWith(SecretView key, ByteView nonce, ByteView aad, ByteView ciphertext) {
  constexpr base::Literal kDoesNotOpen = "does not open";
  if (key.size() != kKeyBytes || nonce.size() != kNonceBytes || aad.size() > kMostAad ||
      ciphertext.size() < kTagBytes || ciphertext.size() > SecretValue::kMostBytes + kTagBytes) {
    return Fail(Code::kDecryptFailed, kDoesNotOpen);
  }
  const SecretAccess access;
  TRY_ASSIGN(SecretValue opened, SecretValue::Allocate(ciphertext.size() - kTagBytes));
  const CipherUse use;
  // GCM decrypts before it knows the tag is good: on failure the slot is wiped as `opened` goes.
  if (use.get() == nullptr ||
      !Decrypt(use.get(), key.Bytes(access), nonce, aad, ciphertext, opened.Bytes(access))) {
    return Fail(Code::kDecryptFailed, kDoesNotOpen);
  }
  return opened;
}

Result<SecretValue> Cipher::Derive(SecretView key, std::string_view info, std::size_t size) {
  if (size > kMostDerived || info.size() > kMostAad) {
    return Fail(Code::kInvalidArgument, "HKDF here makes at most 64 bytes");
  }
  const SecretAccess access;
  TRY_ASSIGN(SecretValue scratch, SecretValue::Allocate(Hkdf::kScratchBytes));
  TRY_ASSIGN(SecretValue derived, SecretValue::Allocate(size));
  bool done = false;
  {
    Hkdf hkdf(scratch.Bytes(access));
    done = hkdf.Extract(key.Bytes(access)) && hkdf.Expand(info, derived.Bytes(access));
  }
  ClearRegisters();
  if (!done) return NoHmac();
  return derived;
}

Result<Bytes> Cipher::DerivePublic(SecretView key, std::string_view info, std::size_t size) {
  TRY_ASSIGN(const SecretValue derived, Derive(key, info, size));
  const ByteView bytes = derived.View().Bytes(SecretAccess());
  return Bytes(bytes.begin(), bytes.end());
}

Result<Cipher::Both> Cipher::DeriveBoth(SecretView key, std::string_view secret_info,
                                        std::string_view public_info) {
  const SecretAccess access;
  TRY_ASSIGN(SecretValue scratch, SecretValue::Allocate(Hkdf::kScratchBytes));
  TRY_ASSIGN(SecretValue secret, SecretValue::Allocate(kMacBytes));
  Bytes published(kMacBytes);
  bool done = false;
  {
    Hkdf hkdf(scratch.Bytes(access));
    done = hkdf.Extract(key.Bytes(access)) && hkdf.Expand(secret_info, secret.Bytes(access)) &&
           hkdf.Expand(public_info, published);
  }
  ClearRegisters();
  if (!done) return NoHmac();
  return Both(std::move(secret), std::move(published));
}

Result<Bytes> Cipher::Mac(SecretView key, ByteView message) {
  Bytes mac(kMacBytes);
  const bool done = Hmac().Sum(key.Bytes(SecretAccess()), {message}, std::span<std::uint8_t, kMacBytes>(mac));
  ClearRegisters();
  if (!done) return NoHmac();
  return mac;
}

Result<Bytes> Cipher::MacOfSecret(SecretView key, SecretView message) {
  return Mac(key, message.Bytes(SecretAccess()));
}

Result<SecretValue> Cipher::Stretch(SecretView passphrase, ByteView salt, const Argon2& cost) {
  static_assert(kSaltBytes == crypto_pwhash_SALTBYTES);
  static_assert(kModerate == Argon2{crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE});
  if (salt.size() != kSaltBytes) return Fail(Code::kInvalidArgument, "Argon2id takes a salt of 16 bytes here");
  const SecretAccess access;
  TRY_ASSIGN(SecretValue stretched, SecretValue::Allocate(kKeyBytes));
  const ByteView bytes = passphrase.Bytes(access);
  const std::span<std::uint8_t> out = stretched.Bytes(access);
  const int failed = crypto_pwhash(out.data(), out.size(), reinterpret_cast<const char*>(bytes.data()), bytes.size(),
                                   salt.data(), cost.passes, cost.memory, crypto_pwhash_ALG_ARGON2ID13);
  ClearRegisters();
  if (failed != 0) return Fail(Code::kUnavailable, "Argon2id finds no memory to work in, or its cost is out of range");
  return stretched;
}

bool Cipher::Equal(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace strongroom::vault
