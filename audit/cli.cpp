#include "audit/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "audit/cli_arguments.h"
#include "audit/cli_export.h"
#include "audit/cli_questions.h"
#include "base/command_line.h"
#include "base/printable.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

// Why shows a refusal's name and what the caller gave for asking: "KEY_REVOKED: attempt 1 profile ACME_DEFAULT".
std::string Why(const Draft& draft) {
  if (!draft.reason) return draft.purpose.value_or("");
  return draft.purpose ? *draft.reason + ": " + *draft.purpose : *draft.reason;
}

// Where there are several logs, a record's number is that of its own: the log's id ends in its node.
base::Row Cells(const Entry& entry, bool several) {
  const Draft& draft = entry.draft;
  const std::string& log = entry.place.log;
  return {base::FormatTime(entry.place.time),
          (several ? log.substr(log.rfind('/') + 1) + "/" : "") + std::to_string(entry.place.seq),
          draft.actor.name,
          draft.action,
          std::string(OutcomeName(draft.outcome)),
          draft.key_ref.value_or(draft.customer.value_or("")),
          Why(draft)};
}

int RunSearch(const Arguments& arguments) {
  const auto logs = OpenLogs(arguments);
  if (!logs) {
    Complain(logs.error());
    return kExitBad;
  }
  std::vector<base::Row> rows;
  const auto found = SearchAll(*logs, arguments.filter, [&](const Entry& entry) {
    if (arguments.json) return Print(entry.bytes + '\n');
    rows.push_back(Cells(entry, logs->size() > 1));
  });
  if (!arguments.json) {
    Print(base::FormatTable(
        {{"TIME"}, {"SEQ"}, {"ACTOR"}, {"ACTION"}, {"OUTCOME"}, {"KEY OR CUSTOMER"}, {"WHY"}}, rows));
  }
  if (!found) Complain("the search stopped: " + found.error().Message());
  TellPruned(*logs, arguments.filter.since);
  if (found && *found == arguments.filter.limit) Complain("stopped at --limit: there may be more");
  return Flushed() && found ? kExitDone : kExitBad;
}

constexpr const char* kDatabaseHelp = "this database, or a copy of one, instead of the home's";

void DescribeVerify(CLI::App& verify, Arguments& arguments) {
  auto* database = verify.add_option("--db", arguments.database, kDatabaseHelp);
  verify.add_option("--bundle", arguments.bundle, "what was exported into this directory (checkpoint, tile/), instead of a database")->excludes(database);
  verify.add_option("--vkey", arguments.vkey, "the log's verifier key as it was noted, or a file with it; else the database's or bundle's own");
  auto* witness = verify.add_option("--witness", arguments.witnesses, "verifier key of a witness (cosignature/v1), or a file with it; repeat")
                      ->allow_extra_args(false);
  verify.add_option("--quorum", arguments.quorum, "so many of the witnesses must have signed a checkpoint, at least 1 (all)")
      ->needs(witness)
      ->check(CLI::Range(std::size_t{1}, kMostSignatures));
  auto* proof = verify.add_option("--proof", arguments.proof, "a proof that `prove inclusion` printed, instead of a trail; with --record and --vkey");
  auto* record = verify.add_option("--record", arguments.record, "the record that it is of, as `search --json` prints it");
  proof->needs(record)->excludes(database);
  record->needs(proof);
  verify.add_option("--uses", arguments.uses, "a list of a key's uses that `keytool compromise` or `keytool incident` wrote, instead of a trail; with --vkey")
      ->excludes(database)
      ->excludes(verify.get_option("--bundle"))
      ->excludes(proof);
  verify.add_option("checkpoints", arguments.checkpoints, "checkpoints that were kept elsewhere: files, or lines of vaultd's log; - is standard input");
}

