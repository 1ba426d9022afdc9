// must fail: use of deleted function | overload resolution selected deleted operator
#include "vault/secret.h"
void Copy(strongroom::vault::SecretValue& to, const strongroom::vault::SecretValue& from) {
  to = from;
}
