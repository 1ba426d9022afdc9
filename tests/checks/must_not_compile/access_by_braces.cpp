// must fail: is private within this context | calling a private constructor | could not convert | no matching
#include "vault/secret.h"
auto Bytes(strongroom::vault::SecretView view) {
  return view.Bytes({});
}
