#include "keytool/recover.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/files.h"
#include "base/process.h"
#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/intake.h"
#include "keytool/invite.h"
#include "keytool/key_source.h"
#include "keytool/output.h"
#include "keytool/program.h"
#include "keytool/reason.h"
#include "keytool/recovery_log.h"
#include "keytool/recovery_report.h"
#include "keytool/rotate.h"
#include "keytool/ticket_files.h"

namespace strongroom::keytool {
namespace {

// A replay is as long as its batch.
constexpr base::Micros kReplayPatience = 24 * 3600 * base::kMicrosPerSecond;
constexpr const char* kWaits = "RECOVERY_WAITS";

bool OnTerminal() { return isatty(STDIN_FILENO) == 1; }

// Profile is what a recovery has to know of one.
struct Profile {
  std::string ref, customer, status, key_ref;
};

Outcome<std::vector<Profile>> ReadProfiles(const Session& session) {
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListProfiles, "", ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"profile_ref", "customer", "status", "key_ref"}));
  std::vector<Profile> profiles;
  for (const base::Row& row : rows) {
    if (row[2] != "TERMINATED") profiles.push_back({row[0], row[1], row[2], row[3]});
  }
  return profiles;
}

Outcome<std::string> ShowKeyOf(const Session& session, const std::string& key_ref) {
  return session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
}

bool IsStopped(const std::string& status) { return status == "SUSPENDED" || status == "REVOKED" || status == "COMPROMISED" || status == "DESTROYED"; }

// One is one key's way back.
class One {
 public:
  One(const Session& session, RecoveryLog& log, const RecoverOptions& options, const std::string& reason)
      : session_(session), log_(log), options_(options), reason_(reason) {}
  Outcome<RecoveryReport> Go(const std::string& key_ref);

 private:
  Outcome<void> Begin(const std::string& key_ref);
  Outcome<void> Replace();
  Outcome<bool> FindReplaced();
  Outcome<void> TakeKey();
  Outcome<void> WaitForTicket();
  Outcome<void> MakeTicket(const std::string& directory);
  Outcome<void> ResumeProfiles();
  Outcome<void> Replay();
  Outcome<void> CountFailed();
  void Say(const std::string& text) const { Tell(row_.key_ref + ": " + text + "\n"); }
  std::string Again(const std::string& flags) const { return Command(session_.context(), "keytool recover " + row_.key_ref + flags); }

  const Session& session_;
  RecoveryLog& log_;
  const RecoverOptions& options_;
  const std::string& reason_;
  RecoveryRow row_;
  std::string status_;  // the key's, now
  FailedCalls failed_;
};

Outcome<RecoveryReport> One::Go(const std::string& key_ref) {
  TRY(Begin(key_ref));
  TRY(Replace());
  TRY(ResumeProfiles());
  TRY(CountFailed());
  TRY(Replay());
  // What other programs asked cannot be sent again here, and keeps nothing open.
  const bool sent = std::ranges::all_of(failed_, [](const auto& entry) { return entry.first.empty(); });
  if (sent && !row_.closed_at) {
    row_.closed_at = base::WallMicros();
    TRY(log_.Put(row_));
  }
  RecoveryReport report{row_, std::nullopt, failed_};
  TRY_ASSIGN(report.first_call, log_.FirstCall(row_));
  return report;
}

