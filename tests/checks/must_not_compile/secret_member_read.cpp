// must fail: is private within this context | is a private member
#include "vault/secret.h"
const void* Data(const strongroom::vault::SecretValue& value) {
  return value.bytes_.data();
}
