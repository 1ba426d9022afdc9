#include "keytool/leak.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/invite.h"
#include "keytool/key_trail.h"
#include "keytool/keys.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/recovery_steps.h"
#include "keytool/session.h"
#include "keytool/stopped.h"
#include "keytool/ticket_files.h"
#include "keytool/uses_file.h"
#include "vault/labelled_text.h"

namespace strongroom::keytool {
namespace {

// As long as a node that has heard nothing may hold a lease after the act (vault/lease.h), and a little more.
constexpr base::Micros kLeasesOver = 5'500 * base::kMicrosPerMilli;

struct Unfinished {
  std::string step;
  ShownCommand command;
  Problem problem;
};

// Leak is one run, step by step.
class Leak {
 public:
  Leak(const Session& session, const CompromiseOptions& options, base::Micros since, std::string reason)
      : session_(session), options_(options), since_(since), reason_(std::move(reason)) {}
  Outcome<void> Stop();
  void WriteReport();
  void MakeTicket();
  Outcome<void> Finish();

 private:
  const Context& context() const { return session_.context(); }
  Outcome<std::string> ShowKey() const;
  Outcome<void> TakeStopped(const std::string& document);
  Outcome<void> WaitForLeases(const std::string& document) const;
  Outcome<UsesReport> Report(const std::string& file) const;
  Outcome<void> Ticket();
  Outcome<std::string> OpenTicket() const;
  Outcome<void> PutTicket(const Issued& issued);
  void TellReport(const UsesReport& report) const;
  void FindOtherLogs();
  void FindCopies();
  void PrintJson(const std::string& unfinished) const;
  // Uses is the command that lists its uses alone.
  ShownCommand Uses() const { return {"keytool incident", options_.key_ref, "--since", base::FormatTime(since_), "--out FILE"}; }
  void Fail(std::string step, ShownCommand command, Problem problem);

  const Session& session_;
  const CompromiseOptions& options_;
  const base::Micros since_;
  const std::string reason_;
  vault::StoppedAnswer stopped_;
  bool already_ = false;
  std::string status_;
  std::optional<UsesReport> report_;
  std::optional<Issued> issued_;
  std::string ticket_file_, no_ticket_, other_nodes_;
  std::vector<std::string> copies_;
  std::vector<Unfinished> unfinished_;
};

Outcome<std::string> Leak::ShowKey() const {
  return session_.AskText(vault::Operation::kShowKey, vault::EncodeText(options_.key_ref), options_.key_ref);
}

Outcome<void> Leak::Stop() {
  vault::MoveRequest request;
  request.ref = options_.key_ref;
  request.move = "compromise";
  request.reason = reason_;
  auto moved = session_.Ask(vault::Operation::kMoveKey, request.Encode(), options_.key_ref);
  if (moved) {
    status_ = "COMPROMISED";
    TRY_ASSIGN(stopped_, ReadStopped(*moved));
    if (!context().json) ReportMove(false, JsonLine(), options_.key_ref, status_, stopped_);
    return {};
  }
  if (moved.error().name != vault::RefusalName(vault::Refusal::kKeyMoveForbidden)) return std::unexpected(std::move(moved.error()));
  TRY_ASSIGN(const std::string document, ShowKey());
  status_ = ReadMember(document, "status");
  already_ = status_ == "COMPROMISED" || status_ == "DESTROYED";
  if (!already_) return std::unexpected(std::move(moved.error()));
  return TakeStopped(document);
}

// An earlier run, or another admin, was here.
Outcome<void> Leak::TakeStopped(const std::string& document) {
  TRY(WaitForLeases(document));
  if (!context().json) Print(options_.key_ref + " is " + status_ + " already, since " + ReadMember(document, "state_changed_at") + "\n");
  return {};
}

// The run that stopped it may have ended before the other nodes had heard.
Outcome<void> Leak::WaitForLeases(const std::string& document) const {
  const auto others = OtherNodes(session_);
  if (others && others->empty()) return {};
  // Shown to the second, so up to one more.
  const auto changed = base::ParseTime(ReadMember(document, "state_changed_at"));
  const base::Micros passed = changed ? base::WallMicros() - *changed - base::kMicrosPerSecond : 0;
  const base::Micros left = kLeasesOver - std::clamp<base::Micros>(passed, 0, kLeasesOver);
  std::this_thread::sleep_for(std::chrono::microseconds(left));
  return {};
}

void Leak::Fail(std::string step, ShownCommand command, Problem problem) {
  unfinished_.push_back({std::move(step), WithHome(context(), std::move(command)), std::move(problem)});
}

Outcome<UsesReport> Leak::Report(const std::string& file) const { return WriteUses(session_, options_.key_ref, since_, file); }

void Leak::WriteReport() {
  const std::string file = options_.out.empty() ? UsesFileName(options_.key_ref, base::WallMicros()) : options_.out;
  auto report = Report(file);
  if (!report) return Fail("the list of its uses", Uses(), std::move(report.error()));
  report_ = std::move(*report);
  if (!context().json) TellReport(*report_);
  if (auto proven = CheckProven(session_, *report_); !proven) Fail("the proof of each use", Uses(), std::move(proven.error()));
}

void Leak::TellReport(const UsesReport& report) const {
  Print(std::to_string(report.uses) + " uses since " + ShownTime(base::FormatTime(since_)) + ", each with its proof: " + report.file + "\n" +
        "  whoever gets it checks it with " + VerifyCommand(report.file) + ", where KEY is what `auditlog vkey` prints\n");
}

// OpenTicket is the ticket that an earlier run has made; empty where there is none.
Outcome<std::string> Leak::OpenTicket() const {
  const std::string customer = options_.key_ref.substr(0, options_.key_ref.find('/'));
  TRY_ASSIGN(const std::string document, session_.AskList(vault::Operation::kListTickets, customer, "OPEN"));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"ticket", "status", "rotates"}));
  for (const base::Row& row : rows) {
    if (row[1] == "OPEN" && row[2] == options_.key_ref) return row[0];
  }
  return "";
}

