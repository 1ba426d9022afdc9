#include "keytool/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "base/command_line.h"
#include "base/config.h"
#include "keytool/output.h"
#include "keytool/wiring.h"

namespace strongroom::keytool {
namespace {

// A key pasted onto the command line must not be repeated on the screen: of what was not expected, only the names of
// flags are shown.
Problem Unexpected(const CLI::App& app) {
  std::string flags;
  for (const std::string& argument : app.remaining(true)) {
    const std::string name = argument.substr(0, argument.find('='));
    const bool is_flag = name.size() > 2 && name.size() <= 24 && name.starts_with("--") &&
                         std::all_of(name.begin(), name.end(), [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); });
    if (is_flag) flags += " " + name;
  }
  return Usage("the command line has something that is not expected (a key is never given there)" +
               (flags.empty() ? "" : ":" + flags))
      .error();
}

int Refuse(const CLI::App& app, Problem problem, bool json) {
  if (problem.exit_code == kExitUsage && !problem.text.empty()) {
    problem.text += "; see `" + base::CommandOf(app) + " --help`";
  }
  Complain(problem, json);
  return FlushOutput() ? problem.exit_code : kExitRefused;
}

// Parse returns the exit code where there is nothing to run: help, version, or a usage error.
std::optional<int> Parse(CLI::App& app, const Choice& choice, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ExtrasError&) {
    return Refuse(app, Unexpected(app), choice.context.json);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Refuse(app, Usage(base::UnknownCommand(app, error.what())).error(), choice.context.json);
  }
}

}  // namespace

CLI::App* AddCommand(CLI::App& parent, Choice& choice, const std::string& name, const std::string& help) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_option("--home", choice.home, "the home directory (STRONGROOM_HOME, else /var/lib/strongroom)");
  command->add_flag("--json", choice.context.json, "one JSON document on standard output");
  return command;
}

int Run(int argc, const char* const* argv) {
  Choice choice;
  CLI::App app("The security admin's tool: customers' keys, profiles and rates, by asking vaultd.", "keytool");
  app.set_version_flag("--version", "keytool " STRONGROOM_VERSION);
  app.add_option("--home", choice.home, "the home directory (STRONGROOM_HOME, else /var/lib/strongroom)");
  app.add_flag("--json", choice.context.json, "one JSON document on standard output");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 refused or failed, 2 usage. A key comes from a prompt that does not show it, from\n"
             "--key-file FILE or from --key-file - (standard input); never from the command line or the environment.");
  AddKeyCommands(app, choice);
  AddIncidentCommands(app, choice);
  AddRotationCommands(app, choice);
  AddOtherCommands(app, choice);
  if (const auto code = Parse(app, choice, argc, argv)) return *code;
  choice.context.home_named = !choice.home.empty();
  choice.context.home = base::FindHome(choice.home);
  CHECK(choice.action != nullptr);
  const Outcome<void> done = choice.action(choice.context);
  if (!done) return Refuse(app, done.error(), choice.context.json);
  if (FlushOutput()) return 0;
  return Refuse(app, Failed("OUTPUT_LOST", "it was done, but not all of the output could be written").error(), false);
}

}  // namespace strongroom::keytool
