#include "keytool/keys.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/probe.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "keytool/stopped.h"

namespace strongroom::keytool {
namespace {

constexpr std::int64_t kUnauthorized = 401, kForbidden = 403;

constexpr std::array<std::string_view, 7> kStates{"PENDING", "ACTIVE",      "ROTATED",  "SUSPENDED",
                                                  "REVOKED", "COMPROMISED", "DESTROYED"};

Outcome<void> CheckStatus(const std::string& status) {
  if (status.empty() || std::find(kStates.begin(), kStates.end(), status) != kStates.end()) return {};
  return Usage("--status is one of PENDING ACTIVE ROTATED SUSPENDED REVOKED COMPROMISED DESTROYED");
}

// By KEY_REF, versions as numbers: 2 comes before 10.
bool Before(const base::Row& a, const base::Row& b) {
  const auto left = vault::KeyRef::Parse(a.front()), right = vault::KeyRef::Parse(b.front());
  if (!left || !right) return a.front() < b.front();
  const auto order = [](const vault::KeyRef& ref) {
    return std::tuple(std::string_view(ref.customer()), std::string_view(ref.provider()), std::string_view(ref.label()),
                      ref.version());
  };
  return order(*left) < order(*right);
}

// TryNoticed asks the provider once more about a key that is SUSPENDED because it refused it; false where it is not such a key. It goes
// on, by one person's word, only where the provider takes it.
Outcome<bool> TryNoticed(const Session& session, const std::string& key_ref) {
  const Context& context = session.context();
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref));
  if (ReadMember(document, "noticed_at").empty()) return false;
  TRY(CheckProbe());
  TRY_ASSIGN(const Probed probed, Probe(context, key_ref, RouteOf(session, key_ref)));
  if (probed.ok) return true;
  Problem problem{kExitRefused, "PROBE_FAILED",
                  key_ref + " stays SUSPENDED: " + probed.message + "; " + Command(context, {"keytool rotate", key_ref}) +
                      " puts a new key in its place",
                  key_ref};
  return std::unexpected(std::move(problem));
}

// WhatNext is what can be done with a key of that status, where something else was asked for.
std::string WhatNext(const Session& session, const std::string& key_ref, const std::string& status) {
  const auto command = [&](base::Literal act) { return Command(session.context(), ShownCommand{act, key_ref}); };
  if (status == "PENDING") return command("keytool revoke") + " drops it";
  if (status == "ROTATED") return command("keytool revoke") + " ends its grace, " + command("keytool rollback") + " goes back to it";
  if (status == "ACTIVE" || status == "SUSPENDED") return command("keytool show") + " says more";
  if (status == "REVOKED" || status == "COMPROMISED") return "for good; " + command("keytool recover") + " has another key take its place, " + command("keytool destroy") + " erases it";
  return "nothing is left of it";
}

Problem Explained(const Session& session, const std::string& key_ref, Problem problem) {
  const bool soon = problem.name == vault::RefusalName(vault::Refusal::kKeyTooSoon), forbidden = problem.name == vault::RefusalName(vault::Refusal::kKeyMoveForbidden);
  if (!soon && !forbidden) return problem;
  const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
  if (!shown) return problem;
  const std::string from = ReadMember(*shown, "destroyable_from"), status = ReadMember(*shown, "status");
  if (soon && !from.empty()) problem.text += "; this one from " + from + " on";
  if (forbidden) problem.text += "; it is " + status + ": " + WhatNext(session, key_ref, status);
  return problem;
}

}  // namespace

