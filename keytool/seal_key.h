// seal --ticket: a customer seals an API key to a ticket of the vault's. It needs no vault, no home and no network.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/ticket_files.h"

namespace strongroom::keytool {

struct SealKeyOptions {
  std::string ticket, key_file, out;
  PhraseCheck check;
};

// SealKey asks for the ticket's phrase before it asks for the key, and says the sealed key's.
Outcome<void> SealKey(const Context& context, const SealKeyOptions& options);

}  // namespace strongroom::keytool
