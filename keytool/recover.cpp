#include "keytool/recover.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/printable.h"
#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/recovery_log.h"
#include "keytool/recovery_report.h"
#include "keytool/recovery_steps.h"
#include "keytool/report_file.h"

namespace strongroom::keytool {
namespace {

// Chosen is the keys that are meant: named; or stopped and used, or begun with and not closed.
Outcome<std::set<std::string>> Choose(const Session& session, RecoveryLog& log, const RecoverOptions& options) {
  if (options.target.contains('/')) return std::set{options.target};
  std::set<std::string> chosen;
  TRY_ASSIGN(const auto begun, log.List(options.target, options.provider));
  for (const RecoveryRow& row : begun) chosen.insert(row.key_ref);
  TRY_ASSIGN(const auto profiles, ReadProfiles(session));
  TRY_ASSIGN(const std::string keys, session.AskList(vault::Operation::kListKeys, options.target, ""));
  TRY_ASSIGN(const auto rows, ReadRows(keys, {"key_ref", "status", "provider"}));
  for (const base::Row& row : rows) {
    const bool used = std::ranges::any_of(profiles, [&row](const UsingProfile& profile) { return profile.key_ref == row[0]; });
    if (used && IsStopped(row[1]) && (options.provider.empty() || row[2] == options.provider)) chosen.insert(row[0]);
  }
  return chosen;
}

// Without a work database nothing can be noted, and none of the rest needs it.
Problem Without(const Context& context, Problem problem) {
  problem.text += "; a key can be replaced all the same: " + Command(context, {"keytool rotate KEY_REF"});
  return problem;
}

Outcome<void> Check(const RecoverOptions& options) {
  if (options.target.empty() == options.provider.empty()) return Usage("say what to recover: CUSTOMER or KEY_REF, or --provider P for all customers there");
  if (!options.key_file.empty() && !options.tickets.empty()) return Usage("--key-file has the new key, --tickets asks the customer for it: give one of them");
  if (options.target.contains('/')) TRY(ReadKeyRef("KEY_REF", options.target));
  else if (!options.target.empty()) TRY(CheckCustomer(options.target));
  return {};
}

Outcome<void> PutOut(const Context& context, const RecoverOptions& options, const std::vector<RecoveryReport>& reports) {
  Reports texts;
  std::string json;
  for (const RecoveryReport& report : reports) {
    texts[report.row.key_ref] = report.Text();
    json += (json.empty() ? "" : ",") + report.Json();
  }
  Print(context.json ? "[" + json + "]\n" : PrintReports(texts));
  if (options.report.empty()) return {};
  TRY_ASSIGN(const std::size_t kept, WriteReportFile(options.report, texts));
  if (kept > 0) Tell(base::Printable(options.report) + " has " + std::to_string(kept) + " of other keys too, from before: see whose they are before you send it on\n");
  return {};
}

// HouseKeyOf is a stopped key of the house's that a profile of the customer's uses; empty where there is none.
std::string HouseKeyOf(const Session& session, const std::string& customer) {
  const auto profiles = ReadProfiles(session);
  for (const UsingProfile& profile : profiles.value_or(std::vector<UsingProfile>())) {
    if (profile.customer != customer || !profile.key_ref.starts_with("HOUSE/")) continue;
    const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(profile.key_ref), profile.key_ref);
    if (shown && IsStopped(ReadMember(*shown, "status"))) return profile.key_ref;
  }
  return "";
}

Problem NothingToRecover(const Session& session, const RecoverOptions& options) {
  const std::string whose = options.target.empty() ? options.provider : options.target;
  const std::string house = options.target.empty() ? "" : HouseKeyOf(session, options.target);
  if (!house.empty()) {
    return Failed("NOTHING_TO_RECOVER", whose + " has no key of its own that is stopped, but a profile uses the house's " + house + ", which is: " +
                                            Command(session.context(), {"keytool recover", house})).error();
  }
  return Failed("NOTHING_TO_RECOVER", "no key of " + whose + " is stopped and used by a profile; where a provider refuses a key that is ACTIVE here, name its KEY_REF").error();
}

// Ended is what all of it came to. A report that was not written is no key's problem: it is said beside those.
Outcome<void> Ended(std::size_t keys, const std::vector<Problem>& problems, bool replay_failed, const Outcome<void>& put) {
  if (problems.empty() && !replay_failed) return put;
  if (!put) Warn(put.error().text);
  if (problems.empty()) return Failed("REPLAY_FAILED", "the keys are recovered, but not every row that was to be sent again has succeeded: see above");
  if (keys == 1) return std::unexpected(problems.front());
  for (const Problem& problem : problems) Warn(problem.text);
  return Failed(kRecoveryWaits, std::to_string(problems.size()) + " of " + std::to_string(keys) + " keys are not recovered yet; run this again when that can go on");
}

std::string Shown(const std::optional<base::Micros>& at) { return at ? ShownTime(base::FormatTime(*at)) : ""; }

}  // namespace

Outcome<void> Recover(const Context& context, const RecoverOptions& options) {
  TRY(Check(options));
  TRY_ASSIGN(const Session session, Session::Open(context));
  auto log = RecoveryLog::Open(context);
  auto listed = log ? Choose(session, *log, options) : std::unexpected(log.error());
  if (!listed) return std::unexpected(Without(context, std::move(listed.error())));
  const std::set<std::string> chosen = std::move(*listed);
  if (chosen.empty()) return std::unexpected(NothingToRecover(session, options));
  if (!options.report.empty()) TRY(CheckReportFile(options.report));
  if (chosen.size() > 1 && !options.key_file.empty()) return Usage("--key-file is one key, and there are " + std::to_string(chosen.size()) + " to recover: name a KEY_REF");
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  std::vector<RecoveryReport> reports;
  std::vector<Problem> problems;
  bool replay_failed = false;
  for (const std::string& key_ref : chosen) {
    RecoverySteps one(session, *log, options, reason);
    auto report = one.Go(key_ref);
    replay_failed = replay_failed || one.replay_failed();
    if (report) reports.push_back(std::move(*report));
    else problems.push_back(std::move(report.error()));
  }
  const auto put = reports.empty() ? Outcome<void>() : PutOut(context, options, reports);
  return Ended(chosen.size(), problems, replay_failed, put);
}

Outcome<void> ListRecoveries(const Context& context) {
  TRY_ASSIGN(RecoveryLog log, RecoveryLog::Open(context));
  TRY_ASSIGN(const auto begun, log.List("", ""));
  if (context.json) {
    std::string list;
    for (const RecoveryRow& row : begun) {
      RecoveryReport report{row, std::nullopt, {}, {}};
      TRY_ASSIGN(report.failed, log.FailedCallsOf(row));
      TRY_ASSIGN(report.first_call, log.FirstCall(row));
      list += (list.empty() ? "" : ",") + report.Json();
    }
    Print("[" + list + "]\n");
    return {};
  }
  if (begun.empty()) {
    Print("no recovery was begun\n");
    return {};
  }
  std::vector<base::Row> rows;
  for (const RecoveryRow& row : begun) {
    rows.push_back({row.key_ref, row.stopped_as, Shown(row.stopped_at), StepOf(row), row.new_key_ref, std::to_string(row.calls_failed), row.started_by,
                    Shown(row.started_at)});
  }
  Print(base::FormatTable({{"KEY_REF"}, {"STOPPED AS"}, {"STOPPED AT"}, {"STEP"}, {"KEY NOW"}, {"FAILED", true}, {"BEGUN BY"}, {"BEGUN AT"}}, rows));
  return {};
}

}  // namespace strongroom::keytool
