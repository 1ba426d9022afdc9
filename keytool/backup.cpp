#include "keytool/backup.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/clock.h"
#include "base/files.h"
#include "base/printable.h"
#include "keytool/aftermath.h"
#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/program.h"
#include "keytool/reason.h"
#include "keytool/recovery_steps.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

// A database of some gigabytes on a slow disk.
constexpr base::Micros kPatience = 6 * 3600 * base::kMicrosPerSecond;
constexpr std::size_t kMostFile = std::size_t{1} << 30;

Outcome<std::string> RunVaultd(const Context& context, const std::string& flag, const std::string& directory) {
  TRY_ASSIGN(const std::string vaultd, FindProgram("vaultd"));
  TRY_ASSIGN(Finished finished, RunProgram(vaultd, {"--home", context.home, flag, directory}, kPatience));
  // vaultd's own line is on standard error already.
  if (finished.exit_code != 0) return Failed("BACKUP_REFUSED", "");
  while (finished.output.ends_with('\n')) finished.output.pop_back();
  return std::move(finished.output);
}

std::int64_t NumberOf(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Described(const std::string& report) {
  return "as of " + ReadMember(report, "made_at") + ", epoch " + ReadMember(report, "epoch") + ", trail up to record " +
         ReadMember(report, "record");
}

// Finish is the end of one quarantine.
class Finish {
 public:
  Finish(const Session& session, std::string reason) : session_(session), reason_(std::move(reason)) {}

  Outcome<void> Run(const RestoreOptions& options) {
    TRY_ASSIGN(const std::string status, session_.AskText(vault::Operation::kStatus, {}, ""));
    TRY(Learn(options, status));
    TRY(CheckWhole(options.incomplete));
    TRY(StopAgain());
    TRY(StopProfilesAgain());
    if (aftermath_.two_people) TRY(DemandTwoPeople());
    vault::NoteRecoveryRequest request;
    request.act = "finished";
    request.facts = Facts();
    request.reason = reason_;
    TRY_ASSIGN(const std::string lifted, session_.AskText(vault::Operation::kFinishRestore, request.Encode(), ""));
    if (lifted == "lifted") return {};
    return Failed("QUARANTINE_KEPT", "the file 'quarantine' in the home cannot be taken away (vaultd's log says why): no key is released yet");
  }

  void Report(bool json) const;

 private:
  Outcome<void> Learn(const RestoreOptions& options, const std::string& status);
  Outcome<void> StopAgain();
  Outcome<void> StopProfilesAgain();
  Outcome<void> DemandTwoPeople();
  Outcome<void> CheckWhole(bool incomplete) const;
  std::string Gaps() const;
  std::string Facts() const;

  const Session& session_;
  const std::string reason_;
  Aftermath aftermath_;
  std::string made_at_;
  std::vector<std::string> stopped_, lost_, profiles_;
  std::int64_t already_ = 0;
};

Outcome<void> Finish::Learn(const RestoreOptions& options, const std::string& status) {
  TRY_ASSIGN(const auto facts, ReadFacts(status));
  const auto fact = [&facts](std::string_view name) {
    const auto found = std::find_if(facts.begin(), facts.end(), [&](const auto& one) { return one.first == name; });
    return found == facts.end() ? std::string() : found->second;
  };
  made_at_ = fact("quarantine backup made at");
  if (made_at_.empty()) return Failed("NOT_QUARANTINED", "this home is not in quarantine after a restore");
  const std::string vault_id = fact("vault id");
  const auto read = [](const std::string& path) { return base::ReadFile(path, kMostFile); };
  if (!options.stops.empty()) {
    std::error_code ignored;
    // What was done here since it was put back is not what the lost home did.
    if (std::filesystem::equivalent(options.stops, session_.config().home + "/stops", ignored)) {
      return Failed("STOPS_FILE", "--stops: that is this home's own file; name the lost home's, or, where nothing survived, say --none-survived");
    }
    const auto text = read(options.stops);
    if (!text) return FailedBy(text.error(), "--stops " + options.stops);
    TRY(aftermath_.TakeStops(*text, vault_id, NumberOf(fact("quarantine epoch"))));
  }
  if (!options.trail.empty()) {
    const auto text = read(options.trail);
    if (!text) return FailedBy(text.error(), "--trail " + options.trail);
    TRY(aftermath_.TakeTrail(*text, vault_id, NumberOf(fact("quarantine record"))));
  }
  return {};
}

// Each is an act like any other, on the trail by itself. Whoever is interrupted asks again.
Outcome<void> Finish::StopAgain() {
  TRY_ASSIGN(const std::string list, session_.AskList(vault::Operation::kListKeys, "", ""));
  TRY_ASSIGN(const auto rows, ReadRows(list, {"key_ref", "status"}));
  std::map<std::string, std::string> held;
  for (const base::Row& row : rows) held[row[0]] = row[1];
  for (const std::string& key_ref : aftermath_.keys) {
    if (!held.contains(key_ref)) lost_.push_back(key_ref);
  }
  for (const auto& [key_ref, move] : aftermath_.moves) {
    if (!held.contains(key_ref)) continue;
    vault::MoveRequest request;
    request.ref = key_ref;
    request.move = move;
    request.reason = reason_;
    const auto moved = session_.Ask(vault::Operation::kMoveKey, request.Encode(), key_ref);
    // Stopped at least as well already.
    if (!moved && moved.error().name == "KEY_MOVE_FORBIDDEN" && held[key_ref] != "ACTIVE") ++already_;
    else if (!moved) return std::unexpected(moved.error());
    else stopped_.push_back(key_ref);
  }
  return {};
}

Outcome<void> Finish::StopProfilesAgain() {
  TRY_ASSIGN(const std::vector<UsingProfile> profiles, ReadProfiles(session_));
  for (const UsingProfile& profile : profiles) {
    const auto found = aftermath_.profile_moves.find(profile.ref);
    const bool left = aftermath_.offboarded.contains(profile.customer);
    if (!left && found == aftermath_.profile_moves.end()) continue;
    const std::string move = left ? "terminate" : found->second;
    if (move == "suspend" && profile.status == "SUSPENDED") continue;
    const vault::MoveRequest request{profile.ref, move, reason_};
    TRY(session_.Ask(vault::Operation::kMoveProfile, request.Encode(), profile.ref));
    profiles_.push_back(profile.ref);
  }
  return {};
}

// A backup from before the demand must not be the way out of it, which takes two.
Outcome<void> Finish::DemandTwoPeople() {
  vault::RequireRequest request;
  request.on = true;
  request.reason = reason_;
  TRY(session_.Ask(vault::Operation::kRequireTwoPeople, request.Encode(), ""));
  return {};
}

std::string Finish::Facts() const {
  const std::string gaps = Gaps();
  return std::to_string(stopped_.size()) + " keys stopped again, " + std::to_string(already_) + " were stopped already, " +
         std::to_string(lost_.size()) + " are not in the backup, " + std::to_string(profiles_.size()) + " profiles stopped again" +
         (aftermath_.two_people ? ", two people demanded" : "") + (gaps.empty() ? "" : "; " + gaps);
}

// Gaps is what the file of stops is known to lack; empty where it is whole.
std::string Finish::Gaps() const {
  const std::int64_t acts = aftermath_.missing_acts();
  std::string gaps = acts == 0 ? "" : "the file of stops lacks " + std::to_string(acts) + " acts";
  if (aftermath_.cut) gaps += gaps.empty() ? "the file of stops ends within a line" : ", and ends within a line";
  return gaps;
}

// Better asked for before keys are released than read behind it.
Outcome<void> Finish::CheckWhole(bool incomplete) const {
  const std::string gaps = Gaps();
  if (gaps.empty() || incomplete) return {};
  return Failed("STOPS_INCOMPLETE", gaps + ": a key that was stopped there may be released, and nothing was done yet. Name --trail FILE too (`auditlog export --format jsonl` "
                                           "of a newer copy) or a better copy of the file; where there is none, look through your own notes and the providers' lists, and say --incomplete");
}

void Finish::Report(bool json) const {
  if (json) {
    JsonLine line;
    line.Raw("stopped", JsonList(stopped_)).Number("already_stopped", already_);
    line.Raw("not_in_backup", JsonList(lost_)).Raw("profiles_stopped", JsonList(profiles_)).Flag("two_people", aftermath_.two_people);
    line.Number("missing_acts", aftermath_.missing_acts()).Flag("stops_cut", aftermath_.cut);
    if (!aftermath_.last_time.empty()) line.Number("trail_to", aftermath_.last_record).Text("trail_to_time", aftermath_.last_time);
    return Print(line.Text("backup_made_at", made_at_).Str() + "\n");
  }
  Print(Facts() + "; keys are released again\n");
  for (const std::string& ref : stopped_) Print("  stopped again: " + ref + "\n");
  for (const std::string& ref : profiles_) Print("  profile stopped again: " + base::Printable(ref) + "\n");
  for (const std::string& ref : lost_) Print("  not in the backup, onboard it again: " + ref + "\n");
  if (!aftermath_.last_time.empty()) Print("the trail's copy ends with record " + std::to_string(aftermath_.last_record) + " of " + aftermath_.last_time + "\n");
  Print("not known: whatever was done since " + made_at_ + " and stands in no file named here (keys stopped, added or rotated, profiles, "
        "rates). Ask each customer who called since then, and look at the providers' own lists\n");
  Print("requests that waited at the time of the backup are on the queue again: some may have been answered before the loss, and are "
        "called a second time\n");
}

}  // namespace

