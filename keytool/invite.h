// invite: tickets for customers, by which their keys come in without anybody on the way seeing them.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/session.h"
#include "vault/ticket.h"

namespace strongroom::keytool {

struct InviteOptions {
  std::string customer, provider, endpoint, rotate, out, from, reason;
};

// Invite makes one ticket, or with --from one for each line of a table.
Outcome<void> Invite(const Context& context, const InviteOptions& options);
Outcome<void> ListTickets(const Context& context, const std::string& customer, const std::string& status);
// Resend prints a ticket that is OPEN, and its phrase, once more.
Outcome<void> Resend(const Context& context, const std::string& ticket_id, const std::string& out, const std::string& reason);
Outcome<void> CancelTicket(const Context& context, const std::string& ticket_id, const std::string& reason);

// Issued is a ticket as vaultd has made it, and its phrase.
struct Issued {
  vault::Ticket ticket;
  std::string phrase;
};
// ReadIssued reads a ticket's file, as vaultd answers with it.
Outcome<Issued> ReadIssued(const std::string& text);
// Issue has vaultd make the ticket of one customer at one provider.
Outcome<Issued> Issue(const Session& session, const std::string& customer, const std::string& provider, const std::string& endpoint,
                      const std::string& reason);
// IssueReplacement has vaultd make the ticket for a new version of a key.
Outcome<Issued> IssueReplacement(const Session& session, const std::string& key_ref, const std::string& reason);
// ShowIssued is a ticket that is OPEN, once more.
Outcome<Issued> ShowIssued(const Session& session, const std::string& ticket_id, const std::string& reason);
// TellIssued says, on standard output, what is to be done with a ticket that was written to a file.
void TellIssued(const Context& context, const Issued& issued, const std::string& file);
// CheckInvited is what the command line, or a line of the table, says about whom and for what.
Outcome<void> CheckInvited(const std::string& customer, const std::string& provider, const std::string& endpoint);

}  // namespace strongroom::keytool