Outcome<void> ListKeys(const Context& context, const std::string& customer, const std::string& status) {
  if (!customer.empty()) TRY(CheckCustomer(customer));
  TRY(CheckStatus(status));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListKeys, customer, status));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(std::vector<base::Row> rows, ReadRows(document, {"key_ref", "status", "origin", "hosted", "created_at",
                                                              "last_used_at", "grace_until", "intact"}));
  if (rows.empty()) {
    Print(customer.empty() && status.empty()
              ? "no keys yet; " + Command(context, {"keytool onboard CUSTOMER --provider P --model M"}) + " adds one\n"
              : "no such keys\n");
    return {};
  }
  std::sort(rows.begin(), rows.end(), Before);
  Print(base::FormatTable(
      {{"KEY_REF"}, {"STATUS"}, {"ORIGIN"}, {"HOSTED"}, {"CREATED"}, {"LAST USED"}, {"GRACE UNTIL"}, {"INTACT"}}, rows));
  if (std::ranges::any_of(rows, [](const base::Row& row) { return row.back() == "no"; })) {
    Warn("a key that is not INTACT was changed outside vaultd, and is not used: " + Command(context, {"keytool show KEY_REF"}) + " says more");
  }
  return {};
}

Outcome<void> ShowKey(const Context& context, const std::string& key_ref) {
  TRY(ReadKeyRef("KEY_REF", key_ref));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document,
             session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(const Facts facts, ReadFacts(document));
  Print(base::FormatFacts(facts));
  if (ReadMember(document, "intact") == "no") {
    Warn("the row of " + key_ref + " was changed outside vaultd: it does not open; restore it, or revoke the key and onboard a new version");
  }
  return {};
}

Outcome<void> TestKey(const Context& context, const std::string& key_ref) {
  TRY(ReadKeyRef("KEY_REF", key_ref));
  TRY(CheckProbe());
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref));
  const std::string status = ReadMember(document, "status"), instead = ReadMember(document, "replaced_by");
  if (status == "REVOKED" || status == "COMPROMISED") {
    return Failed("KEY_" + status, key_ref + " is " + status + ": it does not open any more, so nobody here can ask its provider; see there that it was revoked");
  }
  TRY_ASSIGN(Probed probed, Probe(context, key_ref, RouteOf(session, instead.empty() ? key_ref : instead)));
  const bool rotated = status == "ROTATED", refused = probed.status == kUnauthorized || probed.status == kForbidden;
  if (!probed.ok) {
    const std::string dead = rotated && refused ? "; it was rotated, so it is to be dead there" : "";
    Problem problem{kExitRefused, "PROBE_FAILED", key_ref + ": " + probed.message + dead, key_ref};
    return std::unexpected(std::move(problem));
  }
  if (rotated) probed.message += "; the key was rotated and still works there: revoke it at its provider too";
  if (context.json) {
    JsonLine line;
    line.Text("key_ref", key_ref).Flag("ok", true).Number("status", probed.status).Text("message", probed.message);
    Print(line.Str() + "\n");
  } else {
    Print(key_ref + ": " + probed.message + "\n");
  }
  return {};
}

Outcome<void> MoveKey(const Context& context, const std::string& move, const std::string& key_ref,
                      const std::string& reason) {
  TRY(ReadKeyRef("KEY_REF", key_ref));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::MoveRequest request;
  request.ref = key_ref;
  request.move = move;
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY_ASSIGN(const bool tried, move == "resume" ? TryNoticed(session, key_ref) : Outcome<bool>(false));
  const auto operation = tried ? vault::Operation::kResumeNoticed : vault::Operation::kMoveKey;
  auto moved = session.Ask(operation, request.Encode(), key_ref);
  if (!moved) {
    return std::unexpected(Explained(session, key_ref, std::move(moved.error())));
  }
  TRY_ASSIGN(const vault::StoppedAnswer stopped, ReadStopped(*moved));
  const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
  // A key without a row cannot be shown, and has no other moves.
  const bool gone = !shown && shown.error().name == vault::RefusalName(vault::Refusal::kKeyTampered);
  const std::string status = shown ? ReadMember(*shown, "status") : !gone ? "" : move == "revoke" ? "REVOKED" : "COMPROMISED";
  const bool destroyed = move == "destroy";
  ReportMove(context.json, JsonLine().Text("key_ref", key_ref).Text("move", move), key_ref, status, stopped,
             destroyed ? "; copies of vault.db in backups still hold it: destroy those too, and the key at its provider" : "");
  if (shown && move == "compromise") WarnOfCopies(context, *shown);
  return {};
}

}  // namespace strongroom::keytool
