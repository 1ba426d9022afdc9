#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "keytool/approvals.h"
#include "keytool/backup.h"
#include "keytool/init.h"
#include "keytool/kek.h"
#include "keytool/nodes.h"
#include "keytool/profiles.h"
#include "keytool/protectors.h"
#include "keytool/rates.h"
#include "keytool/recovery.h"
#include "keytool/vault_seal.h"
#include "keytool/status.h"
#include "keytool/usage.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

constexpr std::int64_t kMostInt = 2'147'483'647, kMostBig = 9'007'199'254'740'991;

// WrongKekVersion is what is wrong with a KEK's number, empty where nothing is; CLI11 would speak of conversions.
std::string WrongKekVersion(const std::string& text) {
  const bool number = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos && text != "0";
  return number ? "" : "is no KEK version: give its number, as `keytool kek status` shows it";
}

using PlainAction = Outcome<void> (*)(const Context&);

void AddPlain(CLI::App& parent, Choice& choice, const std::string& name, const std::string& help, PlainAction action) {
  AddCommand(parent, choice, name, help)->callback([action, &choice] { choice.action = action; });
}

CLI::App& AddGroup(CLI::App& app, Choice& choice, const std::string& name, const std::string& help) {
  CLI::App* group = AddCommand(app, choice, name, help);
  group->require_subcommand(1);
  return *group;
}

void AddRates(CLI::App& app, Choice& choice) {
  CLI::App& group = AddGroup(app, choice, "rate", "the rate card, in dollars per million tokens");
  AddPlain(group, choice, "list", "the rates in force", &ListRates);
  CLI::App* set = AddCommand(group, choice, "set", "a model's rate, from now on");
  const auto options = std::make_shared<RateOptions>();
  set->add_option("MODEL", options->model, "the model, as USAGE_LOG names it")->required();
  set->add_option("--input", options->input, "USD per million tokens in, such as 3 or 0.25")->required();
  set->add_option("--output", options->output, "USD per million tokens out")->required();
  set->add_option("--provider", options->provider, "whose model; needed where it is not on the card yet")
      ->check(CLI::IsMember({"anthropic", "openai", "ollama"}));
  set->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  set->callback([options, &choice] {
    choice.action = [options](const Context& context) { return SetRate(context, *options); };
  });
}

void AddProfileTexts(CLI::App& set, ProfileOptions& options) {
  vault::ProfileFields& fields = options.fields;
  set.add_option("--model", fields.model, "the model called where a request names none");
  set.add_option("--name", fields.profile_name, "PROFILE_NAME");
  set.add_option("--endpoint", fields.endpoint, "URL of the provider; the key must be bound to its origin");
  set.add_option("--key-ref", fields.key_ref, "the key it uses");
  set.add_option("--models-allowed", fields.models_allowed, "models a request may name, with commas between; \"\": only MODEL");
  set.add_option("--api-version", fields.api_version, "the provider's API version; \"\": the default");
  set.add_option("--notes", fields.notes, "for people");
  auto* text = set.add_option("--system-prompt", fields.system_prompt, "\"\": none");
  set.add_option("--system-prompt-file", options.system_prompt_file, "the same from a file, 4000 bytes at most")
      ->excludes(text);
  set.add_option("--customer", fields.customer, "states the owner again, with --mode, --provider, --endpoint, --key-ref, "
                                                "--rpm, --tpm and --quota, to mend a row that was changed outside vaultd");
  set.add_option("--mode", fields.mode, "see --customer")->check(CLI::IsMember({"byok", "hosted"}));
  set.add_option("--provider", fields.provider, "see --customer");
}