Outcome<void> BackUp(const Context& context, const std::string& directory, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY_ASSIGN(const std::string report, RunVaultd(context, "--backup", directory));
  vault::NoteRecoveryRequest request;
  request.act = "backed_up";
  request.facts = "epoch " + ReadMember(report, "epoch") + ", record " + ReadMember(report, "record");
  request.reason = why;
  const auto noted = session.Ask(vault::Operation::kNoteRecovery, request.Encode(), "");
  if (!noted) Warn("the backup is whole, but this is not on the trail: " + noted.error().text);
  if (context.json) {
    Print(report + "\n");
    return {};
  }
  Print("backed up to " + ReadMember(report, "directory") + " (" + Described(report) + ")\n");
  Print("kek/ is not in it, and must never be kept with it: `keytool kek backup` puts the KEKs into custodians' shares\n");
  return {};
}

Outcome<void> Restore(const Context& context, const RestoreOptions& options) {
  const bool names_files = !options.stops.empty() || !options.trail.empty();
  if (options.finish != options.directory.empty()) return Usage("name the backup's directory, or --finish, one of the two");
  if (!options.finish) {
    if (names_files || options.none_survived || options.incomplete) return Usage("--stops, --trail, --incomplete and --none-survived go with --finish");
    TRY_ASSIGN(const std::string report, RunVaultd(context, "--restore", options.directory));
    if (context.json) {
      Print(report + "\n");
      return {};
    }
    Print("made " + context.home + " from the backup (" + Described(report) + "); it is in quarantine and releases no key\n");
    Print("next: put kek/ back (from its own backup, or with " + Command(context, {"keytool kek restore"}) + "), start " +
          Command(context, {"vaultd"}) + ", then " + Command(context, {"keytool restore --finish --stops FILE"}) + " with the lost home's file 'stops' (see its --help where that is lost too)" +
          "; start workers after that, for the requests that waited at the time of the backup are on the queue again\n");
    return {};
  }
  if (names_files == options.none_survived) {
    return Usage("name what survived of the time since the backup: --stops FILE (the lost home's file 'stops'), --trail FILE (from "
                 "`auditlog export --format jsonl` of a newer copy), or say --none-survived");
  }
  if (options.incomplete && options.stops.empty()) return Usage("--incomplete is said of the file that --stops names");
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(std::string why, AskReason(options.reason));
  Finish finish(session, std::move(why));
  TRY(finish.Run(options));
  finish.Report(context.json);
  return {};
}

