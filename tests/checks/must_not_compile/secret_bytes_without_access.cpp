// must fail: no matching function for call | too few arguments
#include "vault/secret.h"
auto Bytes(strongroom::vault::SecretView view) {
  return view.Bytes();
}