void AddProfileNumbers(CLI::App& set, ProfileOptions& options) {
  vault::ProfileFields& fields = options.fields;
  set.add_option("--rpm", fields.rpm, "requests a minute; 0: no limit")->check(CLI::Range(std::int64_t{0}, kMostInt));
  set.add_option("--tpm", fields.tpm, "tokens a minute; 0: no limit")->check(CLI::Range(std::int64_t{0}, kMostInt));
  set.add_option("--quota", fields.quota, "tokens a month; 0: no limit")->check(CLI::Range(std::int64_t{0}, kMostBig));
  set.add_option("--max-tokens", fields.default_max_tokens, "default limit of an answer")
      ->check(CLI::Range(std::int64_t{1}, kMostInt));
  set.add_option("--temperature", options.temperature, "0.0 to 1.0, or none: nothing is sent");
}

void AddProfileSet(CLI::App& group, Choice& choice) {
  CLI::App* set = AddCommand(group, choice, "set", "change settings; what is not named stays as it is");
  const auto options = std::make_shared<ProfileOptions>();
  set->add_option("PROFILE_REF", options->fields.profile_ref, "the profile")->required();
  AddProfileTexts(*set, *options);
  AddProfileNumbers(*set, *options);
  set->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  set->callback([options, &choice] {
    choice.action = [options](const Context& context) { return SetProfile(context, *options); };
  });
}

struct OneProfile {
  std::string profile_ref, reason;
};

void AddProfileMove(CLI::App& group, Choice& choice, const std::string& move, const std::string& help) {
  CLI::App* command = AddCommand(group, choice, move, help);
  const auto options = std::make_shared<OneProfile>();
  command->add_option("PROFILE_REF", options->profile_ref, "the profile")->required();
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  command->callback([options, move, &choice] {
    choice.action = [options, move](const Context& context) {
      return MoveProfile(context, move, options->profile_ref, options->reason);
    };
  });
}

void AddProfiles(CLI::App& app, Choice& choice) {
  CLI::App& group = AddGroup(app, choice, "profile", "what a customer's requests are called with");
  CLI::App* list = AddCommand(group, choice, "list", "the profiles");
  const auto customer = std::make_shared<std::string>(), status = std::make_shared<std::string>();
  list->add_option("--customer", *customer, "this customer's");
  list->add_option("--status", *status, "ACTIVE, SUSPENDED, OVER_QUOTA or TERMINATED")
      ->check(CLI::IsMember({"ACTIVE", "SUSPENDED", "OVER_QUOTA", "TERMINATED"}));
  list->callback([customer, status, &choice] {
    choice.action = [customer, status](const Context& context) { return ListProfiles(context, *customer, *status); };
  });
  CLI::App* show = AddCommand(group, choice, "show", "everything about one profile");
  const auto ref = std::make_shared<std::string>();
  show->add_option("PROFILE_REF", *ref, "the profile")->required();
  show->callback([ref, &choice] {
    choice.action = [ref](const Context& context) { return ShowProfile(context, *ref); };
  });
  AddProfileSet(group, choice);
  AddProfileMove(group, choice, "suspend", "answer its requests with PROFILE_NOT_FOUND for now");
  AddProfileMove(group, choice, "resume", "let a suspended profile go on");
  AddProfileMove(group, choice, "terminate", "end a profile for good");
}

// kek backup, verify, restore.
void AddKekRecovery(CLI::App& group, Choice& choice) {
  CLI::App* backup = AddCommand(group, choice, "backup", "split a new recovery key among custodians, and seal every KEK to it");
  const auto options = std::make_shared<BackupKekOptions>();
  backup->add_option("--shares", options->shares, "how many shares (5)");
  backup->add_option("--threshold", options->threshold, "how many of them open the vault (3)");
  backup->add_option("--custodian", options->custodians, "a custodian's name, for each share in turn")->expected(1, 32);
  backup->add_option("--out", options->out, "write the shares into this directory, as share-1, share-2 …, instead of showing them")->check(base::NotEmpty);
  backup->add_option("--read-back", options->read_back, "read the shares back from these files instead of the terminal")
      ->expected(1, 32);
  backup->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  backup->callback([options, &choice] {
    choice.action = [options](const Context& context) { return BackupKek(context, *options); };
  });
  const auto add = [&](const std::string& name, const std::string& help, auto act) {
    CLI::App* command = AddCommand(group, choice, name, help);
    const auto files = std::make_shared<std::vector<std::string>>();
    const auto why = std::make_shared<std::string>();
    command->add_option("SHARE", *files, "files of shares; asked for on the terminal where none is named");
    command->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
    command->callback([files, why, act, &choice] {
      choice.action = [files, why, act](const Context& context) { return act(context, *files, *why); };
    });
  };
  add("verify", "prove that shares open the vault", &VerifyShares);
  add("restore", "put the KEK files back, from shares", &RestoreKeks);
}

