#include "keytool/protectors.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "keytool/document.h"
#include "keytool/key_source.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

Outcome<void> Ask(const Session& session, vault::Operation operation, const ProtectorOptions& options,
                  std::optional<vault::SecretValue> secret) {
  vault::ProtectorRequest request;
  request.protector = options.protector;
  request.with = options.with;
  request.reason = options.reason;
  TRY(session.Ask(operation, request.Encode(), options.protector, std::move(secret)));
  return {};
}

// IsWanted is whether vaultd would have had a passphrase or a PIN.
bool IsWanted(const Outcome<void>& outcome) { return !outcome && outcome.error().name == "PASSPHRASE_WANTED"; }

// FindProof is the protector that is to prove that the KEKs open without the one that goes.
Outcome<std::string> FindProof(const Session& session, const std::string& going) {
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kKekStatus, {}, ""));
  TRY_ASSIGN(const std::vector<base::Row> rows, ReadRows(document, {"protectors"}));
  const auto has = [&](std::string_view protector) {
    const auto lists = [&](const base::Row& row) { return row[0].find(protector) != std::string::npos; };
    return going != protector && std::ranges::any_of(rows, lists);
  };
  if (has(kByPassphrase)) return std::string(kByPassphrase);
  if (has(kByPin)) return std::string(kByPin);
  return Failed("PASSPHRASE_WANTED", "nothing else opens every KEK version now; see `keytool kek status`");
}

// Versions names KEK versions, "1, 2".
struct Versions {
  std::string with, without, only, retired_only;
};

// FindVersions tells the versions there are by whether they are under a protector, and under it alone.
Outcome<Versions> FindVersions(const Session& session, std::string_view protector) {
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kKekStatus, {}, ""));
  TRY_ASSIGN(const std::vector<base::Row> rows, ReadRows(document, {"kek_version", "status", "protectors"}));
  Versions versions;
  const auto add = [](std::string& list, const std::string& name) { list += (list.empty() ? "" : ", ") + name; };
  for (const base::Row& row : rows) {
    if (row[1] == "DESTROYED") continue;
    const bool has = row[2].find(protector) != std::string::npos;
    add(has ? versions.with : versions.without, row[0] + " (" + row[1] + ")");
    if (row[2] != protector) continue;
    add(row[1] == "RETIRED" ? versions.retired_only : versions.only, row[0]);
  }
  return versions;
}

// ToldAdded is what the files say by now: a RETIRED version whose KEK is not in memory, nor in a file, could not be put under it.
std::string ToldAdded(const Session& session, const std::string& protector) {
  const auto versions = FindVersions(session, protector);
  if (!versions) return "every KEK version in memory is under " + protector + " now; `keytool kek status` shows what opens each";
  if (versions->without.empty()) return "every KEK version is under " + protector + " now; `keytool kek status` shows what else opens each";
  return "KEK version " + versions->with + " is under " + protector + " now, but not " + versions->without +
         ": its KEK is not in memory, for nothing is under a RETIRED version; it goes with `keytool kek destroy`, 7 days after it was retired";
}

// WhyLast is PROTECTOR_LAST in terms of the versions that have no other. A RETIRED one keeps it too: a backup may need that KEK.
Problem WhyLast(const Session& session, const std::string& protector, Problem refused) {
  const auto versions = FindVersions(session, protector);
  if (!versions || (versions->only.empty() && versions->retired_only.empty())) return refused;
  refused.text = protector + ": nothing was done: ";
  if (!versions->only.empty()) {
    refused.text += "KEK version " + versions->only + " has no other protector, and would be lost: add another with `keytool kek add-protector` first";
    return refused;
  }
  refused.text += "RETIRED KEK version " + versions->retired_only + " has no other protector. No key is under it, but a backup from before "
                  "would be lost with it: `keytool kek destroy` gives it up, 7 days after it was retired; then run this again";
  return refused;
}

void Report(const Context& context, const std::string& protector, std::string_view did, const std::string& told) {
  JsonLine line;
  Print(context.json ? line.Text("protector", protector).Text("did", std::string(did)).Str() + "\n" : told + "\n");
}

}  // namespace

Outcome<void> AddProtector(const Context& context, const ProtectorOptions& options) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  ProtectorOptions asked = options;
  TRY_ASSIGN(asked.reason, AskReason(options.reason));
  // vaultd may have the PIN already, but never a passphrase.
  const bool at_once = asked.protector == kByPassphrase || asked.protector == asked.files.Meant();
  const auto added = at_once ? Outcome<void>() : Ask(session, vault::Operation::kAddProtector, asked, std::nullopt);
  if (!added && !IsWanted(added)) return added;
  if (at_once || !added) {
    TRY(session.CheckAnswers());
    TRY_ASSIGN(vault::SecretValue secret, ReadSecret(asked.protector, asked.files, true));
    TRY(Ask(session, vault::Operation::kAddProtector, asked, std::move(secret)));
  }
  Report(context, asked.protector, "added",
         context.json ? "" : ToldAdded(session, asked.protector));
  return {};
}

// What proves that another protector opens is asked for only where nothing opens by itself.
Outcome<void> RemoveProtector(const Context& context, const ProtectorOptions& options) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  ProtectorOptions asked = options;
  TRY_ASSIGN(asked.reason, AskReason(options.reason));
  if (asked.with.empty()) asked.with = asked.files.Meant();
  if (asked.with == asked.protector) {
    return Usage("what " + asked.protector + " opens with is not needed to remove it: give what another protector opens with, where it is asked for, or nothing");
  }
  if (asked.with.empty()) {
    const auto removed = Ask(session, vault::Operation::kRemoveProtector, asked, std::nullopt);
    if (!removed && removed.error().name == "PROTECTOR_LAST") return std::unexpected(WhyLast(session, asked.protector, removed.error()));
    if (!removed && !IsWanted(removed)) return removed;
    if (!removed) {
      TRY_ASSIGN(asked.with, FindProof(session, asked.protector));
    }
  }
  if (!asked.with.empty()) {
    TRY_ASSIGN(vault::SecretValue secret, ReadSecret(asked.with, asked.files));
    const auto removed = Ask(session, vault::Operation::kRemoveProtector, asked, std::move(secret));
    if (!removed && removed.error().name == "PROTECTOR_LAST") return std::unexpected(WhyLast(session, asked.protector, removed.error()));
    TRY(removed);
  }
  Report(context, asked.protector, "removed",
         "no KEK version is under " + asked.protector + " any more; copies of its files in backups are: destroy those too");
  return {};
}

}  // namespace strongroom::keytool
