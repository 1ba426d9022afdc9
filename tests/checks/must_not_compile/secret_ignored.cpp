// must fail: ignoring return | ignoring returned value
#include "vault/secret.h"
strongroom::vault::SecretValue Make();
void Forget() {
  Make();
}
