#include "keytool/recovery_steps.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/files.h"
#include "base/printable.h"
#include "base/process.h"
#include "keytool/document.h"
#include "keytool/intake.h"
#include "keytool/invite.h"
#include "keytool/key_source.h"
#include "keytool/output.h"
#include "keytool/probe.h"
#include "keytool/program.h"
#include "keytool/reason.h"
#include "keytool/rotate.h"
#include "vault/ticket_protocol.h"

namespace strongroom::keytool {
namespace {

// A replay is as long as its batch.
constexpr base::Micros kReplayPatience = 24 * 3600 * base::kMicrosPerSecond;

bool OnTerminal() { return isatty(STDIN_FILENO) == 1; }

Outcome<std::string> ShowKeyOf(const Session& session, const std::string& key_ref) {
  return session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
}

}  // namespace

Outcome<std::vector<UsingProfile>> ReadProfiles(const Session& session) {
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListProfiles, "", ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"profile_ref", "customer", "status", "key_ref"}));
  std::vector<UsingProfile> profiles;
  for (const base::Row& row : rows) {
    if (row[2] != "TERMINATED") profiles.push_back({row[0], row[1], row[2], row[3]});
  }
  return profiles;
}

bool IsStopped(std::string_view status) { return status == "SUSPENDED" || status == "REVOKED" || status == "COMPROMISED" || status == "DESTROYED"; }

Problem RecoverySteps::Waits(const std::string& text) const { return {kExitRefused, kRecoveryWaits, row_.key_ref + " " + text, row_.key_ref}; }
void RecoverySteps::Say(const std::string& text) const { Tell(base::Printable(row_.key_ref + ": " + text) + "\n"); }
std::string RecoverySteps::Again(const ShownCommand& flags) const { return Command(session_.context(), ShownCommand{"keytool recover", row_.key_ref}.Add(flags)); }

Problem RecoverySteps::Gone() const {
  std::string text = row_.key_ref + " is DESTROYED: it has no next version; take a new key with " + Command(session_.context(), {"keytool onboard", row_.customer});
  if (row_.customer == "HOUSE") {
    const std::string first = row_.profiles.empty() ? "PROFILE_REF" : *row_.profiles.begin();
    text += ", and put each profile with it: " + Command(session_.context(), {"keytool profile set", first, "--key-ref KEY_REF"});
  }
  return {kExitRefused, "KEY_DESTROYED", std::move(text), row_.key_ref};
}

Outcome<RecoveryReport> RecoverySteps::Go(const std::string& key_ref) {
  TRY(Look(key_ref));
  TRY(Begin());
  TRY(Replace());
  TRY(ResumeProfiles());
  TRY(CountFailed());
  TRY(Replay());
  // What other programs asked cannot be sent again here, and keeps nothing open.
  const bool sent = std::ranges::all_of(failed_.left, [](const auto& entry) { return entry.first.empty(); });
  const bool over = sent && suspended_.empty();
  if (over != row_.closed_at.has_value()) {
    row_.closed_at = over ? std::optional(base::WallMicros()) : std::nullopt;
    TRY(log_.Put(row_));
  }
  RecoveryReport report{row_, std::nullopt, failed_, suspended_};
  TRY_ASSIGN(report.first_call, log_.FirstCall(row_));
  return report;
}

// Look asks the vault; the row is notes, of which nothing is done by itself.
Outcome<void> RecoverySteps::Look(const std::string& key_ref) {
  TRY_ASSIGN(const std::string document, ShowKeyOf(session_, key_ref));
  TRY_ASSIGN(profiles_, ReadProfiles(session_));
  TRY_ASSIGN(auto found, log_.Find(key_ref));
  if (ReadMember(document, "intact") == "no") {
    return Failed("KEY_TAMPERED", key_ref + " was changed outside vaultd, so nobody knows what it is: restore its row, or revoke it and take a new key with " +
                                      Command(session_.context(), {"keytool onboard", ReadMember(document, "customer")}));
  }
  status_ = ReadMember(document, "status");
  changed_ = ReadTime(document, "state_changed_at");
  created_ = ReadTime(document, "created_at");
  const bool used = std::ranges::any_of(profiles_, [&key_ref](const UsingProfile& profile) { return profile.key_ref == key_ref; });
  const bool stopped_anew = found && found->closed_at && used && IsStopped(status_);
  if (found && !stopped_anew) row_ = std::move(*found);
  row_.key_ref = key_ref;
  row_.customer = ReadMember(document, "customer");
  row_.provider = ReadMember(document, "provider");
  row_.customers.clear();
  std::set<std::string> theirs;
  for (const UsingProfile& profile : profiles_) {
    if (!may_use_it(profile) || !(uses_it(profile) || row_.profiles.contains(profile.ref))) continue;
    theirs.insert(profile.ref);
    row_.customers.insert(profile.customer);
  }
  row_.profiles = std::move(theirs);
  return {};
}

