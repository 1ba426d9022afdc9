// KeyBlob: an API key on its way from a customer to the vault, sealed to a ticket. Its file, field by field, and what it is worth:
// vault/SEALED.md.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"
#include "vault/ticket.h"

namespace strongroom::vault {

struct KeyBlob {
  std::string vault_id, ticket_id;  // the ticket's
  Bytes box;                        // SealedBox of u8 1 ‖ the ticket's Digest ‖ the key
  bool operator==(const KeyBlob&) const = default;

  // Seal is another one each time. kInvalidArgument where the key is longer than a key is, or nothing can be sealed to the ticket's
  // public key.
  static Result<KeyBlob> Seal(const Ticket& ticket, SecretView key);
  // Open is its inverse. Whatever is wrong with the box, the ticket in it included, is the one kDecryptFailed (kResourceExhausted where
  // the arena is full).
  Result<SecretValue> Open(const Ticket& ticket, SecretView private_key) const;

  // Print is the file, with line ends of LF. Parse reads it as Ticket::Parse does a ticket.
  std::string Print() const;
  static Result<KeyBlob> Parse(std::string_view text);

  // Phrase is the six words over Print (vault/phrase.h).
  Result<std::string> Phrase() const;
};

}  // namespace strongroom::vault
