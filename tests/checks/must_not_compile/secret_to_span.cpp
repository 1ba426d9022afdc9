// must fail: could not convert | cannot convert | no viable conversion
#include "vault/secret.h"
std::span<const std::uint8_t> Bytes(const strongroom::vault::SecretValue& value) {
  return value;
}
