// must fail: invalid initialization of reference | no matching function for call | no known conversion
#include "vault/keyring.h"
using namespace strongroom::vault;
auto Swapped(const MacKey& key) {
  return CheckValue(key);
}
