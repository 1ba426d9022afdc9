#include <CLI/CLI.hpp>
#include <memory>

#include "keytool/rollback.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

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

}  // namespace

void AddRotationCommands(CLI::App& app, Choice& choice) {
  AddRollBack(app, choice);
}

}  // namespace strongroom::keytool
