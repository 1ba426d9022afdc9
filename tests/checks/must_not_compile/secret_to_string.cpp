// must fail: could not convert | cannot convert | no viable conversion
#include "vault/secret.h"
std::string Text(const strongroom::vault::SecretValue& value) {
  return value;
}
