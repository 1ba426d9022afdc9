#include <CLI/CLI.hpp>
#include <memory>

#include "keytool/accept.h"
#include "keytool/account_limit.h"
#include "keytool/keys.h"
#include "keytool/onboard.h"
#include "keytool/rotate.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

constexpr std::int64_t kMostInt = 2'147'483'647, kMostBig = 9'007'199'254'740'991;

void AddReason(CLI::App& command, std::string& reason) {
  command.add_option("--reason", reason, "why, for the trail; asked for on a terminal");
}

void AddNoVerify(CLI::App& command, bool& no_verify) {
  command.add_flag("--no-verify", no_verify, "do not ask the provider whether it takes the key");
}

void AddKeyFlags(CLI::App& command, std::string& key_file, bool& no_verify) {
  command.add_option("--key-file", key_file, "read the key from this file, or from standard input (-)")->type_name("F|-");
  AddNoVerify(command, no_verify);
}

void AddLimits(CLI::App& command, OnboardOptions& options) {
  command.add_option("--rpm", options.rpm, "requests a minute")->check(CLI::Range(std::int64_t{1}, kMostInt));
  command.add_option("--tpm", options.tpm, "tokens a minute")->check(CLI::Range(std::int64_t{1}, kMostInt));
  command.add_option("--quota", options.quota, "tokens a month")->check(CLI::Range(std::int64_t{1}, kMostBig));
  command.add_option("--max-tokens", options.max_tokens, "default limit of an answer (1024)")
      ->check(CLI::Range(std::int64_t{1}, kMostInt));
}

// AddProfile is what onboard and accept say alike about the profile that uses the key.
void AddProfile(CLI::App& command, OnboardOptions& options) {
  command.add_option("--profile", options.profile, "PROFILE_REF (CUSTOMER_DEFAULT)");
  command.add_option("--mode", options.mode, "byok: the customer's own key; hosted: the house's")
      ->check(CLI::IsMember({"byok", "hosted"}));
  command.add_option("--endpoint", options.endpoint, "URL of the provider, where it is not the public one");
  command.add_option("--label", options.label, "the key's label (default)");
  command.add_option("--api-version", options.api_version, "the provider's API version");
  command.add_option("--models-allowed", options.models_allowed, "models a request may name, with commas between");
}

void AddOnboard(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "onboard", "take a customer's key in and make its profile; on a terminal it asks for what is missing");
  const auto options = std::make_shared<OnboardOptions>();
  command->add_option("CUSTOMER", options->customer, "1 to 10 characters; HOUSE is the house itself");
  command->add_option("--provider", options->provider, "anthropic, openai or ollama")
      ->check(CLI::IsMember({"anthropic", "openai", "ollama"}));
  command->add_option("--model", options->model, "the model called where a request names none");
  AddProfile(*command, *options);
  command->add_option("--key-ref", options->key_ref, "use a key that is held already, such as HOUSE/anthropic/default/1");
  AddKeyFlags(*command, options->key_file, options->no_verify);
  AddLimits(*command, *options);
  AddReason(*command, options->reason);
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Onboard(context, *options); };
  });
}

void AddAccept(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "accept", "take a key in that a customer has sealed to a ticket (keytool invite), and make its profile");
  const auto options = std::make_shared<AcceptOptions>();
  command->add_option("BLOB", options->blob, "the file that `keytool seal --ticket` has made")->required();
  command->add_option("--model", options->onboard.model, "the model called where a request names none; for a first key");
  command->add_option("--customer", options->onboard.customer, "refuse a key that was sealed to another customer's ticket");
  AddProfile(*command, options->onboard);
  AddLimits(*command, options->onboard);
  command->add_option("--grace", options->grace, "for a ticket of invite --rotate: how long the old key goes on (30d)");
  AddNoVerify(*command, options->onboard.no_verify);
  AddPhraseFlags(*command, options->check, "sealed key");
  command->add_flag("--continue", options->go_on, "finish an accept of this file that ended with the key PENDING");
  AddReason(*command, options->onboard.reason);
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Accept(context, *options); };
  });
}

