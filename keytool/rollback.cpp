#include "keytool/rollback.h"

#include <optional>

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/intake.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/stopped.h"

namespace strongroom::keytool {
namespace {

// Pair is the key to bring back, and the one that took its place (empty: the trail does not say).
struct Pair {
  std::string old_key, new_key;
};

Outcome<std::string> Show(const Session& session, const std::string& key_ref) {
  return session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
}

Outcome<Pair> FindPair(const Session& session, const std::string& key_ref) {
  TRY_ASSIGN(const std::string document, Show(session, key_ref));
  const std::string status = ReadMember(document, "status");
  if (status == "ROTATED") return Pair{key_ref, ReadMember(document, "replaced_by")};
  std::string old_key = ReadMember(document, "replaces");
  if (!old_key.empty()) return Pair{std::move(old_key), key_ref};
  return Failed("KEY_NOT_ROTATED", key_ref + " is " + status + " and stands in no ROTATED key's place: a key is brought back within its grace alone; " +
                                       Command(session.context(), {"keytool rotate", key_ref}) + " takes another key");
}

Outcome<std::optional<Probed>> CheckOld(const Session& session, const Pair& pair, bool verify) {
  if (!verify) return std::nullopt;
  TRY(CheckProbe());
  // The profiles, and with them the way to the provider, are the new key's at present.
  const Route route = pair.new_key.empty() ? Route() : ModelRouteOf(session, pair.new_key);
  TRY_ASSIGN(const Probed probed, Probe(session.context(), pair.old_key, route));
  if (probed.ok) return std::optional(probed);
  Problem problem{kExitRefused, "PROBE_FAILED",
                  pair.old_key + " is not brought back: " + probed.message + "; nothing was changed. --no-verify brings it back unasked", pair.old_key};
  return std::unexpected(std::move(problem));
}

std::string StatusOf(const Session& session, const std::string& key_ref) {
  const auto document = key_ref.empty() ? Outcome<std::string>("") : Show(session, key_ref);
  return document ? ReadMember(*document, "status") : "";
}

}  // namespace

Outcome<void> RollBack(const Context& context, const RollBackOptions& options) {
  TRY(ReadKeyRef("KEY_REF", options.key_ref));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::MoveRequest request;
  request.move = "rollback";
  TRY_ASSIGN(request.reason, AskReason(options.reason));
  TRY_ASSIGN(const Pair pair, FindPair(session, options.key_ref));
  TRY_ASSIGN(const auto probed, CheckOld(session, pair, !options.no_verify));
  request.ref = pair.old_key;
  TRY_ASSIGN(const Bytes answer, session.Ask(vault::Operation::kRollBackKey, request.Encode(), pair.old_key));
  TRY_ASSIGN(const vault::StoppedAnswer stopped, ReadStopped(answer));
  const std::string status = StatusOf(session, pair.old_key), new_status = StatusOf(session, pair.new_key);
  JsonLine line;
  line.Text("key_ref", pair.old_key).OptionalText("instead_of", pair.new_key).OptionalText("instead_of_status", new_status);
  line.Raw("probe", ProbedJson(probed));
  ReportMove(context.json, std::move(line), pair.old_key, status, stopped, "; " + ProbedWords(probed));
  if (context.json || pair.new_key.empty()) return {};
  Print(pair.new_key + " is " + (new_status.empty() ? "changed" : new_status) + ", its profiles use " + pair.old_key + "\n");
  if (new_status == "SUSPENDED") Print("next: " + Command(context, {"keytool revoke", pair.new_key, "--reason TEXT"}) + ", where that key is good for nothing\n");
  return {};
}

}  // namespace strongroom::keytool
