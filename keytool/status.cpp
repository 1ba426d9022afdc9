#include "keytool/status.h"

#include <algorithm>

#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/session.h"

namespace strongroom::keytool {
namespace {

bool Is(const Facts& facts, std::string_view name, std::string_view value) {
  return std::any_of(facts.begin(), facts.end(),
                     [&](const auto& fact) { return fact.first == name && fact.second == value; });
}

void WarnOfOnePerson(const Facts& facts) {
  const bool alone = Is(facts, "two people demanded", "no");
  if (Is(facts, "single user", "yes")) {
    Warn(std::string("single_user = true: one user may be admin and worker at once") +
         (alone ? ", and no act needs a second person" : "") + "; give the roles users of their own in production");
  } else if (alone) {
    Warn("no act needs a second person: `keytool approvals require on` where there are two admins besides root");
  }
  if (Is(facts, "two people demanded", "") && !Is(facts, "sealed", "yes") && !Is(facts, "database answers", "no")) {
    Warn("the row of TWO_PEOPLE was changed outside vaultd: what needs two people is refused to everybody");
  }
}

// What an admin has to know of that status alone does not shout.
void WarnOf(const std::string& document, const Facts& facts) {
  const auto is = [&](std::string_view name, std::string_view value) { return Is(facts, name, value); };
  if (is("database answers", "no")) {
    Warn("the vault database does not answer: no key is released and no act is done until it does, and what only it says is left out here; "
         "see vaultd's log");
  }
  if (is("trail healthy", "no")) Warn("the trail cannot be written: no key is released until it can; see vaultd's log");
  if (is("trail disk has room", "no")) Warn("the vault database's disk is full: no key is released until there is room; stopping keys still works for a while");
  if (is("trail signing key rotating", "yes")) Warn("the trail's signing key is being changed: both keys sign until a checkpoint of both is published; the old one is erased then");
  if (is("trail publishing healthy", "no")) Warn("checkpoints of the trail cannot be published ([audit] checkpoints); see vaultd's log");
  if (is("stops healthy", "no")) Warn("the file 'stops' in the home cannot be written, or was replaced: the next act that stops a key puts it back; see vaultd's log");
  if (const bool sound = is("trail anchor", "sound"); is("stops database older", "yes")) {
    Warn(std::string(sound ? "the vault database is older than the last act that vaultd acknowledged"
                           : "the trail in the vault database is not what the home's anchor says, or the anchor is gone") +
         ": no key is released; put the newest database and its anchor back, or move the home away and make it anew from a backup with `keytool "
         "restore`; where there is neither, `keytool new-origin`");
  }
  if (const std::string paths = ReadMember(document, "exposed"); !paths.empty()) {
    Warn("others than its owner may open " + paths + ", or change what is there: chmod go= it, and if somebody could have copied a KEK, rotate");
  }
  if (!ReadMember(document, "quarantine").empty()) {
    Warn("this home was put back from a backup and is in quarantine: no key is released until `keytool restore --finish`");
  }
  if (is("recovery intact", "no")) {
    Warn("the recovery key, or a KEK sealed to it, was changed outside vaultd: make a new set with `keytool kek backup`");
  }
  if (is("sealed", "yes")) {
    const std::string why = ReadMember(document, "sealed_because");
    Warn("the vault is sealed: no key leaves; `keytool unseal`, once a protector of each KEK is in place" +
         (why.empty() ? "" : ". Sealed because: " + why));
  }
  if (!is("ceilings denied attempts", "0") || !is("ceilings denied users", "0")) {
    Warn("a worker asked twice for one release, or for more keys than keys_per_minute: `auditlog search --action resolve "
         "--outcome denied` says which; if it is not yours, stop it and rotate what it was given");
  }
  if (!is("ceilings denied reports", "0")) {
    Warn("a worker reported providers' answers to calls that it was given no key for: `auditlog search --action report_call --outcome "
         "denied` says which; if it is not yours, stop it and rotate what it was given");
  }
  if (const std::string over = ReadMember(document, "over_quota"); !over.empty() && over != "0") {
    Warn(over + (over == "1" ? " profile has" : " profiles have") + " spent the month's tokens: `keytool profile list --status OVER_QUOTA` says until when, "
         "`keytool profile set PROFILE_REF --quota N` lets one go on at once");
  }
  if (ReadMember(document, "protection").starts_with("none")) Warn("keys in vaultd's memory are not locked");
  WarnOfOnePerson(facts);
}

// A refusal is an answer too: vaultd is there.
Outcome<void> ShowRefused(const Context& context, const Session& session, const Problem& refused) {
  const std::string answers = "answers at " + session.config().vault.socket;
  if (context.json) {
    Print(JsonLine().Text("vaultd", answers).Text("error", refused.name).Text("message", refused.text).Str() + "\n");
    return {};
  }
  Print(base::FormatFacts({{"vaultd", answers}}));
  Warn("it does not tell its status: " + refused.text);
  return {};
}

}  // namespace

Outcome<void> ShowStatus(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  const auto answer = session.AskText(vault::Operation::kStatus, {}, "");
  if (!answer && answer.error().answered) return ShowRefused(context, session, answer.error());
  TRY(answer);
  const std::string& document = *answer;
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(Facts facts, ReadFacts(document));
  facts.insert(facts.begin(), {"vaultd", "answers at " + session.config().vault.socket});
  Print(base::FormatFacts(facts));
  WarnOf(document, facts);
  return {};
}

}  // namespace strongroom::keytool