Outcome<void> RecoverySteps::Begin() {
  if (row_.profiles.empty()) {
    return Failed("NOTHING_TO_RECOVER", row_.key_ref + " is " + status_ + " and no profile uses it: nothing waits for it; " +
                                            Command(session_.context(), {"keytool profile list"}) + " shows what each uses");
  }
  if (row_.started_at != 0) {
    Say("begun by " + row_.started_by + " at " + ShownTime(base::FormatTime(row_.started_at)));
    return {};
  }
  if (status_ == "DESTROYED") return std::unexpected(Gone());
  TRY(CheckReplaceable(session_, row_.key_ref));
  if (status_ == "ACTIVE") TRY(CheckDead());
  const base::Micros now = base::WallMicros();
  row_.stopped_as = status_;
  row_.started_by = base::UserName(getuid());
  row_.started_at = now;
  TRY_ASSIGN(row_.stopped_at, log_.StoppedAt(row_, IsStopped(status_) ? changed_.value_or(now) : now, created_.value_or(0)));
  TRY(CountFailed());
  TRY(log_.Put(row_));
  Say(status_ + ", " + std::to_string(row_.calls_failed) + " calls have failed since " + ShownTime(base::FormatTime(row_.stopped_at)) + "; used by " + Joined({row_.profiles.begin(), row_.profiles.end()}));
  return {};
}

// A key that works is not to be recovered from.
Outcome<void> RecoverySteps::CheckDead() {
  if (options_.no_verify) return {};
  TRY_ASSIGN(const Probed probed, Probe(session_.context(), row_.key_ref, RouteOf(session_, row_.key_ref)));
  if (probed.ok) {
    return Failed("NOTHING_TO_RECOVER", row_.key_ref + " is ACTIVE, and its provider takes it: nothing is to be recovered; to change it all the same, " +
                                            Command(session_.context(), {"keytool rotate", row_.key_ref}));
  }
  if (probed.status == 401 || probed.status == 403) return {};
  return Failed("PROBE_FAILED", row_.key_ref + " is ACTIVE, and its provider did not say whether it takes it: " + probed.message);
}

// A replay takes its rows out of USAGE_LOG: the most that were ever counted is what failed.
Outcome<void> RecoverySteps::CountFailed() {
  TRY_ASSIGN(failed_, log_.FailedCallsOf(row_));
  if (failed_.CountLeft() <= row_.calls_failed) return {};
  row_.calls_failed = failed_.CountLeft();
  return log_.Put(row_);
}

// FindReplaced is whether calls can go again, whoever has seen to it: no profile is with a key that is stopped any more.
Outcome<bool> RecoverySteps::FindReplaced() {
  TRY_ASSIGN(profiles_, ReadProfiles(session_));
  std::string now;
  for (const UsingProfile& profile : profiles_) {
    if (!row_.profiles.contains(profile.ref)) continue;
    if (uses_it(profile) && (status_ != "ACTIVE" || !IsStopped(row_.stopped_as))) return false;
    if (!profile.key_ref.empty() && (now.empty() || !uses_it(profile))) now = profile.key_ref;
  }
  if (now.empty()) return false;
  TRY_ASSIGN(const std::string document, ShowKeyOf(session_, now));
  const std::string status = ReadMember(document, "status");
  if (status != "ACTIVE") return std::unexpected(Waits("was replaced by " + now + ", which is " + status + ": " + Command(session_.context(), {"keytool recover", now})));
  const auto changed = ReadTime(document, "state_changed_at");
  const bool resumed_anew = now == row_.key_ref && changed && row_.replaced_at && *changed > *row_.replaced_at;
  if (row_.new_key_ref == now && row_.replaced_at && !resumed_anew) return true;
  row_.new_key_ref = now;
  // One that was ACTIVE before calls failed took its place at some time since: now at the latest.
  row_.replaced_at = changed && *changed >= row_.stopped_at ? *changed : base::WallMicros();
  TRY(log_.Put(row_));
  return true;
}

