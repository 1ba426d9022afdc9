#include "vault/base64.h"

#include <sodium.h>

namespace strongroom::vault {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;

}  // namespace

std::string Base64(ByteView bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), kVariant);
  text.pop_back();  // its zero byte
  return text;
}

std::optional<Bytes> FromBase64(std::string_view text) {
  Bytes bytes(text.size() / 4 * 3 + 3);
  std::size_t size = 0;
  const int failed = sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr, kVariant);
  if (failed != 0) return std::nullopt;
  bytes.resize(size);
  // What is read must be written the same.
  if (Base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace strongroom::vault
