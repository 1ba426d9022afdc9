// must fail: is private within this context | calling a private constructor
#include "vault/secret.h"
auto Bytes(strongroom::vault::SecretView view) {
  return view.Bytes(strongroom::vault::SecretAccess());
}
