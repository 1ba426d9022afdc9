// must fail: use of deleted function | overload resolution selected deleted operator
#include "vault/secret.h"
bool Same(const strongroom::vault::SecretValue& a, const strongroom::vault::SecretValue& b) {
  return a == b;
}
