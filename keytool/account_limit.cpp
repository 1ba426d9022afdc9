#include "keytool/account_limit.h"

#include <utility>

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"

namespace strongroom::keytool {
namespace {

Outcome<std::string> KeyDocument(const Session& session, const std::string& key_ref) {
  return session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
}

// Account is one of the two numbers, in words: "1000 requests a minute, 900 given away, 100 left".
std::string Account(const std::string& document, const std::string& unit, const std::string& suffix) {
  const std::string limit = ReadMember(document, "limit_" + suffix), shares = ReadMember(document, "shares_" + suffix);
  const std::string given = shares.empty() ? "nobody knows how many given away" : shares + " given away";
  if (limit.empty()) return "no limit of " + unit + " a minute, " + given;
  const std::string left = ReadMember(document, "left_" + suffix);
  return limit + " " + unit + " a minute, " + given + (left.empty() ? "" : ", " + left + " left");
}

std::string Words(const std::string& document) {
  return Account(document, "requests", "rpm") + "; " + Account(document, "tokens", "tpm");
}

// Unshared is the profiles without a share, with the command for the first; empty where there is none.
std::string Unshared(const Context& context, const std::string& document) {
  const std::vector<std::string> without = ReadList(document, "without_share");
  if (without.empty()) return "";
  return "without a share: " + ReadMember(document, "without_share") + "; " + Command(context, {"keytool profile set", without.front(), "--rpm N --tpm N"});
}

void Report(const Context& context, const std::string& key_ref, const std::string& document) {
  if (context.json) return Print(document + "\n");
  Print(key_ref + ": " + Words(document) + "\n");
  if (const std::string unshared = Unshared(context, document); !unshared.empty()) Print(unshared + "\n");
}

}  // namespace

Outcome<void> LimitKey(const Context& context, const LimitOptions& options) {
  const std::string& ref = options.key_ref;
  TRY(ReadKeyRef("KEY_REF", ref));
  TRY_ASSIGN(const Session session, Session::Open(context));
  if (options.rpm || options.tpm) {
    vault::LimitKeyRequest request;
    request.key_ref = ref;
    request.rpm = options.rpm;
    request.tpm = options.tpm;
    TRY_ASSIGN(request.reason, AskReason(options.reason));
    auto done = session.Ask(vault::Operation::kLimitKey, request.Encode(), ref);
    if (!done) return std::unexpected(WithShares(session, std::move(done.error()), ref));
  }
  TRY_ASSIGN(const std::string document, KeyDocument(session, ref));
  Report(context, ref, document);
  return {};
}

Problem WithShares(const Session& session, Problem problem, const std::string& key_ref) {
  const bool over = problem.name == vault::RefusalName(vault::Refusal::kSharesOverLimit);
  const bool missing = problem.name == vault::RefusalName(vault::Refusal::kShareMissing);
  if (key_ref.empty() || (!over && !missing)) return problem;
  const auto document = KeyDocument(session, key_ref);
  if (!document) return problem;
  problem.text += ". As it is, " + key_ref + " has " + Words(*document);
  if (const std::string unshared = Unshared(session.context(), *document); !unshared.empty()) problem.text += "; " + unshared;
  return problem;
}

}  // namespace strongroom::keytool
