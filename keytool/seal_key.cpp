#include "keytool/seal_key.h"

#include "base/clock.h"
#include "base/table.h"
#include "keytool/key_source.h"
#include "keytool/output.h"
#include "vault/key_blob.h"
#include "vault/ticket.h"

namespace strongroom::keytool {
namespace {

Outcome<vault::Ticket> ReadTicket(const std::string& path) {
  TRY_ASSIGN(const std::string text, ReadTextFile("--ticket", path));
  auto ticket = vault::Ticket::Parse(text);
  if (!ticket) return Failed("TICKET_MALFORMED", "--ticket " + path + " is no whole ticket: " + ticket.error().Message());
  if (ticket->expires_at <= base::WallMicros()) {
    return Failed("TICKET_EXPIRED", "--ticket " + path + " expired at " + vault::FormatSeconds(ticket->expires_at) +
                                        ": ask whoever sent it for a new one");
  }
  return std::move(*ticket);
}

std::string KeyOf(const vault::Ticket& ticket) { return ticket.customer + " at " + ticket.provider; }

// What the person is about to hand over, and to whom it may go: what a swapped ticket would have to say too.
std::string Told(const vault::Ticket& ticket) {
  std::string told = "This ticket is for the API key of " + KeyOf(ticket) + ", which may be sent to " + ticket.origin + " alone";
  if (!ticket.rotates.empty()) told += ", in the place of " + ticket.rotates;
  return told + ".";
}

// The key is gone again when it returns.
Outcome<vault::KeyBlob> SealTyped(const SealKeyOptions& options, const vault::Ticket& ticket) {
  TRY_ASSIGN(const vault::SecretValue key, ReadKey(options.key_file, KeyOf(ticket)));
  TRY(CheckOwner(key.View(), ticket.provider, ticket.origin));
  auto blob = vault::KeyBlob::Seal(ticket, key.View());
  if (!blob) return FailedBy(blob.error(), "--ticket " + options.ticket);
  return std::move(*blob);
}

void Report(const Context& context, const SealKeyOptions& options, const vault::Ticket& ticket, const std::string& text,
            const std::string& phrase) {
  if (context.json) {
    JsonLine line;
    line.Text("ticket", ticket.ticket_id).Text("customer", ticket.customer).Text("provider", ticket.provider);
    line.OptionalText("file", options.out).OptionalText("sealed_key", options.out.empty() ? text : "");
    return Print(line.Text("check_phrase", phrase).Str() + "\n");
  }
  const std::string file = options.out.empty() ? "these lines" : options.out;
  const std::string facts = "sealed the API key of " + KeyOf(ticket) + ": the vault alone can open it\n" +
                            base::FormatFacts({{"  check phrase", phrase},
                                               {"  1.", "mail " + file + " to whoever sent you the ticket"},
                                               {"  2.", "read the check phrase out to them by telephone: they are asked for it"}});
  if (!options.out.empty()) return Print(facts);
  Print(text);
  Tell(facts);
}

}  // namespace

Outcome<void> SealKey(const Context& context, const SealKeyOptions& options) {
  TRY_ASSIGN(const vault::Ticket ticket, ReadTicket(options.ticket));
  if (!options.out.empty()) TRY(CheckNewFile("--out", options.out));
  TRY(CheckPhraseSource(options.check));
  TRY(CheckKeySource(options.key_file));
  const auto ticket_phrase = ticket.Phrase();
  if (!ticket_phrase) return FailedBy(ticket_phrase.error(), "--ticket " + options.ticket);
  TRY(ConfirmPhrase(options.check, *ticket_phrase, "ticket", Told(ticket)));
  TRY_ASSIGN(const vault::KeyBlob blob, SealTyped(options, ticket));
  const auto phrase = blob.Phrase();
  if (!phrase) return FailedBy(phrase.error(), "the sealed key");
  const std::string text = blob.Print();
  if (!options.out.empty()) TRY(WriteNewFile("--out", options.out, text));
  Report(context, options, ticket, text, *phrase);
  return {};
}

}  // namespace strongroom::keytool