Outcome<void> One::Begin(const std::string& key_ref) {
  row_.key_ref = key_ref;
  TRY_ASSIGN(const std::string document, ShowKeyOf(session_, key_ref));
  status_ = ReadMember(document, "status");
  TRY_ASSIGN(auto found, log_.Find(key_ref));
  const bool stopped_anew = found && found->closed_at && found->new_key_ref == key_ref && IsStopped(status_);
  if (found && !stopped_anew) {
    row_ = std::move(*found);
    Say("begun by " + row_.started_by + " at " + ShownTime(base::FormatTime(row_.started_at)) + "; " + StepOf(row_));
    return {};
  }
  TRY_ASSIGN(const auto profiles, ReadProfiles(session_));
  for (const Profile& profile : profiles) {
    if (profile.key_ref != key_ref) continue;
    row_.profiles.insert(profile.ref);
    row_.customers.insert(profile.customer);
  }
  if (row_.profiles.empty()) {
    return Failed("NOTHING_TO_RECOVER", key_ref + " is " + status_ + " and no profile uses it: nothing waits for it; " +
                                            Command(session_.context(), "keytool profile list") + " shows what each uses");
  }
  TRY(CheckReplaceable(session_, key_ref));
  const auto changed = base::ParseTime(ReadMember(document, "state_changed_at"));
  const base::Micros now = base::WallMicros();
  row_.customer = ReadMember(document, "customer");
  row_.provider = ReadMember(document, "provider");
  row_.stopped_as = status_;
  row_.started_by = base::UserName(getuid());
  row_.started_at = now;
  TRY_ASSIGN(row_.stopped_at, log_.StoppedAt(row_, changed && IsStopped(status_) ? *changed : now));
  TRY(CountFailed());
  TRY(log_.Put(row_));
  std::string names;
  for (const std::string& name : row_.profiles) names += (names.empty() ? "" : ", ") + name;
  Say(status_ + ", calls fail since " + ShownTime(base::FormatTime(row_.stopped_at)) + ", " + std::to_string(row_.calls_failed) + " so far; used by " + names);
  return {};
}

// A replay takes its rows out of USAGE_LOG: the most that were ever counted is what failed.
Outcome<void> One::CountFailed() {
  TRY_ASSIGN(failed_, log_.FailedCallsOf(row_));
  const std::int64_t count = RecoveryReport{row_, std::nullopt, failed_}.CountLeft();
  if (count <= row_.calls_failed) return {};
  row_.calls_failed = count;
  return log_.Put(row_);
}

// FindReplaced looks whether calls can go again, whoever has seen to it.
Outcome<bool> One::FindReplaced() {
  TRY_ASSIGN(const auto profiles, ReadProfiles(session_));
  std::string now = status_ == "ACTIVE" && IsStopped(row_.stopped_as) ? row_.key_ref : "";
  for (const Profile& profile : profiles) {
    if (row_.profiles.contains(profile.ref) && profile.key_ref != row_.key_ref && !profile.key_ref.empty()) now = profile.key_ref;
  }
  if (now.empty()) return false;
  TRY_ASSIGN(const std::string document, ShowKeyOf(session_, now));
  if (ReadMember(document, "status") != "ACTIVE") {
    return Failed(kWaits, row_.key_ref + " was replaced by " + now + ", which is " + ReadMember(document, "status") + ": recover that one");
  }
  const auto changed = base::ParseTime(ReadMember(document, "state_changed_at"));
  row_.new_key_ref = now;
  row_.replaced_at = changed ? *changed : base::WallMicros();
  TRY(log_.Put(row_));
  return true;
}

Outcome<void> One::Replace() {
  if (row_.replaced_at) return {};
  TRY_ASSIGN(const bool replaced, FindReplaced());
  if (!replaced) {
    if (options_.key_file.empty()) TRY(WaitForTicket());
    TRY(TakeKey());
    TRY_ASSIGN(const bool taken, FindReplaced());
    if (!taken) return Failed("CONFLICT", row_.key_ref + " was replaced, and its profiles changed meanwhile; see " + Again(""));
  }
  Say(row_.new_key_ref == row_.key_ref ? "was resumed: its provider takes it again" : "replaced by " + row_.new_key_ref + "; workers use it from the next call");
  return {};
}

