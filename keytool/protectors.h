// kek add-protector, kek remove-protector: what a KEK can be opened with.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// ProtectorOptions: `protector` is "file", "passphrase" or "credential"; `with` (remove) another one whose passphrase is
// to prove that it opens; `passphrase_file` is where a passphrase comes from.
struct ProtectorOptions {
  std::string protector, with, passphrase_file, reason;
};

Outcome<void> AddProtector(const Context& context, const ProtectorOptions& options);
Outcome<void> RemoveProtector(const Context& context, const ProtectorOptions& options);

}  // namespace strongroom::keytool
