#include "keytool/recovery.h"

#include <fcntl.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/program.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

// People look for their shares, and copy 100 characters each.
constexpr base::Micros kPatience = 12 * 3600 * base::kMicrosPerSecond;
constexpr std::int64_t kLeastThreshold = 2, kMostShares = 32;
constexpr std::size_t kMostCustodian = 60;

bool HasTerminal() { return base::UniqueFd(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)).valid(); }

Outcome<std::string> Ceremony(std::vector<std::string> arguments, const std::vector<std::string>& files) {
  TRY_ASSIGN(const std::string vaultd, FindProgram("vaultd"));
  for (const std::string& file : files) arguments.insert(arguments.end(), {"--share", file});
  TRY_ASSIGN(Finished finished, RunProgram(vaultd, arguments, kPatience));
  // vaultd's own line is on standard error already.
  if (finished.exit_code != 0) return Failed("CEREMONY_REFUSED", "");
  while (finished.output.ends_with('\n')) finished.output.pop_back();
  return std::move(finished.output);
}

Outcome<void> CheckOptions(const BackupKekOptions& options) {
  const auto shares = options.shares;
  if (options.threshold < kLeastThreshold || options.threshold > shares || shares > kMostShares) {
    return Usage("--shares is 2 to 32, --threshold 2 to the number of shares");
  }
  const auto is_count = [shares](const std::vector<std::string>& list) { return list.empty() || std::ssize(list) == shares; };
  if (!is_count(options.custodians)) return Usage("name as many --custodian as there are shares, or none");
  if (!is_count(options.read_back)) return Usage("every share is read back: name as many files after --read-back as there are shares");
  for (const std::string& name : options.custodians) TRY(CheckText("--custodian", name, kMostCustodian));
  if ((options.out.empty() || options.read_back.empty()) && !HasTerminal()) {
    return Usage("without a terminal the shares go to files (--out DIR) and are read back from files (--read-back DIR/share-1 DIR/share-2 …)");
  }
  return {};
}

std::vector<std::string> SplitArguments(const BackupKekOptions& options) {
  std::vector<std::string> arguments = {"--ceremony", "split", "--shares", std::to_string(options.shares), "--threshold",
                                        std::to_string(options.threshold)};
  for (const std::string& name : options.custodians) arguments.insert(arguments.end(), {"--custodian", name});
  if (!options.out.empty()) arguments.insert(arguments.end(), {"--out", options.out});
  return arguments;
}

void ReportSet(const Context& context, const std::string& answer) {
  if (context.json) return Print(answer + "\n");
  const std::string set = ReadMember(answer, "set_id"), old = ReadMember(answer, "replaces");
  Print("recovery set " + set + " is in force: any " + ReadMember(answer, "threshold") + " of its " +
        ReadMember(answer, "shares") + " shares open KEK " + ReadMember(answer, "kek_versions") + " and every later one\n");
  if (!old.empty()) {
    Print("set " + old + " is replaced: what was sealed to it is erased, and its shares open no version from now on. A copy of the "
          "vault database from before still opens with them: have its custodians destroy them; if one may have kept a copy, "
          "rotate the KEK too\n");
    Print("backups (`keytool backup`) from before need the old set's shares: make a new one now\n");
  }
  Print("next: " + Command(context, {"keytool kek verify"}) + " proves at any time that the shares open the vault\n");
}

// The trail is told by whoever can tell it.
void Note(const Session& session, std::string_view act, const std::string& report, const std::string& reason) {
  vault::NoteRecoveryRequest request;
  request.act = act;
  request.facts = "set " + ReadMember(report, "set_id") + ", shares " + ReadMember(report, "shares") + ", KEK " +
                  ReadMember(report, "kek_versions");
  request.reason = reason;
  const auto noted = session.Ask(vault::Operation::kNoteRecovery, request.Encode(), "");
  if (!noted) Warn("this is not on the trail: " + noted.error().text);
}

void ReportOpened(const std::string& report) {
  const std::string opened = ReadMember(report, "opened");
  Print("shares " + ReadMember(report, "shares") + " of set " + ReadMember(report, "set_id") + " open KEK " +
        ReadMember(report, "kek_versions") + ": each is the one that the database means, and opens the vault's own keys; " +
        (opened.empty() ? "no customer's key is held yet" : "DEKs opened: " + opened) + "\n");
}

// WithShares runs the ceremony and has it noted on the trail.
Outcome<std::string> WithShares(const Context& context, const char* ceremony, const std::vector<std::string>& files,
                                const std::string& flag) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(flag));
  if (files.empty() && !HasTerminal()) return Usage("without a terminal name the shares' files");
  TRY_ASSIGN(std::string report, Ceremony({"--home", context.home, "--ceremony", ceremony}, files));
  Note(session, ReadMember(report, "act"), report, reason);
  return report;
}

}  // namespace

Outcome<void> BackupKek(const Context& context, const BackupKekOptions& options) {
  TRY(CheckOptions(options));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  // Nobody is called together for shares that could not come into force.
  TRY_ASSIGN(const std::string status, session.AskText(vault::Operation::kStatus, {}, ""));
  if (ReadMember(status, "sealed") == "yes") return Failed("SEALED", "the vault is sealed: unseal it first, its KEKs are what is backed up");
  TRY_ASSIGN(const std::string answer, Ceremony(SplitArguments(options), options.read_back));
  const auto bytes = base::Unhex(answer);
  auto request = bytes ? vault::PutRecoveryRequest::Decode(*bytes) : Result<vault::PutRecoveryRequest>(std::unexpected(bytes.error()));
  if (!request) return Unreadable();
  request->reason = reason;
  const auto put = session.AskText(vault::Operation::kPutRecovery, request->Encode(), "the shares did not come into force, destroy them");
  if (!put) return std::unexpected(put.error());
  ReportSet(context, *put);
  return {};
}

Outcome<void> VerifyShares(const Context& context, const std::vector<std::string>& files, const std::string& reason) {
  TRY_ASSIGN(const std::string report, WithShares(context, "verify", files, reason));
  if (context.json) Print(report + "\n");
  else ReportOpened(report);
  return {};
}

Outcome<void> RestoreKeks(const Context& context, const std::vector<std::string>& files, const std::string& reason) {
  TRY_ASSIGN(const std::string report, WithShares(context, "restore", files, reason));
  if (context.json) {
    Print(report + "\n");
    return {};
  }
  ReportOpened(report);
  const std::string restored = ReadMember(report, "restored");
  Print(restored.empty() ? "every KEK file was in its place already\n" : "KEK files written: " + restored + "\n");
  Print("next: " + Command(context, {"keytool unseal"}) + ", or " + Command(context, {"vaultd"}) + " where none runs\n");
  return {};
}

}  // namespace strongroom::keytool
