// must fail: use of deleted function | call to deleted constructor
#include "vault/secret.h"
strongroom::vault::SecretValue Copy(const strongroom::vault::SecretValue& value) {
  return value;
}
