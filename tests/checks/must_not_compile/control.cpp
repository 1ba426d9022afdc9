// The right use of everything that the other files here misuse.
#include <iostream>

#include "vault/envelope.h"
#include "vault/keyring.h"

using namespace strongroom::vault;

strongroom::Result<Sealed> Right(const Kek& kek, const Dek& dek, SecretValue value, KeyRef ref,
                                 Origin origin) {
  const SecretValue moved = std::move(value);
  std::cout << moved << moved.size() << dek.View().size();
  if (moved.size() == 0) return strongroom::Fail(strongroom::Code::kInvalidArgument, "empty");
  const WrapContext context(KeyContext("vault", std::move(ref)), std::move(origin), false);
  return Seal(kek, context, moved.View());
}