Outcome<void> Leak::Ticket() {
  if (status_ == "DESTROYED") {
    no_ticket_ = "it is DESTROYED";
    return {};
  }
  TRY_ASSIGN(const std::vector<UsingProfile> profiles, ReadProfiles(session_));
  if (std::ranges::none_of(profiles, [this](const UsingProfile& profile) { return profile.key_ref == options_.key_ref; })) {
    no_ticket_ = "no profile uses it any more";
    return {};
  }
  TRY_ASSIGN(const std::string open, OpenTicket());
  TRY_ASSIGN(issued_, open.empty() ? IssueReplacement(session_, options_.key_ref, reason_) : ShowIssued(session_, open, reason_));
  return PutTicket(*issued_);
}

// An earlier run may have written the very file.
Outcome<void> Leak::PutTicket(const Issued& issued) {
  const std::string file = options_.ticket_out.empty() ? "ticket-" + issued.ticket.ticket_id + ".txt" : options_.ticket_out;
  std::error_code ignored;
  const bool written = std::filesystem::exists(file, ignored) && ReadTextFile("--ticket-out", file).value_or("") == issued.ticket.Print();
  if (!written) TRY(WriteNewFile("--ticket-out", file, issued.ticket.Print()));
  ticket_file_ = file;
  if (!context().json) TellIssued(context(), issued, file);
  return {};
}

void Leak::MakeTicket() {
  if (auto made = Ticket(); !made) {
    ShownCommand command = issued_ ? ShownCommand{"keytool invite resend", issued_->ticket.ticket_id, "--out FILE"}
                                   : ShownCommand{"keytool invite --rotate", options_.key_ref, "--out FILE"};
    return Fail("the ticket for a new key", std::move(command), std::move(made.error()));
  }
  if (!no_ticket_.empty() && !context().json) Print("no ticket for a new key was made: " + no_ticket_ + "\n");
}

