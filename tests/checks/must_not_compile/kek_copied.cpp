// must fail: use of deleted function | call to implicitly-deleted copy constructor
#include "vault/secret.h"
strongroom::vault::Kek Copy(const strongroom::vault::Kek& kek) {
  return kek;
}