Outcome<void> ListLost(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string keys, session.AskList(vault::Operation::kListKeys, "", ""));
  TRY_ASSIGN(const std::string profiles, session.AskList(vault::Operation::kListProfiles, "", ""));
  TRY_ASSIGN(const auto key_rows, ReadRows(keys, {"customer", "provider", "label", "key_ref", "status", "origin"}));
  TRY_ASSIGN(const auto profile_rows, ReadRows(profiles, {"key_ref", "profile_ref"}));
  std::map<std::string, std::string> profiles_of;
  for (const base::Row& row : profile_rows) {
    std::string& names = profiles_of[row[0]];
    names += (names.empty() ? "" : ", ") + row[1];
  }
  std::vector<base::Row> rows;
  for (const base::Row& key : key_rows) {
    // Nobody is asked again for a key that was stopped for good.
    if (key[4] == "REVOKED" || key[4] == "COMPROMISED" || key[4] == "DESTROYED") continue;
    base::Row row = key;
    row.push_back(profiles_of[key[3]]);
    rows.push_back(std::move(row));
  }
  if (context.json) {
    std::string list;
    for (const base::Row& row : rows) {
      JsonLine line;
      line.Text("customer", row[0]).Text("provider", row[1]).Text("label", row[2]).Text("key_ref", row[3]).Text("status", row[4]);
      list += (list.empty() ? "" : ",") + line.Text("origin", row[5]).Text("profiles", row[6]).Str();
    }
    Print("[" + list + "]\n");
    return {};
  }
  if (rows.empty()) {
    Print("no key is held: nobody has to supply one\n");
    return {};
  }
  Print(base::FormatTable({{"CUSTOMER"}, {"PROVIDER"}, {"LABEL"}, {"KEY_REF"}, {"STATUS"}, {"ORIGIN"}, {"PROFILES"}}, rows));
  Print("each of these must be supplied anew: where the KEK is lost in every copy and share, nothing opens them. Keep this home for "
        "its trail, `keytool init` another one and onboard them there\n");
  return {};
}

}  // namespace strongroom::keytool