Outcome<void> RecoverySteps::Replace() {
  TRY_ASSIGN(const bool replaced, FindReplaced());
  if (!replaced) {
    if (status_ == "DESTROYED") return std::unexpected(Gone());
    if (options_.key_file.empty()) TRY(WaitForTicket());
    TRY(TakeKey());
    TRY_ASSIGN(const bool taken, FindReplaced());
    if (!taken) return Failed("CONFLICT", row_.key_ref + " was replaced, and its profiles changed meanwhile; see " + Again({}));
  } else if (!options_.key_file.empty()) {
    Say("the key of --key-file was not taken: there is another one already");
  }
  if (replaced && row_.new_key_ref != row_.key_ref) TRY(CancelTickets());
  Say(row_.new_key_ref == row_.key_ref ? "was resumed: its provider takes it again" : "replaced by " + row_.new_key_ref + "; workers use it from the next call");
  return {};
}

Outcome<std::vector<base::Row>> RecoverySteps::TicketsFor() {
  TRY_ASSIGN(const std::string document, session_.AskList(vault::Operation::kListTickets, row_.customer, ""));
  TRY_ASSIGN(auto rows, ReadRows(document, {"ticket", "rotates", "status", "expires_at", "key_ref"}));
  std::erase_if(rows, [this](const base::Row& row) { return row[1] != row_.key_ref; });
  return rows;
}

// A ticket that is out is what the customer's key will come by.
Outcome<void> RecoverySteps::WaitForTicket() {
  TRY_ASSIGN(const auto tickets, TicketsFor());
  for (const base::Row& row : tickets) {
    if (row[2] == "OPEN") {
      return std::unexpected(Waits("waits for the customer: ticket " + row[0] + ", until " + row[3] + ". When the sealed key comes: " +
                                   Command(session_.context(), {"keytool accept BLOB"}) + ", then " + Again({}) + "; where they never got it: " +
                                   Command(session_.context(), {"keytool invite resend", row[0], "--out FILE"}) + "; or take a key in another way with " +
                                   Again({"--key-file F"})));
    }
    const auto key = row[2] == "USED" ? ShowKeyOf(session_, row[4]) : Outcome<std::string>(std::unexpected(Problem{}));
    if (key && ReadMember(*key, "status") == "PENDING") {
      return std::unexpected(Waits("has a key of the customer's that is PENDING as " + row[4] + ": finish with " +
                                   Command(session_.context(), {"keytool accept BLOB --continue"}) + ", then " + Again({})));
    }
  }
  return {};
}

Outcome<void> RecoverySteps::MakeTicket(const std::string& directory) {
  std::string stem = row_.key_ref;
  std::ranges::replace(stem, '/', '-');
  if (const auto made = base::CreateDirectory(directory, 0700); !made && made.error().code() != Code::kAlreadyExists) {
    return FailedBy(made.error(), "--tickets " + directory);
  }
  InviteOptions invite;
  invite.rotate = row_.key_ref;
  invite.reason = reason_;
  // One of before, that was cancelled or is over, is not written over.
  for (int number = 1; number == 1 || access(invite.out.c_str(), F_OK) == 0; ++number) {
    invite.out = directory + "/" + stem + (number == 1 ? "" : "-" + std::to_string(number)) + ".ticket";
  }
  TRY(Invite(session_.context(), invite));
  return std::unexpected(Waits("waits for the customer; their ticket is " + invite.out + ". When the sealed key comes: " +
                               Command(session_.context(), {"keytool accept BLOB"}) + ", then " + Again({})));
}

// Where the key has come in another way, none comes by a ticket any more.
Outcome<void> RecoverySteps::CancelTickets() {
  TRY_ASSIGN(const auto tickets, TicketsFor());
  for (const base::Row& row : tickets) {
    if (row[2] != "OPEN") continue;
    TRY(session_.Ask(vault::Operation::kCancelTicket, vault::TicketRequest{row[0], reason_}.Encode(), "ticket " + row[0]));
    Say("ticket " + row[0] + " is cancelled: the key has come in another way");
  }
  return {};
}

