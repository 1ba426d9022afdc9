#include "keytool/vault_seal.h"

#include <algorithm>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

// WhyWithheld is what keeps keys from leaving a vault that is not sealed, empty where nothing is known to.
std::string WhyWithheld(const Session& session) {
  const auto status = session.AskText(vault::Operation::kStatus, {}, "");
  if (!status) return "";
  if (!ReadMember(*status, "quarantine").empty()) return "this home is in quarantine: no key is released until `keytool restore --finish`";
  const auto facts = ReadFacts(*status);
  const bool older = facts && std::ranges::find(*facts, std::pair<std::string, std::string>("stops database older", "yes")) != facts->end();
  return older ? "no key is released: the vault database is older than what was acknowledged; see `keytool status`" : "";
}

// WhySealed adds what vaultd itself says is missing.
Problem WhySealed(const Session& session, Problem problem) {
  if (problem.name != vault::RefusalName(vault::Refusal::kUnsealFailed)) return problem;
  const auto status = session.AskText(vault::Operation::kStatus, {}, "");
  const std::string because = status ? ReadMember(*status, "sealed_because") : "";
  if (!because.empty()) problem.text += "; it is sealed for this: " + because;
  return problem;
}

void Report(const Context& context, bool sealed, const std::string& told) {
  JsonLine line;
  Print(context.json ? line.Flag("sealed", sealed).Str() + "\n" : told + "\n");
}

Outcome<void> UnsealWith(const Session& session, const std::string& with, const SecretFiles& files, const std::string& why) {
  vault::ProtectorRequest request;
  request.protector = with;
  request.reason = why;
  TRY_ASSIGN(vault::SecretValue secret, ReadSecret(with, files));
  TRY(session.Ask(vault::Operation::kUnsealWith, request.Encode(), "", std::move(secret)));
  return {};
}

}  // namespace

Outcome<void> NewOrigin(const Context& context, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY_ASSIGN(const std::string vkey, session.AskText(vault::Operation::kNewOrigin, vault::EncodeText(why), ""));
  if (context.json) {
    Print(JsonLine().Text("verifier_key", vkey).Str() + "\n");
    return {};
  }
  Print("the database is taken as it is, and vaultd releases keys again\n" +
        base::FormatFacts({{"  verifier key", vkey},
                           {"  1.", "give it to whoever verifies the trail: checkpoints under the old name end here"},
                           {"  2.", "acts that this database lost are done no more: look through `keytool list` and `auditlog report key`, and "
                                    "revoke again what was revoked since"},
                           {"  3.", "keep HOME/anchor.before and every checkpoint of the old name: they show what was lost"}}));
  return {};
}

Outcome<void> RotateSigningKey(const Context& context, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY_ASSIGN(const std::string vkey, session.AskText(vault::Operation::kRotateSigningKey, vault::EncodeText(why), ""));
  if (context.json) {
    Print(JsonLine().Text("verifier_key", vkey).Str() + "\n");
    return {};
  }
  Print("the trail is signed by a new key; the old one signs beside it until a checkpoint of both is published, and is erased then\n" +
        base::FormatFacts({{"  verifier key", vkey},
                           {"  1.", "give it to whoever verifies the trail; who noted the old one can go on with it"},
                           {"  2.", "`keytool status` tells when the old key is gone"}}));
  return {};
}

Outcome<void> SealVault(const Context& context, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY(session.Ask(vault::Operation::kSeal, vault::EncodeText(why), ""));
  Report(context, true,
         "sealed: vaultd holds no KEK, and releases no key until `keytool unseal`; workers wait within their deadlines");
  return {};
}

Outcome<void> UnsealVault(const Context& context, const std::string& with, const SecretFiles& files, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  std::string protector = with.empty() ? std::string(files.Meant()) : with;
  if (protector.empty()) {
    TRY_ASSIGN(const std::string status, session.AskText(vault::Operation::kStatus, {}, ""));
    protector = ReadMember(status, "unseal_asks");
  }
  if (protector.empty()) {
    if (auto done = session.Ask(vault::Operation::kUnseal, vault::EncodeText(why), ""); !done) return std::unexpected(WhySealed(session, std::move(done.error())));
  } else {
    TRY(UnsealWith(session, protector, files, why));
  }
  const std::string withheld = WhyWithheld(session);
  Report(context, false, withheld.empty() ? "unsealed: vaultd releases keys again" : "unsealed, but " + withheld);
  return {};
}

}  // namespace strongroom::keytool