// A ticket that is out is what the customer's key will come by.
Outcome<void> One::WaitForTicket() {
  TRY_ASSIGN(const std::string document, session_.AskList(vault::Operation::kListTickets, row_.customer, ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"ticket", "rotates", "status", "expires_at", "key_ref"}));
  for (const base::Row& row : rows) {
    if (row[1] != row_.key_ref) continue;
    if (row[2] == "OPEN") {
      return Failed(kWaits, row_.key_ref + " waits for the customer: ticket " + row[0] + ", until " + row[3] + ". When the sealed key comes: " +
                                Command(session_.context(), "keytool accept BLOB") + ", then " + Again("") + "; or take a key in another way with " +
                                Again(" --key-file F"));
    }
    const auto key = row[2] == "USED" ? ShowKeyOf(session_, row[4]) : Outcome<std::string>(std::unexpected(Problem{}));
    if (key && ReadMember(*key, "status") == "PENDING") {
      return Failed(kWaits, row_.key_ref + ": the customer's key is there, PENDING as " + row[4] + ": finish with " +
                                Command(session_.context(), "keytool accept BLOB --continue") + ", then " + Again(""));
    }
  }
  return {};
}

Outcome<void> One::MakeTicket(const std::string& directory) {
  std::string name = row_.key_ref + ".ticket";
  std::ranges::replace(name, '/', '-');
  InviteOptions invite;
  invite.rotate = row_.key_ref;
  invite.out = directory + "/" + name;
  invite.reason = reason_;
  TRY(Invite(session_.context(), invite));
  return Failed(kWaits, row_.key_ref + " waits for the customer; their ticket is " + invite.out + ". When the sealed key comes: " +
                            Command(session_.context(), "keytool accept BLOB") + ", then " + Again(""));
}

Outcome<void> One::TakeKey() {
  if (!options_.tickets.empty()) return MakeTicket(options_.tickets);
  if (options_.key_file.empty() && !OnTerminal()) {
    return Failed(kWaits, row_.key_ref + " waits for a new key: give it with " + Again(" --key-file F") + ", or have the customer seal it: " + Again(" --tickets DIR"));
  }
  if (options_.key_file.empty()) {
    const std::string way = AskTyped("The new key of " + row_.key_ref + ": type it here (t), make a ticket for the customer (c), or neither now (Enter)? ");
    if (way == "c") return MakeTicket(".");
    if (way != "t") return Failed(kWaits, row_.key_ref + " waits for a new key; go on with " + Again(""));
  }
  TRY(CheckKeySource(options_.key_file));
  RotateOptions rotate;
  rotate.key_ref = row_.key_ref;
  rotate.no_verify = options_.no_verify;
  const auto read = [&](const vault::AddKeyRequest& request) { return HoldKey(session_, request, options_.key_file, row_.key_ref); };
  TRY(PutNewVersion(session_, rotate, reason_, {read, "keytool recover " + row_.key_ref, ""}));
  return {};
}

// A profile that somebody suspended may have been for another reason: it is not resumed unasked.
Outcome<void> One::ResumeProfiles() {
  TRY_ASSIGN(const auto profiles, ReadProfiles(session_));
  for (const Profile& profile : profiles) {
    if (!row_.profiles.contains(profile.ref) || profile.status != "SUSPENDED") continue;
    if (!options_.resume_profiles && !AskYes("Resume profile " + profile.ref + ", which is SUSPENDED?")) {
      Say("profile " + profile.ref + " stays SUSPENDED; resume it with " + Command(session_.context(), "keytool profile resume " + profile.ref));
      continue;
    }
    const vault::MoveRequest request{profile.ref, "resume", reason_};
    TRY(session_.Ask(vault::Operation::kMoveProfile, request.Encode(), profile.ref));
    Say("profile " + profile.ref + " is ACTIVE again");
  }
  return {};
}

