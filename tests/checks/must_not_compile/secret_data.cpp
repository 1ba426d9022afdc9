// must fail: has no member named 'data' | no member named 'data'
#include "vault/secret.h"
const void* Data(const strongroom::vault::SecretValue& value) {
  return value.data();
}
