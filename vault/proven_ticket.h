// ProvenTicket: a row of KEY_TICKET whose facts have been proved, since its private key has opened in the very context the row states
// (vault/SEALED.md, The ticket in the database).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "audit/record.h"
#include "base/result.h"
#include "vault/open_vault.h"
#include "vault/secret.h"
#include "vault/store.h"
#include "vault/ticket.h"

namespace strongroom::vault {

class ProvenTicket {
 public:
  // Prove refuses with kTicketUsed, kTicketCancelled or kTicketExpired where the ticket is over at `now`, and with kTicketTampered where
  // its row does not open, or the trail says that it ended before.
  static Result<ProvenTicket> Prove(const OpenVault& vault, Store& store, const TicketRow& row, base::Micros now);

  const Ticket& ticket() const { return ticket_; }
  SecretView private_key() const { return private_key_.View(); }

 private:
  ProvenTicket(Ticket ticket, SecretValue private_key) : ticket_(std::move(ticket)), private_key_(std::move(private_key)) {}
  Ticket ticket_;
  SecretValue private_key_;
};

// FindTicket is the row as stored; kTicketUnknown where there is none. The record is told which ticket it is about, and as what it was found.
Result<TicketRow> FindTicket(Store& store, const std::string& ticket_id, audit::Draft& record);
// EndsOf is what the trail, of any node, has recorded of the ticket's use or cancelling, and of its customer's offboarding.
Result<std::vector<audit::Draft>> EndsOf(Store& store, const TicketRow& row);

// TicketOf is the ticket that a row states, believed or not.
Ticket TicketOf(const std::string& vault_id, const TicketRow& row);

// WrapTicket puts a private key into its row, under the ACTIVE KEK; every other column but STATUS, CHANGED_AT and KEY_REF is bound to it.
Result<void> WrapTicket(const VaultKeys& keys, const std::string& vault_id, SecretView private_key, TicketRow& row);

// RewrappedTicket is the row under the ACTIVE KEK. kTicketTampered where it does not open.
Result<TicketRow> RewrappedTicket(const VaultKeys& keys, const std::string& vault_id, TicketRow row);

}  // namespace strongroom::vault
