#include "audit/cli_export.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "audit/anchor.h"
#include "audit/cli_arguments.h"
#include "audit/export.h"
#include "audit/ocsf.h"
#include "audit/syslog.h"
#include "audit/tiles.h"
#include "base/command_line.h"
#include "base/config.h"

namespace strongroom::audit {
namespace {

// What the command line said.
struct Wanted {
  Sources* sources = nullptr;
  std::string format, out, checkpoint;
  std::optional<std::string> since_text, until_text;
  std::optional<base::Micros> since, until;
  std::optional<std::int64_t> from, to;
};

int Refuse(const std::string& problem) {
  Complain(problem);
  return kExitBad;
}

std::unexpected<std::string> CannotExport(const Wanted& wanted, const Error& error) {
  const std::string where = wanted.out.empty() ? "standard output" : wanted.out;
  return std::unexpected("nothing was exported to " + where + ": " + WhyNot(error));
}

OrProblem<void> ExportToFile(const Wanted& wanted, const std::vector<Log>& logs) {
  const bool records = wanted.format == "jsonl";
  if (records && logs.size() > 1) {
    return std::unexpected("there are " + std::to_string(logs.size()) + " logs, each of its own records: name one with --node");
  }
  const auto hosts = ReadHosts(*logs.front().database);
  if (!hosts) return std::unexpected("cannot read the nodes: " + hosts.error().Message());
  auto out = OutFile::Open(wanted.out);
  if (!out) return CannotExport(wanted, out.error());
  const LineOf line = wanted.format == "ocsf" ? LineOf(OcsfEvent)
                                              : [&hosts](const Entry& entry) { return SyslogMessage(entry, *hosts); };
  const auto done = records ? ExportRecords(*logs.front().database, wanted.from.value_or(0), wanted.to, *out)
                            : ExportEvents(logs, wanted.since, wanted.until, line, *out);
  if (!done) return CannotExport(wanted, done.error());
  return {};
}

// FindLog is the log that a checkpoint is of: a home has the anchor of its own alone.
OrProblem<sql::Database*> FindLog(const std::vector<Log>& logs, const Head& head) {
  for (const Log& log : logs) {
    const auto holds = HoldsHead(*log.database, head);
    if (!holds) return std::unexpected("cannot read the trail: " + holds.error().Message());
    if (*holds) return log.database.get();
  }
  return std::unexpected("the checkpoint is of no log here: the trail is shorter or another one, run auditlog verify; or the "
                         "log is that of another node, whose home has its anchor (--home, --node, or --checkpoint FILE)");
}

OrProblem<Tiled> ReadCheckpoint(const std::string& path, sql::Database& database) {
  auto note = Anchor::Read(path);
  if (!note) return std::unexpected("no checkpoint in " + path + ": " + WhyNot(note.error()));
  const auto key = PublicKeyOf(database);
  if (!key) return std::unexpected("cannot read the vault's public key: " + key.error().Message());
  if (key->empty()) return std::unexpected("the database holds no vault, and so no public key");
  auto tiled = CheckTiled(std::move(*note), *key);
  if (!tiled) return std::unexpected(path + ": " + tiled.error().Message());
  return std::move(*tiled);
}

OrProblem<void> ExportToDirectory(const Wanted& wanted, const std::vector<Log>& logs) {
  const std::string anchor = wanted.checkpoint.empty() ? base::FindHome(wanted.sources->home) + "/anchor" : wanted.checkpoint;
  const auto tiled = ReadCheckpoint(anchor, *logs.front().database);
  if (!tiled) return std::unexpected(tiled.error());
  const auto database = FindLog(logs, tiled->checkpoint.head);
  if (!database) return std::unexpected(database.error());
  auto out = OutDirectory::Open(wanted.out);
  if (!out) return CannotExport(wanted, out.error());
  auto done = ExportTiles(**database, *tiled, wanted.format == "bundle", *out);
  if (done) done = out->Finish();
  if (!done) return CannotExport(wanted, done.error());
  return {};
}

// Misuse is what the options do not allow together, "" where nothing.
std::string Misuse(Wanted& wanted) {
  const bool directory = wanted.format == "tiles" || wanted.format == "bundle";
  const bool records = wanted.format == "jsonl";
  if (directory && wanted.out.empty()) return "--format " + wanted.format + " needs --out DIR";
  if (!directory && !wanted.checkpoint.empty()) return "--checkpoint is for tiles and bundle";
  if (wanted.from && wanted.to && *wanted.from > *wanted.to) return "--from is behind --to";
  if (!records && (wanted.from || wanted.to)) return "--from and --to are for jsonl";
  if ((directory || records) && (wanted.since_text || wanted.until_text)) return "--since and --until are for ocsf and rfc5424";
  return ReadSpan(wanted.since_text, wanted.until_text, wanted.since, wanted.until);
}

int Run(CLI::App& app, Wanted& wanted) {
  if (const std::string problem = Misuse(wanted); !problem.empty()) {
    return base::RefuseUsage("auditlog " + app.get_name(), problem);
  }
  StopOnSignals();
  const auto logs = OpenLogs(*wanted.sources);
  if (!logs) return Refuse(logs.error());
  const bool directory = wanted.format == "tiles" || wanted.format == "bundle";
  const auto done = directory ? ExportToDirectory(wanted, *logs) : ExportToFile(wanted, *logs);
  if (done) TellPruned(*logs, wanted.since);
  return done ? kExitDone : Refuse(done.error());
}

}  // namespace

CLI::Option* AddCount(CLI::App& app, const std::string& name, const std::string& help, const std::function<void(std::int64_t)>& take) {
  return app.add_option_function<std::string>(
      name,
      [name, take](const std::string& text) {
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        const bool whole = error == std::errc() && end == text.data() + text.size() && count >= 0 && count <= kMostInteger;
        if (!whole) throw CLI::ValidationError(name, "takes a decimal number from 0 to " + std::to_string(kMostInteger));
        take(count);
      },
      help);
}

Command AddExport(CLI::App& app, Sources& sources) {
  const auto wanted = std::make_shared<Wanted>();
  wanted->sources = &sources;
  CLI::App* add = app.add_subcommand("export", "write the trail for others, but for what was pruned: as it is, as a C2SP log to verify, or for a SIEM "
                                             "(exit 0 written, 1 nothing written, 2 makes no sense)");
  add->add_option("--format", wanted->format,
                  "jsonl: each record's exact bytes, one a line; tiles: a C2SP tlog-tiles directory with the newest checkpoint; "
                  "bundle: tiles, records and verifier key, all that verifying offline takes; ocsf: an OCSF event a line; "
                  "rfc5424: a syslog message a line")
      ->required()
      ->check(CLI::IsMember({"jsonl", "tiles", "bundle", "ocsf", "rfc5424"}));
  add->add_option("--out", wanted->out, "this file, or for tiles and bundle this directory, new or empty (standard output)");
  AddCount(*add, "--from", "jsonl: from this seq on (0)", [wanted](std::int64_t seq) { wanted->from = seq; });
  AddCount(*add, "--to", "jsonl: up to this seq, included (the newest)", [wanted](std::int64_t seq) { wanted->to = seq; });
  add->add_option("--since", wanted->since_text, "ocsf, rfc5424: from this time on: a time, a date (UTC), or how long ago (2h, 30d)");
  add->add_option("--until", wanted->until_text, "ocsf, rfc5424: up to this time");
  add->add_option("--checkpoint", wanted->checkpoint, "tiles, bundle: the checkpoint in this file instead of the home's anchor");
  add->add_option("--db", sources.database, "this database, or a copy of one, instead of the home's");
  add->add_option("--home", sources.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
  add->add_option("--node", sources.node, "the log of this node alone, where several share the database");
  return {add, [add, wanted] { return Run(*add, *wanted); }};
}

}  // namespace strongroom::audit
