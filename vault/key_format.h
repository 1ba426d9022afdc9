// KeyFormat: what an API key must look like before it is taken in (INTERFACES §1).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class KeyFormat {
 public:
  // Check is kInvalidArgument, with the reason, unless the key is 20–2,000 bytes of 0x21–0x7E.
  static Result<void> Check(SecretView key);
};

}  // namespace strongroom::vault
