// KeyFormat: what an API key must look like before it is taken in (INTERFACES §1).
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class KeyFormat {
 public:
  // Check is kInvalidArgument, with the reason, unless the key is 20–2,000 bytes of 0x21–0x7E.
  static Result<void> Check(SecretView key);
  // CheckOwner is kInvalidArgument where the key begins as another provider's keys do. It knows some beginnings, and lets all others
  // pass; it is for providers' own origins, since anybody's server may take anything.
  static Result<void> CheckOwner(SecretView key, std::string_view provider);
};

}  // namespace strongroom::vault
