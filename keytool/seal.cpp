#include "keytool/seal.h"

#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

Outcome<void> AskFor(const Context& context, vault::Operation operation, const std::string& reason, bool sealed,
                     const std::string& told) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string why, AskReason(reason));
  TRY(session.Ask(operation, vault::EncodeText(why), ""));
  JsonLine line;
  Print(context.json ? line.Flag("sealed", sealed).Str() + "\n" : told + "\n");
  return {};
}

}  // namespace

Outcome<void> SealVault(const Context& context, const std::string& reason) {
  return AskFor(context, vault::Operation::kSeal, reason, true,
                "sealed: vaultd holds no KEK, and releases no key until `keytool unseal`; workers wait within their deadlines");
}

Outcome<void> UnsealVault(const Context& context, const std::string& reason) {
  return AskFor(context, vault::Operation::kUnseal, reason, false, "unsealed: vaultd releases keys again");
}

}  // namespace strongroom::keytool
