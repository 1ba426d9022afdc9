#include "audit/cli_questions.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <memory>

#include "audit/cli_arguments.h"
#include "audit/key_list.h"
#include "audit/questions.h"
#include "audit/request_story.h"
#include "audit/review.h"
#include "base/command_line.h"
#include "base/config.h"

namespace strongroom::audit {
namespace {

// What the command line said.
struct Asked {
  Sources* sources = nullptr;
  std::string name, subject, seed, gap_text = "10m", work;
  std::optional<std::string> since_text, until_text, customer;
  std::optional<std::int64_t> days, sample;
  std::int64_t rotation_days = 365;
  base::Micros gap = 0;
  Stretch stretch;
  bool csv = false;
};

// Kind is a report there is.
struct Kind {
  std::string_view name;
  std::string_view subject;  // what must be named; empty: nothing
};
constexpr auto kKinds = std::to_array<Kind>({{"", ""},
                                             {"uses", "KEY_REF"},
                                             {"denied", ""},
                                             {"admin", "ACTOR"},
                                             {"unused", ""},
                                             {"outside-worker", ""},
                                             {"request", "REQUEST_ID"},
                                             {"key", "KEY_REF"},
                                             {"gaps", ""}});

int Refuse(const std::string& problem) {
  Complain(problem);
  return kExitBad;
}

// OpenWork opens the work database, read-only; where it cannot, the trail's part can still be told.
OrProblem<std::unique_ptr<sql::Database>> OpenWork(const Asked& asked) {
  std::string url = asked.work;
  if (url.empty()) {
    const auto config = base::LoadConfig(base::FindHome(asked.sources->home));
    if (!config) return std::unexpected(config.error().text);
    url = config->database;
  } else if (!url.starts_with("sqlite:") && !url.starts_with("odbc:")) {
    url = "sqlite:" + url;
  }
  sql::OpenOptions options;
  options.access = sql::Access::kReadOnly;
  auto work = sql::Open(url, options);
  if (!work) return std::unexpected("the work database cannot be opened: " + work.error().Message());
  const auto schema = sql::CheckSchema(**work, sql::Schema::kWork);
  if (!schema) return std::unexpected("this is no work database: " + schema.error().Message());
  return std::move(*work);
}

Result<Answers> MakeReview(const std::vector<Log>& logs, const Asked& asked) {
  const auto config = base::LoadConfig(base::FindHome(asked.sources->home));
  ReviewOptions options{asked.stretch, asked.rotation_days, base::WallMicros(), config ? &*config : nullptr, ""};
  if (!config) options.config_problem = config.error().text;
  return Review(logs, options);
}

Result<Section> Answer(const std::vector<Log>& logs, const Asked& asked) {
  if (asked.name == "uses") return Uses(logs, asked.subject, asked.stretch);
  if (asked.name == "denied") return Denied(logs, asked.stretch);
  if (asked.name == "admin") return AdminActs(logs, asked.subject, asked.stretch);
  if (asked.name == "unused") return Unused(logs, *asked.days, base::WallMicros());
  if (asked.name == "outside-worker") return OutsideWorker(logs, asked.stretch);
  if (asked.name == "key") return KeyHistory(logs, asked.subject, asked.stretch);
  if (asked.name == "gaps") return Gaps(logs, asked.stretch, asked.gap);
  const auto work = OpenWork(asked);
  return RequestStory(logs, work ? work->get() : nullptr, work ? "" : work.error(), asked.subject, asked.customer, asked.stretch);
}

Result<Answers> MakeReport(const std::vector<Log>& logs, const Asked& asked) {
  if (asked.name.empty()) return MakeReview(logs, asked);
  TRY_ASSIGN(Section section, Answer(logs, asked));
  Answers report{asked.name, {}};
  report.sections.push_back(std::move(section));
  return report;
}

// Misuse is what the options do not allow together, "" where nothing.
std::string Misuse(Asked& asked) {
  const auto kind = std::ranges::find(kKinds, asked.name, &Kind::name);
  if (kind == kKinds.end()) return "there is no report " + asked.name;
  if (!kind->subject.empty() && asked.subject.empty()) return "report " + asked.name + " needs " + std::string(kind->subject == "ACTOR" ? "an " : "a ") + std::string(kind->subject);
  if (kind->subject.empty() && !asked.subject.empty()) return "report " + asked.name + " is about all: leave out " + asked.subject;
  if ((asked.name == "unused") != asked.days.has_value()) return "--days N belongs to report unused";
  if (asked.days && (asked.since_text || asked.until_text)) return "report unused asks of the last --days: leave out --since and --until";
  if (asked.sources->json && asked.csv) return "--json or --csv, not both";
  const auto gap = base::ParseDuration(asked.gap_text);
  if (!gap) return "--gap takes a duration, such as 10m or 2h";
  asked.gap = *gap;
  return ReadSpan(asked.since_text, asked.until_text, asked.stretch.since, asked.stretch.until);
}

int Run(CLI::App& app, Asked& asked) {
  if (const std::string problem = Misuse(asked); !problem.empty()) return base::RefuseUsage("auditlog " + app.get_name(), problem);
  const auto logs = OpenLogs(*asked.sources);
  if (!logs) return Refuse(logs.error());
  auto report = MakeReport(*logs, asked);
  if (!report) return Refuse("no report was made: " + report.error().Message());
  auto pruned = PrunedNotes(*logs, asked.stretch.since);
  if (!pruned) return Refuse("no report was made: " + pruned.error().Message());
  std::ranges::move(*pruned, std::back_inserter(report->sections.front().notes));
  for (Section& section : report->sections) {
    if (asked.sample) Draw(section, *asked.sample, asked.seed);
    for (const std::string& note : section.notes) {
      if (asked.csv) Complain(section.name + ": " + note);
    }
  }
  const ReportStyle style = asked.csv ? ReportStyle::kCsv : asked.sources->json ? ReportStyle::kJson : ReportStyle::kTable;
  const std::string text = FormatReport(*report, style);
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? kExitDone : Refuse("the report could not be written");
}

}  // namespace

Command AddReport(CLI::App& app, Sources& sources) {
  const auto asked = std::make_shared<Asked>();
  asked->sources = &sources;
  CLI::App* add = app.add_subcommand("report", "what auditors ask, a table each; without NAME: an access review (exit 0 answered, 1 not, "
                                             "2 makes no sense)");
  add->add_option("NAME", asked->name,
                  "uses KEY_REF: who used a key; denied: by reason; admin ACTOR: a person's acts; unused --days N: keys without "
                  "use; outside-worker: keys asked for by others; request ID: one request end to end; key KEY_REF: its states "
                  "before and after each act; gaps: silences, missing numbers, restarts");
  add->add_option("SUBJECT", asked->subject, "the key, account or request that is asked about");
  add->add_option("--since", asked->since_text, "from this time on: a time, a date (UTC), or how long ago (2h, 30d)");
  add->add_option("--until", asked->until_text, "up to this time");
  add->add_option("--days", asked->days, "unused: for so many days")->check(CLI::Range(std::int64_t{0}, std::int64_t{36'500}));
  add->add_option("--gap", asked->gap_text, "gaps: a silence is longer than this (10m)");
  add->add_option("--rotation-days", asked->rotation_days, "review: a key is overdue after so many days (365)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{36'500}));
  add->add_option("--customer", asked->customer, "request: look through this customer's records alone");
  add->add_option("--work-db", asked->work, "request: this work database instead of the home's");
  auto* sample = add->add_option("--sample", asked->sample, "draw so many rows of each table, by --seed")
                     ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  auto* seed = add->add_option("--seed", asked->seed, "any text: the same one draws the same rows");
  sample->needs(seed);
  seed->needs(sample);
  add->add_flag("--json", sources.json, "one JSON object");
  add->add_flag("--csv", asked->csv, "RFC 4180: heading and rows; of the review SECTION, ROW, COLUMN, VALUE");
  add->add_option("--db", sources.database, "this vault database, or a copy of one, instead of the home's");
  add->add_option("--home", sources.home, "the vault's home (STRONGROOM_HOME, else /var/lib/strongroom)");
  add->add_option("--node", sources.node, "the log of this node alone, where several share the database");
  return {add, [add, asked] { return Run(*add, *asked); }};
}

}  // namespace strongroom::audit