void AddRotate(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "rotate", "put a new version of a key in the place of this one");
  const auto options = std::make_shared<RotateOptions>();
  command->add_option("KEY_REF", options->key_ref, "the key: ACTIVE, or SUSPENDED, REVOKED or COMPROMISED")->required();
  command->add_option("--grace", options->grace, "how long the old one goes on (30d)");
  AddKeyFlags(*command, options->key_file, options->no_verify);
  AddReason(*command, options->reason);
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return Rotate(context, *options); };
  });
}

struct OneKey {
  std::string key_ref, reason;
};

void AddMove(CLI::App& app, Choice& choice, const std::string& move, const std::string& help) {
  CLI::App* command = AddCommand(app, choice, move, help);
  const auto options = std::make_shared<OneKey>();
  command->add_option("KEY_REF", options->key_ref, "the key")->required();
  AddReason(*command, options->reason);
  command->callback([options, move, &choice] {
    choice.action = [options, move](const Context& context) {
      return MoveKey(context, move, options->key_ref, options->reason);
    };
  });
}

using KeyAction = Outcome<void> (*)(const Context&, const std::string&);

void AddLook(CLI::App& app, Choice& choice, const std::string& name, const std::string& help, KeyAction action) {
  CLI::App* command = AddCommand(app, choice, name, help);
  const auto key_ref = std::make_shared<std::string>();
  command->add_option("KEY_REF", *key_ref, "the key")->required();
  command->callback([key_ref, action, &choice] {
    choice.action = [key_ref, action](const Context& context) { return action(context, *key_ref); };
  });
}

void AddLimit(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "limit", "what the account of a house key takes a minute, to be shared out; without a number: show it");
  const auto options = std::make_shared<LimitOptions>();
  command->add_option("KEY_REF", options->key_ref, "a hosted key of HOUSE")->required();
  command->add_option("--rpm", options->rpm, "requests a minute; 0: no limit")->check(CLI::Range(std::int64_t{0}, kMostInt));
  command->add_option("--tpm", options->tpm, "tokens a minute; 0: no limit")->check(CLI::Range(std::int64_t{0}, kMostInt));
  AddReason(*command, options->reason);
  command->footer("Under a limit each profile that uses the key needs a share (--rpm and --tpm of onboard and profile set), and the shares never\n"
                  "add up to more. A rotation carries the limit over.");
  command->callback([options, &choice] {
    choice.action = [options](const Context& context) { return LimitKey(context, *options); };
  });
}

void AddList(CLI::App& app, Choice& choice) {
  CLI::App* command = AddCommand(app, choice, "list", "the keys that are held");
  const auto customer = std::make_shared<std::string>(), status = std::make_shared<std::string>();
  command->add_option("--customer", *customer, "this customer's");
  command->add_option("--status", *status, "in this state, such as ACTIVE");
  command->callback([customer, status, &choice] {
    choice.action = [customer, status](const Context& context) { return ListKeys(context, *customer, *status); };
  });
}

}  // namespace

void AddKeyCommands(CLI::App& app, Choice& choice) {
  AddOnboard(app, choice);
  AddInvite(app, choice);
  AddAccept(app, choice);
  AddRotate(app, choice);
  AddMove(app, choice, "revoke", "stop a key for good");
  AddMove(app, choice, "suspend", "stop a key for now");
  AddMove(app, choice, "resume", "let a suspended key go on");
  AddMove(app, choice, "destroy", "erase what opens a key that was revoked 7 days ago or more, or is compromised");
  AddLimit(app, choice);
  AddList(app, choice);
  AddLook(app, choice, "show", "everything about one key but the key", &ShowKey);
  AddLook(app, choice, "test", "ask the provider whether it takes the key", &TestKey);
}

}  // namespace strongroom::keytool
