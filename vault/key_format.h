// KeyFormat: what an API key must look like before it is taken in (INTERFACES §1).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

class KeyFormat {
 public:
  // Check is kInvalidArgument, with the reason, unless the key is 20–2,000 bytes of 0x21–0x7E.
  static Result<void> Check(SecretView key);
  // CheckCopied is kInvalidArgument where more than the key was copied, or less: quotes around it, NAME= in front of it, a form that
  // hides its middle. It is asked where a person hands the key over.
  static Result<void> CheckCopied(SecretView key);
  // CheckOwner is kInvalidArgument where the key begins as another provider's keys do. It knows some beginnings, and lets all others
  // pass. A server that is not the provider's own may take keys of any form: of those for a custom one, only OpenAI's for what is to
  // speak as Anthropic does are refused.
  enum class Server : std::uint8_t { kProviders, kCustom };
  static Result<void> CheckOwner(SecretView key, std::string_view provider, Server server = Server::kProviders);
};

}  // namespace strongroom::vault
