// must fail: invalid initialization of reference | no matching function for call | no known conversion
#include "vault/envelope.h"
using namespace strongroom::vault;
auto Swapped(const Dek& dek, const WrapContext& context, SecretView key) {
  return Seal(dek, context, key);
}
