#include "keytool/rotate.h"

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/intake.h"
#include "keytool/key_source.h"
#include "keytool/output.h"
#include "keytool/reason.h"

namespace strongroom::keytool {
namespace {

constexpr base::Micros kMostGrace = 366 * base::kMicrosPerDay;

Outcome<base::Micros> ReadGrace(const std::string& text) {
  const auto grace = base::ParseDuration(text);
  if (!grace || *grace > kMostGrace || !HasUnit(text)) return Usage("--grace is how long the old key goes on, with its unit: 0, 12h, 30d, at most 366d");
  return *grace;
}

Outcome<std::string> ShowKeyDocument(const Session& session, const std::string& key_ref) {
  return session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
}

void Report(const Session& session, const vault::RotateKeyRequest& done, const std::optional<Probed>& probed) {
  std::string until, status = "ROTATED";
  if (const auto document = ShowKeyDocument(session, done.old_key_ref)) {
    until = ReadMember(*document, "grace_until");
    status = ReadMember(*document, "status");
  }
  const bool goes_on = status == "ROTATED" && done.grace > 0;
  if (goes_on && until.empty()) until = ShownTime(base::FormatTime(base::WallMicros() + done.grace));
  if (session.context().json) {
    JsonLine line;
    line.Text("key_ref", done.new_key_ref).Text("old_key_ref", done.old_key_ref);
    line.OptionalText("grace_until", goes_on ? until : "").Text("old_status", status);
    return Print(line.Raw("probe", ProbedJson(probed)).Str() + "\n");
  }
  Print("rotated\n" + base::FormatFacts({{"  new", done.new_key_ref + "  ACTIVE, " + ProbedWords(probed)},
                                         {"  old", done.old_key_ref + "  " + status + (goes_on ? ", works until " + until : ", opens no more")}}));
  if (!goes_on) return Print("next: revoke the old key at its provider, where it is not yet\n");
  const Context& context = session.context();
  Print("next: until then " + Command(context, {"keytool rollback", done.old_key_ref}) + " goes back to it; after that vaultd REVOKES it by itself. Revoke it at its "
        "provider too: " + Command(context, {"keytool test", done.old_key_ref}) + " says, while it opens, whether that still takes it\n");
}

// Better said before a new key is typed, or a ticket opened, than by the vault afterwards.
Outcome<void> CheckWanted(const Session& session, const std::string& key_ref, const std::string& status) {
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListProfiles, "", ""));
  TRY_ASSIGN(const auto rows, ReadRows(document, {"key_ref", "status"}));
  for (const base::Row& row : rows) {
    if (row[0] == key_ref && row[1] != "TERMINATED") return {};
  }
  const std::string customer = key_ref.substr(0, key_ref.find('/'));
  return Failed("KEY_UNUSED", key_ref + " is " + status + " and no profile uses it: a new version of it would be used by nobody; " +
                                  Command(session.context(), {"keytool list --customer", customer}) + " shows what has its place, and " +
                                  Command(session.context(), {"keytool onboard", customer}) + " takes a key for a customer who comes back");
}

}  // namespace

// What has been replaced already, or is gone, cannot be: better said before the new key is typed.
Outcome<void> CheckReplaceable(const Session& session, const std::string& key_ref) {
  TRY_ASSIGN(const std::string document, ShowKeyDocument(session, key_ref));
  const std::string status = ReadMember(document, "status");
  if (status == "REVOKED" || status == "COMPROMISED") return CheckWanted(session, key_ref, status);
  if (status != "PENDING" && status != "ROTATED" && status != "DESTROYED") return {};
  return Failed("KEY_MOVE_FORBIDDEN", key_ref + " is " + status + ": a key is replaced that is ACTIVE, SUSPENDED, REVOKED or COMPROMISED; see " +
                                          Command(session.context(), {"keytool show", key_ref}));
}

Outcome<void> Rotate(const Context& context, const RotateOptions& options) {
  TRY(ReadKeyRef("KEY_REF", options.key_ref));
  TRY(ReadGrace(options.grace));
  TRY(CheckKeySource(options.key_file));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  const auto read = [&](const vault::AddKeyRequest& request) { return HoldKey(session, request, options.key_file, options.key_ref); };
  return RotateKey(session, options, reason, {read, {"keytool rotate", options.key_ref}, {}});
}

Outcome<void> RotateKey(const Session& session, const RotateOptions& options, const std::string& reason, const Arrival& arrival) {
  TRY_ASSIGN(const Rotated rotated, PutNewVersion(session, options, reason, arrival));
  Report(session, rotated.request, rotated.probed);
  return {};
}

Outcome<Rotated> PutNewVersion(const Session& session, const RotateOptions& options, const std::string& reason, const Arrival& arrival) {
  vault::RotateKeyRequest rotate;
  TRY_ASSIGN(rotate.grace, ReadGrace(options.grace));
  rotate.reason = reason;
  rotate.old_key_ref = options.key_ref;
  TRY(CheckReplaceable(session, options.key_ref));
  if (!options.no_verify) TRY(CheckProbe());
  vault::AddKeyRequest add;
  add.like = options.key_ref;
  add.reason = reason;
  const Route route = ModelRouteOf(session, options.key_ref);
  TRY_ASSIGN(rotate.new_key_ref, arrival.take(add));
  TRY_ASSIGN(auto probed, CheckHeld(session, rotate.new_key_ref, route, !options.no_verify, arrival));
  rotate.probed = !options.no_verify;
  const auto done = session.Ask(vault::Operation::kRotateKey, rotate.Encode(), options.key_ref);
  if (!done) return std::unexpected(StaysPending(done.error(), session.context(), rotate.new_key_ref, arrival));
  return Rotated{std::move(rotate), std::move(probed)};
}

}  // namespace strongroom::keytool
