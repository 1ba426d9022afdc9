// Ticket: what a customer is given to seal an API key to, so that nobody but the vault sees it. Its file, field by field, and what it is
// worth: vault/SEALED.md.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::vault {

struct Ticket {
  std::string vault_id;   // 32 hexadecimal digits
  std::string ticket_id;  // 16
  Bytes public_key;       // X25519, 32 bytes: of this ticket alone
  std::string customer, provider;
  std::string origin;   // where the key may be sent to, as Origin writes it; https
  std::string rotates;  // the KEY_REF that the key is to replace, empty for none
  base::Micros expires_at = 0;  // whole seconds
  bool operator==(const Ticket&) const = default;

  static constexpr std::size_t kIdDigits = 16, kVaultIdDigits = 32;

  // Print is the file, with line ends of LF. Parse reads what Print writes, and what mail programs make of it (LabelledReader);
  // kInvalidArgument for everything else.
  std::string Print() const;
  static Result<Ticket> Parse(std::string_view text);

  // Digest is SHA-256 of Print: what stands in a box that was sealed for this ticket.
  Bytes Digest() const;
  // Phrase is the six words over Print (vault/phrase.h).
  Result<std::string> Phrase() const;
};

// FormatSeconds is RFC 3339 in UTC without decimals, as a ticket has it.
std::string FormatSeconds(base::Micros time);

}  // namespace strongroom::vault
