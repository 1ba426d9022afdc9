// must fail: invalid initialization of reference | no matching function for call
#include "vault/envelope.h"
using namespace strongroom::vault;
auto Swapped(const Kek& kek, const WrapContext& context, const Sealed& sealed) {
  return Rewrap(kek, context, sealed.key, kek, context);
}
