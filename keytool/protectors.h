// kek add-protector, kek remove-protector: what a KEK can be opened with.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/key_source.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// ProtectorOptions: `protector` is "file", "passphrase", "credential" or "pkcs11"; `with` (remove) another one whose secret is
// to prove that it opens; `files` is where passphrase and PIN come from.
struct ProtectorOptions {
  std::string protector, with, reason;
  SecretFiles files;
};

Outcome<void> AddProtector(const Context& context, const ProtectorOptions& options);
Outcome<void> RemoveProtector(const Context& context, const ProtectorOptions& options);

}  // namespace strongroom::keytool