Outcome<void> RecoverySteps::TakeKey() {
  if (!options_.tickets.empty()) return MakeTicket(options_.tickets);
  if (!options_.key_file.empty()) return TypeKey();
  if (!OnTerminal()) {
    return std::unexpected(Waits("waits for a new key: give it with " + Again({"--key-file F"}) + ", or have the customer seal it: " + Again({"--tickets DIR"})));
  }
  for (int tries = 0; tries < 3; ++tries) {
    const std::string way = AskTyped("Who has the new key of " + row_.key_ref + ": you (y), the customer (c), nobody yet (Enter)? ");
    if (way == "y") return TypeKey();
    if (way == "c") return MakeTicket(".");
    if (way.empty()) break;
    Say(way.size() > 3 ? "y, c or Enter. What you typed was shown: if it was a key, have it revoked at its provider" : "y, c or Enter");
  }
  return std::unexpected(Waits("waits for a new key; go on with " + Again({})));
}

Outcome<void> RecoverySteps::TypeKey() {
  TRY(CheckKeySource(options_.key_file));
  RotateOptions rotate;
  rotate.key_ref = row_.key_ref;
  rotate.no_verify = options_.no_verify;
  const auto read = [&](const vault::AddKeyRequest& request) { return HoldKey(session_, request, options_.key_file, row_.key_ref); };
  const auto put = PutNewVersion(session_, rotate, reason_, {read, {"keytool recover", row_.key_ref}, {}});
  if (put) return CancelTickets();
  // Somebody else may have been first.
  const auto replaced = FindReplaced();
  if (!replaced || !*replaced) return std::unexpected(put.error());
  Warn(put.error().text);
  return {};
}

// A profile that somebody suspended may have been for another reason: it is not resumed unasked.
Outcome<void> RecoverySteps::ResumeProfiles() {
  for (const UsingProfile& profile : profiles_) {
    if (profile.status != "SUSPENDED" || profile.key_ref != row_.new_key_ref || !row_.profiles.contains(profile.ref)) continue;
    if (!options_.resume_profiles && !AskYes("Resume profile " + profile.ref + ", which is SUSPENDED?")) {
      Say("profile " + profile.ref + " stays SUSPENDED; resume it with " + Command(session_.context(), {"keytool profile resume", profile.ref}));
      suspended_.push_back(profile.ref);
      continue;
    }
    const vault::MoveRequest request{profile.ref, "resume", reason_};
    TRY(session_.Ask(vault::Operation::kMoveProfile, request.Encode(), profile.ref));
    Say("profile " + profile.ref + " is ACTIVE again");
  }
  return {};
}

// Whoever may write the work database names the files of a batch: what is not this user's own is not touched in their name.
std::string RecoverySteps::WhyNotSent(const BatchFacts& batch) const {
  struct stat input {};
  if (stat(batch.input_file.c_str(), &input) != 0) return batch.input_file + ": " + std::strerror(errno);
  if (input.st_uid == geteuid() && batch.initiated_by == base::UserName(geteuid())) return "";
  return batch.initiated_by + " submitted it, and sends it again with " + Command(session_.context(), {"batch resume", batch.batch_id, "--replay"});
}

Outcome<void> RecoverySteps::Replay() {
  std::vector<std::string> batches;
  std::int64_t calls = 0;
  for (const auto& [batch, ids] : failed_.left) {
    if (batch.empty()) continue;
    TRY_ASSIGN(const auto facts, log_.FindBatch(batch));
    const std::string why = facts ? WhyNotSent(*facts) : "its batch is gone";
    if (why.empty()) {
      batches.push_back(batch);
      calls += std::ssize(ids);
    } else {
      Say("the " + std::to_string(ids.size()) + " rows of " + batch + " cannot be sent again here: " + why);
      replay_failed_ = options_.replay;
    }
  }
  if (batches.empty()) return {};
  const std::string of = batches.size() == 1 ? batches.front() : std::to_string(batches.size()) + " batches";
  const std::string what = std::to_string(calls) + " rows of " + of + " ended in PROVIDER_AUTH";
  if (!options_.replay && !AskYes(what + ". Send them again?")) {
    Say(what + "; send them again with " + Again({"--replay"}));
    return {};
  }
  TRY_ASSIGN(const std::string program, FindProgram("batch"));
  for (const std::string& batch : batches) {
    TRY_ASSIGN(const Finished finished,
               RunProgram(program, {"--home", session_.context().home, "resume", batch, "--replay", "--json"}, kReplayPatience));
    if (finished.exit_code == 0) continue;
    Say(batch + " was not sent again, or not every row of it has succeeded; see above, and " + Command(session_.context(), {"batch status", batch}));
    replay_failed_ = true;
  }
  return CountFailed();
}

}  // namespace strongroom::keytool
