#include <CLI/CLI.hpp>
#include <memory>

#include "keytool/backup.h"
#include "keytool/due.h"
#include "keytool/offboard.h"
#include "keytool/recover.h"
#include "keytool/rollback.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

constexpr std::int64_t kMostDays = 36'500;

void AddRollBack(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "rollback", "bring the key before a rotation back, while its grace lasts; the newer one is SUSPENDED");
  const auto options = std::make_shared<RollBackOptions>();
  command->add_option("KEY_REF", options->key_ref, "the key to bring back (ROTATED), or the one that took its place")->required();
  command->add_flag("--no-verify", options->no_verify, "do not ask the provider whether it still takes the old key");
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return RollBack(context, *options); };
  });
}

void AddDue(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "due", "what to look after among the keys, and the command for each");
  const auto options = std::make_shared<DueOptions>();
  command->add_option("--customer", options->customer, "this customer's");
  command->add_option("--unused-days", options->unused_days, "keys that were not used for so long (90)")->check(CLI::Range(std::int64_t{1}, kMostDays));
  command->add_option("--ahead-days", options->ahead_days, "graces that end within so long (7)")->check(CLI::Range(std::int64_t{0}, kMostDays));
  command->add_flag("--probe", options->probe, "ask the providers whether they still take the keys that were rotated");
  command->footer("How old a key may grow is [rotation] in strongroom.toml: days = 365, and [rotation.customers] ACME = 90.\n"
                  "Exit code 0 where it could look, whether or not anything is due.");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return ShowDue(context, *options); };
  });
}

void AddOffboard(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "offboard", "a customer leaves: profiles TERMINATED, keys REVOKED, and the final statement");
  const auto options = std::make_shared<OffboardOptions>();
  command->add_option("CUSTOMER", options->customer, "whose keys and profiles are stopped, for good")->required();
  command->add_flag("--yes", options->yes, "do not ask first; for scripts");
  command->add_flag("--csv", options->csv, "the statement as CSV on standard output, all else on standard error");
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  command->footer("Seven days later 'keytool due' lists the keys with the command that destroys each. Run again, it goes on where\n"
                  "it was, and prints the statement again.");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Offboard(context, *options); };
  });
}

void AddRecover(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "recover", "the way back from a key that was stopped, step by step: a new key, its profiles, what failed sent again, a report");
  const auto options = std::make_shared<RecoverOptions>();
  const auto list = std::make_shared<bool>(false), lost = std::make_shared<bool>(false);
  command->add_option("CUSTOMER|KEY_REF", options->target, "whose keys, or which: those that are stopped and that a profile uses");
  command->add_option("--provider", options->provider, "all customers' keys at this provider")->check(CLI::IsMember({"anthropic", "openai"}));
  CLI::Option* file = command->add_option("--key-file", options->key_file, "read the new key from this file, or from standard input (-); asked for on a terminal");
  command->add_option("--tickets", options->tickets, "make a ticket in this directory: the customer seals the new key, and nobody sees it")->excludes(file)->type_name("DIR");
  command->add_flag("--no-verify", options->no_verify, "do not ask the provider whether it takes the new key");
  command->add_flag("--resume-profiles", options->resume_profiles, "resume its profiles that are SUSPENDED; asked for on a terminal");
  command->add_flag("--replay", options->replay, "send the batches' rows again that ended in PROVIDER_AUTH; asked for on a terminal");
  command->add_option("--report", options->report, "write the report for the customer to this file; one of earlier reports is gone on with");
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  CLI::Option* shown = command->add_flag("--list", *list, "show the recoveries that were begun, and how far each is");
  command->add_flag("--all-lost-kek", *lost, "list who must supply a new key, where the KEK is lost for good")->excludes(shown);
  command->footer("Run again, by any admin, it goes on where it was. Exit code 1 and RECOVERY_WAITS: something is missing yet, and it says what.");
  command->callback([options, list, lost, &choice] {
    if (*lost) choice.action = &ListLost;
    else if (*list) choice.action = &ListRecoveries;
    else choice.action = [options](const Context& context) { return Recover(context, *options); };
  });
}

}  // namespace

void AddRotationCommands(CLI::App& app, Choice& choice) {
  AddRollBack(app, choice);
  AddDue(app, choice);
  AddOffboard(app, choice);
  AddRecover(app, choice);
}

}  // namespace strongroom::keytool
