// must fail: no matching function for call | no matching constructor
#include "vault/envelope.h"
strongroom::vault::KeyContext Anything() {
  return strongroom::vault::KeyContext();
}
