// must fail: could not convert | cannot convert | no viable conversion
#include <string_view>

#include "vault/secret.h"
std::string_view Text(const strongroom::vault::SecretValue& value) {
  return value;
}
