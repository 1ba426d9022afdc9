// must fail: could not convert | cannot convert | no viable conversion | conversion from
#include <string>

#include "vault/secret.h"
strongroom::vault::SecretValue Wrong(const std::string& key) {
  return key;
}
