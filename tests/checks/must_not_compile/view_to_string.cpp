// must fail: could not convert | cannot convert | no viable conversion
#include "vault/secret.h"
std::string Text(strongroom::vault::SecretView view) {
  return view;
}
