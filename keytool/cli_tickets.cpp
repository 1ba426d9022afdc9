#include <CLI/CLI.hpp>
#include <memory>

#include "keytool/invite.h"
#include "keytool/seal_key.h"
#include "keytool/vault_seal.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

void AddReason(CLI::App& command, std::string& reason) {
  command.add_option("--reason", reason, "why, for the trail; asked for on a terminal");
}

void AddList(CLI::App& group, Choice& choice) {
  CLI::App* command = AddCommand(group, choice, "list", "the tickets, and what became of them");
  const auto customer = std::make_shared<std::string>(), status = std::make_shared<std::string>();
  command->add_option("--customer", *customer, "this customer's");
  command->add_option("--status", *status, "OPEN, USED, CANCELLED or EXPIRED");
  command->callback([customer, status, &choice] {
    choice.action = [customer, status](const Context& context) { return ListTickets(context, *customer, *status); };
  });
}

void AddResend(CLI::App& group, Choice& choice) {
  CLI::App* command = AddCommand(group, choice, "resend", "print an open ticket and its check phrase once more");
  const auto ticket = std::make_shared<std::string>(), out = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  command->add_option("TICKET", *ticket, "its id, as invite list shows it")->required();
  command->add_option("--out", *out, "write the ticket to this new file");
  AddReason(*command, *why);
  command->callback([ticket, out, why, &choice] {
    choice.action = [ticket, out, why](const Context& context) { return Resend(context, *ticket, *out, *why); };
  });
}

void AddCancel(CLI::App& group, Choice& choice) {
  CLI::App* command = AddCommand(group, choice, "cancel", "end an open ticket: what is sealed to it opens no more");
  const auto ticket = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  command->add_option("TICKET", *ticket, "its id, as invite list shows it")->required();
  AddReason(*command, *why);
  command->callback([ticket, why, &choice] {
    choice.action = [ticket, why](const Context& context) { return CancelTicket(context, *ticket, *why); };
  });
}

}  // namespace

void AddPhraseFlags(CLI::App& command, PhraseCheck& check, const std::string& of) {
  command.add_option("--phrase", check.phrase, "the " + of + "'s check phrase, six words; asked for on a terminal");
  command.add_flag("--yes", check.yes, "do not ask for the check phrase: whoever could swap the file on its way is not noticed");
}

void AddInvite(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "invite", "make a ticket that a customer seals a key to, so that nobody but the vault sees it");
  const auto options = std::make_shared<InviteOptions>();
  command->add_option("CUSTOMER", options->customer, "1 to 10 characters; HOUSE is the house itself");
  command->add_option("--provider", options->provider, "anthropic or openai")->check(CLI::IsMember({"anthropic", "openai"}));
  command->add_option("--endpoint", options->endpoint, "URL of the provider, where it is not the public one");
  command->add_option("--rotate", options->rotate, "KEY_REF: the key is to be a new version of this one");
  command->add_option("--from", options->from, "many: a file of lines customer,provider[,endpoint] under that heading; with --out DIR");
  command->add_option("--out", options->out, "write the ticket to this new file; with --from, a directory for the tickets");
  AddReason(*command, options->reason);
  AddList(*command, choice);
  AddResend(*command, choice);
  AddCancel(*command, choice);
  command->require_subcommand(0, 1);
  command->callback([options, command, &choice] {
    if (!command->get_subcommands().empty()) return;
    choice.action = [options](const Context& context) { return Invite(context, *options); };
  });
}

// One word for both: a customer seals a key, and an admin the vault.
void AddSeal(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "seal",
                                 "with --ticket F, seal an API key so that the vault alone can open it (for customers: no vault, home or network is needed); "
                                 "without, have vaultd give up its KEKs: no key leaves until unseal");
  const auto options = std::make_shared<SealKeyOptions>();
  const auto why = std::make_shared<std::string>();
  CLI::Option* ticket = command->add_option("--ticket", options->ticket, "the ticket that came by mail");
  command->add_option("--key-file", options->key_file, "read the key from this file, or from standard input (-)")->type_name("F|-")->needs(ticket);
  command->add_option("--out", options->out, "write the sealed key to this new file")->needs(ticket);
  AddPhraseFlags(*command, options->check, "ticket");
  for (const char* flag : {"--phrase", "--yes"}) command->get_option(flag)->needs(ticket);
  command->add_option("--reason", *why, "without --ticket: why, for the trail; asked for on a terminal")->excludes(ticket);
  command->callback([options, why, ticket, &choice] {
    // Given and empty, as a script may have it, it is not the vault's seal that was meant.
    const bool key = ticket->count() > 0;
    choice.action = [options, why, key](const Context& context) { return key ? SealKey(context, *options) : SealVault(context, *why); };
  });
}

}  // namespace strongroom::keytool
