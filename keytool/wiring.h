// Wiring: each subcommand's flags, and which function it runs.
#pragma once

#include <functional>
#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace CLI {
class App;
}

namespace strongroom::keytool {

using Action = std::function<Outcome<void>(const Context&)>;

// Choice is the one command that the parsed line names. Parsing only chooses; it runs nothing, so that no exception of
// the parser's can come out of a command.
struct Choice {
  Context context;
  std::string home;
  Action action;
};

// AddCommand is a subcommand with --home and --json after it as well as before.
CLI::App* AddCommand(CLI::App& parent, Choice& choice, const std::string& name, const std::string& help);

struct PhraseCheck;
// AddPhraseFlags is --phrase and --yes, of a "ticket" or a "sealed key".
void AddPhraseFlags(CLI::App& command, PhraseCheck& check, const std::string& of);

// invite with its subcommands, and seal, in both senses.
void AddInvite(CLI::App& app, Choice& choice);
void AddSeal(CLI::App& app, Choice& choice);
// onboard, invite, accept, rotate, revoke, suspend, resume, destroy, list, show, test.
void AddKeyCommands(CLI::App& app, Choice& choice);
// rollback, due, offboard, recover.
void AddRotationCommands(CLI::App& app, Choice& choice);
// incident, compromise.
void AddIncidentCommands(CLI::App& app, Choice& choice);
// init, status, rate, profile, kek, node, seal, unseal, approvals, backup, restore, usage.
void AddOtherCommands(CLI::App& app, Choice& choice);

}  // namespace strongroom::keytool
