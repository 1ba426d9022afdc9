// The requests and answers about tickets on vaultd's socket: vault/PROTOCOL.md, and what they are for: vault/SEALED.md.
#pragma once

#include <string>

#include "vault/protocol.h"

namespace strongroom::vault {

// IssueTicketRequest: `rotates` is the KEY_REF of a key to replace, and takes customer, provider and place from it; the other fields are
// empty then. An empty endpoint is the provider's own. The answer is one text field, the ticket's file.
struct IssueTicketRequest {
  std::string customer, provider, endpoint, rotates, reason;
  Bytes Encode() const;
  static Result<IssueTicketRequest> Decode(ByteView body);
};

// AcceptTicketRequest: `blob` is a sealed key's file, byte for byte in hexadecimal. Where `customer` is not empty the ticket must be
// theirs. label and hosted are as in AddKeyRequest, for a ticket that rotates no key. With `go_on` a file that was accepted before is answered
// once more, while its key is PENDING. The answer is one text field, the new KEY_REF.
struct AcceptTicketRequest {
  std::string blob, customer, label;
  bool hosted = false, go_on = false;
  std::string reason;
  Bytes Encode() const;
  static Result<AcceptTicketRequest> Decode(ByteView body);
};

// TicketRequest is CancelTicket and ShowTicket; the answer to the second is one text field, the ticket's file.
struct TicketRequest {
  std::string ticket_id, reason;
  Bytes Encode() const;
  static Result<TicketRequest> Decode(ByteView body);
};

}  // namespace strongroom::vault