void DescribeProve(CLI::App& prove, Arguments& arguments) {
  prove.require_subcommand(1);
  auto* inclusion = prove.add_subcommand("inclusion", "print a proof that a record is in the trail (c2sp.org/tlog-proof@v1)");
  AddCount(*inclusion, "SEQ", "the record's number", [&](std::int64_t count) { arguments.seq = count; })->required();
  auto* consistency = prove.add_subcommand("consistency", "print what a witness is sent (c2sp.org/tlog-witness, add-checkpoint)");
  AddCount(*consistency, "OLD", "how many records the witness has seen", [&](std::int64_t count) { arguments.old_size = count; })->required();
  AddCount(*consistency, "NEW", "how many it is to see: the checkpoint's", [&](std::int64_t count) { arguments.new_size = count; });
  for (auto* command : {inclusion, consistency}) {
    command->add_option("--checkpoint", arguments.checkpoint, "against this one instead of the home's newest");
    command->add_option("--vkey", arguments.vkey, "the key that must have signed it, as it was noted, or a file with it; else the database's own");
    command->add_option("--db", arguments.database, kDatabaseHelp);
    command->add_option("--home", arguments.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
    command->add_option("--node", arguments.node, "the log of this node alone, where several share the database");
    command->add_flag("--json", arguments.json, "one JSON object: the place, and the text as `proof` or `request`");
  }
}

void DescribeSearch(CLI::App& search, Arguments& arguments) {
  Filter& filter = arguments.filter;
  search.add_option("--key-ref", filter.key_ref, "records about this key");
  search.add_option("--customer", filter.customer, "records about this customer");
  search.add_option("--actor", filter.actor, "acts of this account");
  search.add_option("--action", filter.action, "acts of this kind, such as resolve, add_key or move_key");
  search.add_option("--outcome", filter.outcome, "ok, denied or error")->check(CLI::IsMember({"ok", "denied", "error"}));
  search.add_option("--request-id", filter.request_id, "records about this request");
  search.add_option("--since", arguments.since, "from this time on: a time, a date (UTC), or how long ago (2h, 30d)");
  search.add_option("--until", arguments.until, "up to this time");
  search.add_option("--limit", filter.limit, "at most so many, oldest first (1000)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  search.add_option("--db", arguments.database, kDatabaseHelp);
}

// WordsOf is the command line as it goes on record: without the path of the home, which says nothing of what was asked.
std::string WordsOf(int argc, const char* const* argv) {
  constexpr std::size_t kMost = 1000;
  std::string words;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--home" && ++i < argc) continue;
    if (word.starts_with("--home=")) continue;
    words += (words.empty() ? "" : " ") + base::Printable(word);
  }
  if (words.size() <= kMost) return words;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0U) == 0x80U) --end;  // not within a character
  return words.substr(0, end);
}

}  // namespace

int RunAuditlog(int argc, const char* const* argv, Live* live) {
  Arguments arguments;
  CLI::App app("Reads and verifies the trail of a Strongroom vault.", "auditlog");
  app.set_version_flag("--version", "auditlog " STRONGROOM_VERSION);
  app.require_subcommand(1);
  auto* verify = app.add_subcommand("verify", "check the whole trail, and say what was pruned (exit 0 verified, 1 does not verify, 2 not checked, "
                                              "3 verified, but nothing signed vouches for the end)");
  auto* search = app.add_subcommand("search", "find records; all conditions given must hold");
  auto* prove = app.add_subcommand("prove", "prove a record, or that the trail has only grown, to whoever has a checkpoint");
  auto* vkey = app.add_subcommand("vkey", "print the log's verifier key, to be noted elsewhere");
  auto* checkpoint = app.add_subcommand("checkpoint", "have vaultd sign the trail's newest head, and print it: keep it off this host");
  const Command exporting = AddExport(app, arguments), reporting = AddReport(app, arguments);
  DescribeVerify(*verify, arguments);
  DescribeSearch(*search, arguments);
  DescribeProve(*prove, arguments);
  vkey->add_option("--db", arguments.database, kDatabaseHelp);
  const std::initializer_list<std::pair<CLI::App*, const char*>> places = {  // before the subcommand and after it
      {&app, "for programs; `COMMAND --help` says what"},
      {verify, "one JSON object, one a line for each of several logs"},
      {search, "each record's exact bytes, one a line"},
      {prove, "one JSON object: the place, and the text as `proof` or `request`"},
      {vkey, "one JSON object a log: origin, vkey, and the keys before it as `former`"},
      {checkpoint, "one JSON object: origin, size, root, and the note"}};
  for (const auto& [place, json] : places) {
    place->add_option("--home", arguments.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
    place->add_option("--node", arguments.node, "the log of this node alone, where several share the database");
    place->add_flag("--json", arguments.json, json);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);
    return base::RefuseUsage(base::CommandOf(app), base::UnknownCommand(app, problem.what()));
  }
  if (const std::string wrong = ReadSpan(arguments.since, arguments.until, arguments.filter.since, arguments.filter.until); !wrong.empty()) {
    return base::RefuseUsage(base::CommandOf(app), wrong);
  }
  const bool reads = search->parsed() || exporting.app->parsed() || reporting.app->parsed();
  if (reads && !Recorded(arguments, live, WordsOf(argc, argv))) return kExitBad;
  for (const Command& command : {exporting, reporting}) {
    if (command.app->parsed()) return command.run();
  }
  if (verify->parsed()) return RunVerify(arguments);
  if (checkpoint->parsed()) return RunCheckpoint(arguments, live);
  if (vkey->parsed()) return RunVkey(arguments);
  if (prove->parsed()) return prove->got_subcommand("inclusion") ? RunProveInclusion(arguments) : RunProveConsistency(arguments);
  return RunSearch(arguments);
}

}  // namespace strongroom::audit
