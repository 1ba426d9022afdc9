#include "keytool/status.h"

#include <algorithm>

#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/session.h"

namespace strongroom::keytool {
namespace {

// What an admin has to know of that status alone does not shout.
void WarnOf(const std::string& document, const Facts& facts) {
  const auto is = [&](std::string_view name, std::string_view value) {
    return std::any_of(facts.begin(), facts.end(),
                       [&](const auto& fact) { return fact.first == name && fact.second == value; });
  };
  if (is("trail healthy", "no")) Warn("the trail cannot be written: no key is released until it can; see vaultd's log");
  if (is("stops healthy", "no")) Warn("the file 'stops' in the home cannot be written; see vaultd's log");
  if (is("stops database older", "yes")) {
    Warn("the vault database is older than the last act that vaultd acknowledged: no key is released; put the newest one "
         "back, or move the home away and make it anew from a backup with `keytool restore`");
  }
  if (const std::string paths = ReadMember(document, "exposed"); !paths.empty()) {
    Warn("others than its owner may open " + paths + ": chmod go= it, and if somebody could have copied a KEK, rotate");
  }
  if (!ReadMember(document, "quarantine").empty()) {
    Warn("this home was put back from a backup and is in quarantine: no key is released until `keytool restore --finish`");
  }
  if (is("recovery intact", "no")) {
    Warn("the recovery key, or a KEK sealed to it, was changed outside vaultd: make a new set with `keytool kek backup`");
  }
  if (is("sealed", "yes")) Warn("the vault is sealed: no key leaves; `keytool unseal`, once a protector of each KEK is in place");
  if (ReadMember(document, "protection").starts_with("none")) Warn("keys in vaultd's memory are not locked");
  if (is("single user", "yes")) {
    Warn("single_user = true: one user may be admin and worker at once; give the roles users of their own in production");
  }
}

}  // namespace

Outcome<void> ShowStatus(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kStatus, {}, ""));
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
