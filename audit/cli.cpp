#include "audit/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "audit/cli_export.h"
#include "audit/cli_questions.h"
#include "audit/logs.h"
#include "audit/reader.h"
#include "base/command_line.h"
#include "base/log.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

constexpr int kDone = 0;
constexpr int kBad = 1;    // does not verify; or refused, failed
constexpr int kUsage = base::kExitUsage;  // or could not check

// What the command line said.
struct Arguments : Sources {
  std::optional<std::string> since, until;
  Filter filter;
};

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void Complain(std::string_view problem) {
  std::fprintf(stderr, "auditlog: %s\n", base::Printable(problem).c_str());
}

int CouldNotCheck(const Arguments& arguments, const std::string& problem) {
  if (arguments.json) {
    std::string out = R"({"verdict":"unchecked","detail":)";
    base::AppendJsonString(out, problem);
    Print(out + "}\n");
  }
  Complain(problem);
  return kUsage;
}

std::string VerdictJson(const std::string& node, const Verdict& verdict) {
  std::string out = verdict.fault ? R"({"verdict":"tampered")" : R"({"verdict":"verified")";
  if (!node.empty()) out += R"(,"node":")" + node + '"';
  out += R"(,"records":)" + std::to_string(verdict.records) + R"(,"head":")" + verdict.head + '"';
  if (verdict.first_time) out += R"(,"first_time":")" + base::FormatTime(*verdict.first_time) + '"';
  if (verdict.last_time) out += R"(,"last_time":")" + base::FormatTime(*verdict.last_time) + '"';
  if (verdict.fault) {
    out += R"(,"first_bad_seq":)" + std::to_string(verdict.fault->seq) + R"(,"kind":")" + verdict.fault->kind;
    out += R"(","detail":)";
    base::AppendJsonString(out, verdict.fault->detail);
  }
  return out + "}\n";
}

std::string VerdictText(const std::string& node, const Verdict& verdict) {
  const std::string whose = node.empty() ? "" : "node      " + node + "\n";
  if (verdict.fault) {
    return whose + "DOES NOT VERIFY\nfirst bad seq  " + std::to_string(verdict.fault->seq) + "\nkind           " +
           verdict.fault->kind + "\ndetail         " + verdict.fault->detail + "\n";
  }
  std::string out = whose + "verified  " + std::to_string(verdict.records) + " records\n";
  if (verdict.first_time && verdict.last_time) {
    out += "from      " + base::FormatTime(*verdict.first_time) + "\nto        " + base::FormatTime(*verdict.last_time) +
           "\n";
  }
  return out + "head      " + verdict.head + "\n";
}

// One document, or one a line for each of several logs.
int RunVerify(const Arguments& arguments) {
  const auto logs = OpenLogs(arguments);
  if (!logs) return CouldNotCheck(arguments, logs.error());
  std::function<void(std::int64_t)> progress;
  if (isatty(STDERR_FILENO) == 1) {
    progress = [](std::int64_t records) { std::fprintf(stderr, "\r%lld records ", static_cast<long long>(records)); };
  }
  int code = kDone;
  for (const Log& log : *logs) {
    const auto verdict = Verify(*log.database, progress);
    if (progress) std::fputs("\r\x1b[K", stderr);
    if (!verdict) return CouldNotCheck(arguments, "cannot read the trail: " + verdict.error().Message());
    Print(arguments.json ? VerdictJson(log.node, *verdict) : VerdictText(log.node, *verdict));
    if (verdict->fault) code = kBad;
  }
  return std::fflush(stdout) == 0 ? code : kUsage;
}

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
    return kBad;
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
  if (found && *found == arguments.filter.limit) Complain("stopped at --limit: there may be more");
  return std::fflush(stdout) == 0 && found ? kDone : kBad;
}

void DescribeVerify(CLI::App& verify, Arguments& arguments) {
  verify.add_option("--db", arguments.database, "this database, or a copy of one, instead of the home's");
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
  search.add_option("--db", arguments.database, "this database, or a copy of one, instead of the home's");
}

}  // namespace

int RunAuditlog(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app("Reads and verifies the trail of a Strongroom vault.", "auditlog");
  app.set_version_flag("--version", "auditlog " STRONGROOM_VERSION);
  app.require_subcommand(1);
  auto* verify = app.add_subcommand("verify", "walk the whole trail (exit 0 verified, 1 does not verify, 2 not checked)");
  auto* search = app.add_subcommand("search", "find records; all conditions given must hold");
  const Command exporting = AddExport(app, arguments), reporting = AddReport(app, arguments);
  DescribeVerify(*verify, arguments);
  DescribeSearch(*search, arguments);
  for (auto* place : {&app, verify, search}) {  // before the subcommand and after it
    place->add_option("--home", arguments.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
    place->add_option("--node", arguments.node, "the log of this node alone, where several share the database");
    place->add_flag("--json", arguments.json, "verify: one JSON object a log; search: each record's exact bytes, one a line");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);
    return base::RefuseUsage(base::CommandOf(app), base::UnknownCommand(app, problem.what()));
  }
  if (!ReadWhen(arguments.since, arguments.filter.since) || !ReadWhen(arguments.until, arguments.filter.until)) {
    return base::RefuseUsage(base::CommandOf(app), kWhenTakes);
  }
  for (const Command& command : {exporting, reporting}) {
    if (command.app->parsed()) return command.run();
  }
  return verify->parsed() ? RunVerify(arguments) : RunSearch(arguments);
}

}  // namespace strongroom::audit
