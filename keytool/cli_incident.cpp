#include <CLI/CLI.hpp>
#include <memory>

#include "keytool/incident.h"
#include "keytool/leak.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

void AddIncident(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "incident",
                                 "how far trouble with a key reaches: profiles, customers, queues, failures, uses, cost, who touched it");
  const auto options = std::make_shared<IncidentOptions>();
  command->add_option("KEY_REF", options->key_ref, "the key")->required();
  command->add_option("--since", options->since, "from when on: a time, a date (UTC), or how long ago (24h)")->check(base::NotEmpty);
  command->add_option("--out", options->out, "also write all its uses to this new file, each with the proof that it is in the trail")
      ->check(base::NotEmpty);
  command->footer("The screen shows the last of each; --json has all. Changes nothing; that the trail was read goes on record. For admins\n"
                  "and auditors; calls, queues and cost come from the work database, which its group may read.");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return ShowIncident(context, *options); };
  });
}

void AddCompromise(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "compromise",
                                 "stop a key for good, because somebody else has it; with --since also list its uses and invite a new key");
  const auto options = std::make_shared<CompromiseOptions>();
  command->add_option("KEY_REF", options->key_ref, "the key")->required();
  command->add_option("--since", options->since, "when it may have leaked: a time, a date (UTC), or how long ago (24h); all uses from then on are listed")
      ->check(base::NotEmpty);
  command->add_option("--out", options->out, "the new file for its uses, each with the proof that it is in the trail (uses-KEY-TIME.jsonl)")
      ->check(base::NotEmpty);
  command->add_option("--ticket-out", options->ticket_out, "the new file for the ticket that asks the customer for a new key (ticket-ID.txt)")
      ->check(base::NotEmpty);
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  command->footer("The key is stopped on every node first, whatever comes after. Where a later step fails (exit code 1, as where it could not be\n"
                  "stopped), that it is stopped was said before, and what is left is printed with its command. Run again, it does what is left: a key\n"
                  "that is COMPROMISED already stays so, an open ticket is shown again.");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Compromise(context, *options); };
  });
}

}  // namespace

void AddIncidentCommands(CLI::App& app, Choice& choice) {
  AddIncident(app, choice);
  AddCompromise(app, choice);
}

}  // namespace strongroom::keytool
