// must fail: is private within this context | calling a private constructor
#include "vault/secret.h"
strongroom::vault::SecretView Wrong(std::span<const std::uint8_t> bytes) {
  return strongroom::vault::SecretView(bytes);
}
