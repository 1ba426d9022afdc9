#include "keytool/invite.h"

#include <algorithm>
#include <array>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/invite_many.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/rotate.h"
#include "keytool/ticket_files.h"
#include "vault/labelled_text.h"
#include "vault/ticket_protocol.h"

namespace strongroom::keytool {
namespace {

constexpr std::array<std::string_view, 4> kStates{"OPEN", "USED", "CANCELLED", "EXPIRED"};

Outcome<void> CheckId(const std::string& ticket_id) {
  if (vault::IsHexName(ticket_id, vault::Ticket::kIdDigits)) return {};
  return Usage("TICKET is 16 hexadecimal digits, as `keytool invite list` shows them");
}

Outcome<void> CheckOptions(const InviteOptions& options) {
  if (!options.rotate.empty()) {
    if (!options.customer.empty() || !options.provider.empty() || !options.endpoint.empty()) {
      return Usage("--rotate KEY_REF says whose key it is and where it goes: leave CUSTOMER, --provider and --endpoint out");
    }
    TRY(ReadKeyRef("--rotate", options.rotate));
    return {};
  }
  if (options.customer.empty() || options.provider.empty()) {
    return Usage("say whom to invite: CUSTOMER and --provider, --rotate KEY_REF, or --from FILE for many");
  }
  return CheckInvited(options.customer, options.provider, options.endpoint);
}

Outcome<Issued> Ask(const Session& session, const InviteOptions& options, const std::string& reason) {
  if (options.rotate.empty()) return Issue(session, options.customer, options.provider, options.endpoint, reason);
  return IssueReplacement(session, options.rotate, reason);
}

// StepsFor is what is to be done with a ticket, in `file`.
std::string StepsFor(const Context& context, const Issued& issued, const std::string& file) {
  const vault::Ticket& ticket = issued.ticket;
  const ShownCommand accept = ticket.rotates.empty() ? ShownCommand{"keytool accept BLOB --model MODEL"} : ShownCommand{"keytool accept BLOB"};
  return "ticket " + ticket.ticket_id + " for " + ticket.customer + " at " + ticket.provider + ", until " + vault::FormatSeconds(ticket.expires_at) + "\n" +
      base::FormatFacts({{"  check phrase", issued.phrase},
                         {"  1.", "mail " + file + " to the customer, and no phrase with it"},
                         {"  2.", "read the check phrase out to them by telephone, on a number you know"},
                         {"  3.", "they run `keytool seal --ticket FILE`, and mail back what it makes"},
                         {"  4.", Command(context, accept)}});
}

// The ticket is the vault's by now: what fails from here on leaves it open, and it can be printed once more.
Outcome<void> HandOut(const Context& context, const Issued& issued, const std::string& out) {
  const vault::Ticket& ticket = issued.ticket;
  if (!out.empty()) {
    if (auto written = WriteNewFile("--out", out, ticket.Print()); !written) {
      written.error().text += "; the ticket is made: print it with " + Command(context, {"keytool invite resend", ticket.ticket_id});
      return written;
    }
  }
  if (context.json) {
    JsonLine line;
    line.Text("ticket", ticket.ticket_id).Text("customer", ticket.customer).Text("provider", ticket.provider).Text("origin", ticket.origin);
    line.OptionalText("rotates", ticket.rotates).Text("expires_at", vault::FormatSeconds(ticket.expires_at)).OptionalText("file", out);
    line.OptionalText("text", out.empty() ? ticket.Print() : "");
    Print(line.Text("check_phrase", issued.phrase).Str() + "\n");
    return {};
  }
  if (!out.empty()) {
    TellIssued(context, issued, out);
    return {};
  }
  Print(ticket.Print());
  Tell(StepsFor(context, issued, "these lines"));
  return {};
}

}  // namespace

void TellIssued(const Context& context, const Issued& issued, const std::string& file) { Print(StepsFor(context, issued, file)); }

Outcome<void> CheckInvited(const std::string& customer, const std::string& provider, const std::string& endpoint) {
  TRY(CheckCustomer(customer));
  if (provider != "anthropic" && provider != "openai") return Usage("--provider is one that takes a key: anthropic or openai");
  if (!endpoint.empty()) TRY(CheckEndpoint(endpoint, true));
  return {};
}

Outcome<Issued> ReadIssued(const std::string& text) {
  auto ticket = vault::Ticket::Parse(text);
  if (!ticket) return Unreadable();
  auto phrase = ticket->Phrase();
  if (!phrase) return FailedBy(phrase.error(), "ticket " + ticket->ticket_id);
  return Issued{std::move(*ticket), std::move(*phrase)};
}

Outcome<Issued> Issue(const Session& session, const std::string& customer, const std::string& provider, const std::string& endpoint,
                      const std::string& reason) {
  const vault::IssueTicketRequest request{customer, provider, endpoint, "", reason};
  TRY_ASSIGN(const std::string text, session.AskText(vault::Operation::kIssueTicket, request.Encode(), customer));
  return ReadIssued(text);
}

Outcome<Issued> IssueReplacement(const Session& session, const std::string& key_ref, const std::string& reason) {
  TRY(CheckReplaceable(session, key_ref));
  vault::IssueTicketRequest request;
  request.rotates = key_ref;
  request.reason = reason;
  TRY_ASSIGN(const std::string text, session.AskText(vault::Operation::kIssueTicket, request.Encode(), key_ref));
  return ReadIssued(text);
}

Outcome<Issued> ShowIssued(const Session& session, const std::string& ticket_id, const std::string& reason) {
  const vault::TicketRequest request{ticket_id, reason};
  TRY_ASSIGN(const std::string text, session.AskText(vault::Operation::kShowTicket, request.Encode(), "ticket " + ticket_id));
  return ReadIssued(text);
}

Outcome<void> Invite(const Context& context, const InviteOptions& options) {
  if (!options.from.empty()) return InviteMany(context, options);
  TRY(CheckOptions(options));
  if (!options.out.empty()) TRY(CheckNewFile("--out", options.out));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  TRY_ASSIGN(const Issued issued, Ask(session, options, reason));
  return HandOut(context, issued, options.out);
}

Outcome<void> Resend(const Context& context, const std::string& ticket_id, const std::string& out, const std::string& reason) {
  TRY(CheckId(ticket_id));
  if (!out.empty()) TRY(CheckNewFile("--out", out));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY_ASSIGN(const Issued issued, ShowIssued(session, ticket_id, why));
  return HandOut(context, issued, out);
}

Outcome<void> ListTickets(const Context& context, const std::string& customer, const std::string& status) {
  if (!customer.empty()) TRY(CheckCustomer(customer));
  if (!status.empty() && std::ranges::find(kStates, status) == kStates.end()) {
    return Usage("--status is one of OPEN USED CANCELLED EXPIRED");
  }
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListTickets, customer, status));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(std::vector<base::Row> rows,
             ReadRows(document, {"ticket", "customer", "provider", "origin", "rotates", "status", "expires_at", "key_ref", "intact"}));
  std::ranges::sort(rows, {}, [](const base::Row& row) { return std::tie(row[1], row[6]); });
  Print(base::FormatTable({{"TICKET"}, {"CUSTOMER"}, {"PROVIDER"}, {"ORIGIN"}, {"ROTATES"}, {"STATUS"}, {"EXPIRES AT"}, {"KEY"}, {"INTACT"}}, rows));
  return {};
}

Outcome<void> CancelTicket(const Context& context, const std::string& ticket_id, const std::string& reason) {
  TRY(CheckId(ticket_id));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::TicketRequest request{ticket_id, ""};
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY(session.Ask(vault::Operation::kCancelTicket, request.Encode(), "ticket " + ticket_id));
  Print(context.json ? JsonLine().Text("ticket", ticket_id).Text("status", "CANCELLED").Str() + "\n"
                     : "ticket " + ticket_id + " is cancelled: what is sealed to it opens no more\n");
  return {};
}

}  // namespace strongroom::keytool
