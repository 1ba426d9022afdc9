// must fail: could not convert | cannot convert | no viable conversion
#include "vault/secret.h"
bool Truth(const strongroom::vault::SecretValue& value) {
  return value;
}