// FindOtherLogs says which other nodes have released uses of their own.
void Leak::FindOtherLogs() {
  auto others = OtherNodes(session_);
  if (!others) return Fail("the list of nodes with logs of their own", {"keytool node list"}, std::move(others.error()));
  other_nodes_ = std::move(*others);
  if (!other_nodes_.empty()) Warn("these nodes have logs of their own, with the uses that they released: " + other_nodes_ + "; there too: `" + Uses().text() + "`");
}

// FindCopies names the other keys that are this one.
void Leak::FindCopies() {
  auto document = ShowKey();
  if (!document) return Fail("whether the same key is held under other names", {"keytool show", options_.key_ref}, std::move(document.error()));
  WarnOfCopies(context(), *document);
  copies_ = ReadList(*document, "copies");
}

void Leak::PrintJson(const std::string& unfinished) const {
  JsonLine line;
  line.Text("key_ref", options_.key_ref).Text("move", "compromise").Text("status", status_).Flag("already", already_);
  line.Number("took_ms", stopped_.took / base::kMicrosPerMilli).Raw("unheard", JsonList(stopped_.unheard)).Text("since", base::FormatTime(since_));
  line.OptionalText("uses_file", report_ ? report_->file : "").Raw("uses", report_ ? std::to_string(report_->uses) : "null");
  line.Raw("unproven", report_ ? std::to_string(report_->unproven) : "null");
  line.OptionalText("ticket", issued_ ? issued_->ticket.ticket_id : "").OptionalText("ticket_file", ticket_file_);
  line.OptionalText("check_phrase", issued_ ? issued_->phrase : "").OptionalText("no_ticket", no_ticket_).Raw("unfinished", "[" + unfinished + "]");
  line.OptionalText("held_from", report_ && report_->held_from != 0 ? base::FormatTime(report_->held_from) : "").OptionalText("other_nodes", other_nodes_);
  line.Raw("copies", JsonList(copies_));
  Print(line.Str() + "\n");
}

Outcome<void> Leak::Finish() {
  if (report_ && report_->held_from > since_) {
    Warn("records before " + ShownTime(base::FormatTime(report_->held_from)) + " were pruned: uses from before that are not in the list");
  }
  FindOtherLogs();
  FindCopies();
  std::string failed, list;
  for (const Unfinished& one : unfinished_) {
    failed += "\n  not done: " + one.step + ": " + one.problem.text + "\n    that step alone: `" + one.command.text() + "`";
    JsonLine line;
    line.Text("step", one.step).Text("error", one.problem.name).Text("message", one.problem.text).Text("command", one.command.text());
    list += (list.empty() ? "" : ",") + line.Str();
  }
  if (context().json) {
    PrintJson(list);
  } else if (no_ticket_.empty()) {
    Print("next: " + Command(context(), {"keytool recover", options_.key_ref}) + " when its customer's new key has come: it goes on with what failed meanwhile\n");
  }
  if (unfinished_.empty()) return {};
  Tell("keytool: " + options_.key_ref + " is " + status_ + "; what came after that was not all done:" + failed + "\n");
  return std::unexpected(Problem{kExitRefused, "", "", options_.key_ref, false});
}

}  // namespace

Outcome<void> Compromise(const Context& context, const CompromiseOptions& options) {
  if (options.since.empty()) {
    if (!options.out.empty() || !options.ticket_out.empty()) return Usage("--out and --ticket-out go with --since: from when on its uses are listed");
    return MoveKey(context, "compromise", options.key_ref, options.reason);
  }
  TRY(ReadKeyRef("KEY_REF", options.key_ref));
  TRY_ASSIGN(const base::Micros since, ReadSince(options.since));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(std::string reason, AskReason(options.reason));
  Leak leak(session, options, since, std::move(reason));
  TRY(leak.Stop());
  // Out at once: whoever waits for the rest knows that the key is stopped.
  FlushOutput();
  leak.WriteReport();
  leak.MakeTicket();
  return leak.Finish();
}

}  // namespace strongroom::keytool