void AddPinFile(CLI::App& command, SecretFiles& files) {
  command.add_option("--pin-file", files.pin, "read the PKCS#11 token's PIN from FILE, or - for standard input");
}

void AddSecretFiles(CLI::App& command, SecretFiles& files) {
  command.add_option("--passphrase-file", files.passphrase,
                     "read the passphrase from FILE, or - for standard input; it is asked for otherwise, where needed");
  AddPinFile(command, files);
}

void AddProtectorCommand(CLI::App& group, Choice& choice, const std::string& name, const std::string& help,
                         Outcome<void> (*act)(const Context&, const ProtectorOptions&)) {
  CLI::App* command = AddCommand(group, choice, name, help);
  const auto options = std::make_shared<ProtectorOptions>();
  command->add_option("PROTECTOR", options->protector, "file, passphrase, credential or pkcs11")
      ->required()
      ->check(CLI::IsMember({"file", "passphrase", "credential", "pkcs11"}));
  AddSecretFiles(*command, options->files);
  command->add_option("--reason", options->reason, "why, for the trail; asked for on a terminal");
  command->callback([options, act, &choice] {
    choice.action = [options, act](const Context& context) { return act(context, *options); };
  });
}

void AddKeks(CLI::App& app, Choice& choice) {
  CLI::App& group = AddGroup(app, choice, "kek", "the keys that wrap the keys");
  AddPlain(group, choice, "status", "the KEK versions", &ShowKeks);
  CLI::App* rotate = AddCommand(group, choice, "rotate", "a new KEK, every key rewrapped under it, the old one retired; or the "
                                                         "rest of a rotation that was begun");
  const auto why = std::make_shared<std::string>();
  const auto files = std::make_shared<SecretFiles>();
  AddPinFile(*rotate, *files);
  rotate->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  rotate->callback([why, files, &choice] {
    choice.action = [why, files](const Context& context) { return RotateKek(context, *files, *why); };
  });
  AddProtectorCommand(group, choice, "add-protector", "put every KEK version under one more protector", &AddProtector);
  AddProtectorCommand(group, choice, "remove-protector",
                      "take one away again, once another one of each version has been proved to open", &RemoveProtector);
  CLI::App* destroy = AddCommand(group, choice, "destroy", "erase the files of a KEK that was retired 7 days ago or more");
  const auto version = std::make_shared<std::int64_t>(0);
  destroy->add_option("KEK_VERSION", *version, "its number")->required()->check(&WrongKekVersion);
  destroy->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  destroy->callback([version, why, &choice] {
    choice.action = [version, why](const Context& context) { return DestroyKek(context, *version, *why); };
  });
  AddKekRecovery(group, choice);
}

void AddNodeAct(CLI::App& group, Choice& choice, const std::string& name, const std::string& help,
                Outcome<void> (*act)(const Context&, const std::string&, const std::string&)) {
  CLI::App* command = AddCommand(group, choice, name, help);
  const auto node = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  command->add_option("NODE", *node, "its id, as node list shows it")->required();
  command->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  command->callback([node, why, act, &choice] {
    choice.action = [node, why, act](const Context& context) { return act(context, *node, *why); };
  });
}