Outcome<void> One::Replay() {
  std::vector<std::string> batches;
  std::int64_t calls = 0;
  for (const auto& [batch, ids] : failed_) {
    if (batch.empty()) continue;
    TRY_ASSIGN(const auto facts, log_.FindBatch(batch));
    if (facts && access(facts->input_file.c_str(), R_OK) == 0) {
      batches.push_back(batch);
      calls += std::ssize(ids);
    } else {
      Say("the input of " + batch + " is gone, so its " + std::to_string(ids.size()) + " rows cannot be sent again: " + (facts ? facts->input_file : ""));
    }
  }
  if (batches.empty()) return {};
  const std::string of = batches.size() == 1 ? batches.front() : std::to_string(batches.size()) + " batches";
  const std::string what = std::to_string(calls) + " rows of " + of + " ended in PROVIDER_AUTH";
  if (!options_.replay && !AskYes(what + ". Send them again?")) {
    Say(what + "; send them again with " + Again(" --replay"));
    return {};
  }
  TRY_ASSIGN(const std::string program, FindProgram("batch"));
  for (const std::string& batch : batches) {
    TRY_ASSIGN(const Finished finished,
               RunProgram(program, {"--home", session_.context().home, "resume", batch, "--replay", "--json"}, kReplayPatience));
    if (finished.exit_code != 0) Say("batch resume " + batch + " --replay ended with " + std::to_string(finished.exit_code) + "; see `batch status " + batch + "`");
  }
  return CountFailed();
}

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
    const bool used = std::ranges::any_of(profiles, [&row](const Profile& profile) { return profile.key_ref == row[0]; });
    if (used && IsStopped(row[1]) && (options.provider.empty() || row[2] == options.provider)) chosen.insert(row[0]);
  }
  return chosen;
}

Outcome<void> Check(const RecoverOptions& options) {
  if (options.target.empty() == options.provider.empty()) return Usage("say what to recover: CUSTOMER or KEY_REF, or --provider P for all customers there");
  if (!options.key_file.empty() && !options.tickets.empty()) return Usage("--key-file has the new key, --tickets asks the customer for it: give one of them");
  if (!options.report.empty()) TRY(CheckNewFile("--report", options.report));
  if (options.target.contains('/')) TRY(ReadKeyRef("KEY_REF", options.target));
  else if (!options.target.empty()) TRY(CheckCustomer(options.target));
  return {};
}

Outcome<void> PutOut(const Context& context, const RecoverOptions& options, const std::vector<RecoveryReport>& reports) {
  std::string text, json;
  for (const RecoveryReport& report : reports) {
    text += report.Text();
    json += (json.empty() ? "" : ",") + report.Json();
  }
  Print(context.json ? "[" + json + "]\n" : text);
  return options.report.empty() ? Outcome<void>() : WriteNewFile("--report", options.report, text);
}

std::string Shown(const std::optional<base::Micros>& at) { return at ? ShownTime(base::FormatTime(*at)) : ""; }

}  // namespace

Outcome<void> Recover(const Context& context, const RecoverOptions& options) {
  TRY(Check(options));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(RecoveryLog log, RecoveryLog::Open(context));
  TRY_ASSIGN(const auto chosen, Choose(session, log, options));
  const std::string whose = options.target.empty() ? options.provider : options.target;
  if (chosen.empty()) {
    return Failed("NOTHING_TO_RECOVER", "no key of " + whose + " is stopped and used by a profile; where a provider refuses a key that is ACTIVE here, name its KEY_REF");
  }
  if (chosen.size() > 1 && !options.key_file.empty()) return Usage("--key-file is one key, and there are " + std::to_string(chosen.size()) + " to recover: name a KEY_REF");
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  std::vector<RecoveryReport> reports;
  std::vector<Problem> problems;
  for (const std::string& key_ref : chosen) {
    auto report = One(session, log, options, reason).Go(key_ref);
    if (report) reports.push_back(std::move(*report));
    else problems.push_back(std::move(report.error()));
  }
  if (!reports.empty()) TRY(PutOut(context, options, reports));
  if (problems.empty()) return {};
  if (chosen.size() == 1) return std::unexpected(std::move(problems.front()));
  for (const Problem& problem : problems) Warn(problem.text);
  return Failed(kWaits, std::to_string(problems.size()) + " of " + std::to_string(chosen.size()) + " keys are not recovered yet; run this again when that can go on");
}

Outcome<void> ListRecoveries(const Context& context) {
  TRY_ASSIGN(RecoveryLog log, RecoveryLog::Open(context));
  TRY_ASSIGN(const auto begun, log.List("", ""));
  if (context.json) {
    std::string list;
    for (const RecoveryRow& row : begun) {
      RecoveryReport report{row, std::nullopt, {}};
      TRY_ASSIGN(report.left, log.FailedCallsOf(row));
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
