#include "vault/digest.h"

#include <openssl/evp.h>

#include <memory>

namespace strongroom::vault {
namespace {

constexpr std::size_t kSha256Bytes = 32;

// Fetched once: OpenSSL 3 otherwise looks the algorithm up by name at each call, which costs more than a short digest.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

Bytes Sha256(ByteView bytes) {
  Bytes digest(kSha256Bytes);
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, Algorithm(), nullptr) == 1);
  return digest;
}

}  // namespace strongroom::vault
