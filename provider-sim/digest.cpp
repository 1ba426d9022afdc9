#include "provider-sim/digest.h"

#include <openssl/sha.h>

namespace strongroom::sim {

Digest Sha256(std::string_view text) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

std::string Token(const Digest& digest) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string token;
  token.reserve(24);
  for (std::size_t i = 0; i < 24; ++i) token.push_back(kAlphabet[digest[i] % kAlphabet.size()]);
  return token;
}

}  // namespace strongroom::sim