void AddNodes(CLI::App& app, Choice& choice) {
  CLI::App& group = AddGroup(app, choice, "node", "the vaultds that share a vault in PostgreSQL, each with a home of its own");
  AddPlain(group, choice, "list", "the nodes, and whether they serve and have heard of the last act", &ListNodes);
  CLI::App* join = AddCommand(group, choice, "join", "make a home here that serves an existing vault too");
  const auto url = std::make_shared<std::string>();
  join->add_option("--vault-database", *url, "the vault's database (odbc:Driver=...)")->required();
  join->callback([url, &choice] {
    choice.action = [url](const Context& context) { return JoinNode(context, *url); };
  });
  AddPlain(group, choice, "phrase", "this home's check phrase, for `node confirm` at another node", &ShowNodePhrase);
  CLI::App* confirm = AddCommand(group, choice, "confirm", "let a node that has joined serve, and send it the KEKs, sealed to its key");
  const auto node = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  const auto source = std::make_shared<PhraseSource>();
  confirm->add_option("NODE", *node, "its id, as node list shows it")->required();
  CLI::Option* file = confirm->add_option("--phrase-file", source->file,
                                          "read its check phrase, as `node join` or `node phrase` shows it there, from FILE, or - for standard "
                                          "input; asked for on a terminal");
  confirm->add_option("--phrase", source->phrase, "the phrase itself; whoever lists processes meanwhile sees it")->excludes(file);
  confirm->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  confirm->callback([node, source, why, &choice] {
    choice.action = [node, source, why](const Context& context) { return ConfirmNode(context, *node, *source, *why); };
  });
  AddNodeAct(group, choice, "remove", "end a node's membership; returns once its lease has run out", &RemoveNode);
}

void AddUnseal(CLI::App& app, Choice& choice) {
  const auto why = std::make_shared<std::string>();
  CLI::App* unseal = AddCommand(app, choice, "unseal", "have vaultd open its KEKs again");
  const auto with = std::make_shared<std::string>();
  const auto files = std::make_shared<SecretFiles>();
  unseal->add_option("--with", *with, "the protector to open, where more than one could: passphrase or pkcs11")
      ->check(CLI::IsMember({"passphrase", "pkcs11"}));
  AddSecretFiles(*unseal, *files);
  unseal->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  unseal->callback([why, with, files, &choice] {
    choice.action = [why, with, files](const Context& context) { return UnsealVault(context, *with, *files, *why); };
  });
}

void AddNewOrigin(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "new-origin",
                                 "take a database as it is that is older than what was acknowledged, or whose trail is not its anchor's");
  const auto why = std::make_shared<std::string>();
  command->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  command->callback([why, &choice] {
    choice.action = [why](const Context& context) { return NewOrigin(context, *why); };
  });
}

void AddRotateSigningKey(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "rotate-signing-key",
                                 "have the trail signed by a new key; with single_user = false a second admin approves it");
  const auto why = std::make_shared<std::string>();
  command->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  command->callback([why, &choice] {
    choice.action = [why](const Context& context) { return RotateSigningKey(context, *why); };
  });
}

void AddBackup(CLI::App& app, Choice& choice) {
  CLI::App* backup = AddCommand(app, choice, "backup", "copy the databases, stops and configuration, never a KEK, into a new directory");
  const auto directory = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  backup->add_option("DIR", *directory, "not in the home, nor near the KEKs")->required()->check(base::NotEmpty);
  backup->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  backup->callback([directory, why, &choice] {
    choice.action = [directory, why](const Context& context) { return BackUp(context, *directory, *why); };
  });
  CLI::App* restore = AddCommand(app, choice, "restore", "make a home from a backup, in quarantine; with --finish end that");
  const auto options = std::make_shared<RestoreOptions>();
  restore->add_option("DIR", options->directory, "the backup")->check(base::NotEmpty);
  restore->add_flag("--finish", options->finish, "stop again what was stopped since the backup, and release keys again");
  restore->add_option("--stops", options->stops, "finish: the file 'stops' of the home that was lost");
  restore->add_option("--trail", options->trail, "finish: `auditlog export --format jsonl` of a newer copy of vault.db");
  restore->add_flag("--incomplete", options->incomplete, "finish: the file of --stops has lost lines, and nothing better survived");
  restore->add_flag("--none-survived", options->none_survived, "finish: there is neither");
  restore->add_option("--reason", options->reason, "finish: why, for the trail; asked for on a terminal");
  restore->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Restore(context, *options); };
  });
}

