// must fail: invalid initialization of reference | no matching function for call
#include "vault/envelope.h"
using namespace strongroom::vault;
auto Loose(const Kek& kek, SecretView key) {
  return Seal(kek, key);
}
