#include "keytool/protectors.h"

#include <optional>
#include <utility>

#include "keytool/key_source.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

constexpr std::string_view kPassphrase = "passphrase";

Outcome<void> Ask(const Session& session, vault::Operation operation, const ProtectorOptions& options,
                  std::optional<vault::SecretValue> secret) {
  vault::ProtectorRequest request;
  request.protector = options.protector;
  request.with = options.with;
  request.reason = options.reason;
  TRY(session.Ask(operation, request.Encode(), options.protector, std::move(secret)));
  return {};
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
  std::optional<vault::SecretValue> secret;
  if (asked.protector == kPassphrase) {
    TRY(session.CheckAnswers());
    TRY_ASSIGN(secret, ReadPassphrase(asked.passphrase_file, true));
  }
  TRY(Ask(session, vault::Operation::kAddProtector, asked, std::move(secret)));
  Report(context, asked.protector, "added",
         "every KEK version is under " + asked.protector + " now; `keytool kek status` shows what else opens each");
  return {};
}

// What proves that another protector opens is asked for only where nothing opens by itself.
Outcome<void> RemoveProtector(const Context& context, const ProtectorOptions& options) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  ProtectorOptions asked = options;
  TRY_ASSIGN(asked.reason, AskReason(options.reason));
  if (asked.with.empty() && !asked.passphrase_file.empty()) asked.with = kPassphrase;
  if (asked.with.empty()) {
    const auto removed = Ask(session, vault::Operation::kRemoveProtector, asked, std::nullopt);
    if (!removed && removed.error().name != "PASSPHRASE_WANTED") return removed;
    if (!removed) asked.with = kPassphrase;
  }
  if (!asked.with.empty()) {
    TRY_ASSIGN(vault::SecretValue secret, ReadPassphrase(asked.passphrase_file, false));
    TRY(Ask(session, vault::Operation::kRemoveProtector, asked, std::move(secret)));
  }
  Report(context, asked.protector, "removed",
         "no KEK version is under " + asked.protector + " any more; copies of its files in backups are: destroy those too");
  return {};
}

}  // namespace strongroom::keytool