void AddVerdict(CLI::App& group, Choice& choice, const std::string& name, const std::string& help,
                Outcome<void> (*act)(const Context&, const std::string&, const std::string&)) {
  CLI::App* command = AddCommand(group, choice, name, help);
  const auto id = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  command->add_option("ID", *id, "the approval, as `approvals list` names it")->required();
  command->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  command->callback([id, why, act, &choice] {
    choice.action = [id, why, act](const Context& context) { return act(context, *id, *why); };
  });
}

void AddApprovals(CLI::App& app, Choice& choice) {
  CLI::App& group = AddGroup(app, choice, "approvals", "acts that need two people: destroy, resume, kek remove-protector, leaving this mode");
  AddPlain(group, choice, "list", "what was proposed, and what became of it", &ListApprovals);
  AddVerdict(group, choice, "approve", "allow what another admin has proposed; its author then does it", &ApproveAct);
  AddVerdict(group, choice, "deny", "refuse it, or take back what was approved and not yet done", &DenyAct);
  CLI::App* require = AddCommand(group, choice, "require", "demand a second person, or (needs two people) no longer");
  const auto state = std::make_shared<std::string>(), why = std::make_shared<std::string>();
  require->add_option("STATE", *state, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
  require->add_option("--reason", *why, "why, for the trail; asked for on a terminal");
  require->callback([state, why, &choice] {
    choice.action = [state, why](const Context& context) { return RequireTwoPeople(context, *state == "on", *why); };
  });
}

void AddUsage(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "usage", "what was called and what it cost");
  const auto customer = std::make_shared<std::string>();
  const auto since = std::make_shared<std::optional<std::string>>();
  command->add_option("--customer", *customer, "this customer's");
  command->add_option("--since", *since, "from this time on: a time, a date (UTC), or how long ago (2h, 30d)");
  command->callback([customer, since, &choice] {
    choice.action = [customer, since](const Context& context) { return ShowUsage(context, *customer, *since); };
  });
}

}  // namespace

void AddOtherCommands(CLI::App& app, Choice& choice) {
  CLI::App* init = AddCommand(app, choice, "init", "make a new home: configuration, first KEK, databases, trail");
  const auto url = std::make_shared<std::string>();
  init->add_option("--vault-database", *url, "an empty PostgreSQL database (odbc:Driver=...) in place of vault.db");
  const auto organization = std::make_shared<std::string>();
  init->add_option("--organization", *organization,
                   "what the names of this vault's logs begin with, in checkpoints that others keep: your domain (strongroom)");
  init->callback([url, organization, &choice] {
    choice.action = [url, organization](const Context& context) { return Init(context, *url, *organization); };
  });
  AddPlain(app, choice, "status", "how the vault is; exit 0 exactly when vaultd answers", &ShowStatus);
  AddProfiles(app, choice);
  AddRates(app, choice);
  AddKeks(app, choice);
  AddNodes(app, choice);
  AddSeal(app, choice);
  AddUnseal(app, choice);
  AddNewOrigin(app, choice);
  AddRotateSigningKey(app, choice);
  AddBackup(app, choice);
  AddApprovals(app, choice);
  AddUsage(app, choice);
}

}  // namespace strongroom::keytool
