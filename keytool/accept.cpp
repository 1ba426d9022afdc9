#include "keytool/accept.h"

#include <optional>

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/rotate.h"
#include "vault/key_blob.h"
#include "vault/origin.h"
#include "vault/ticket_protocol.h"

namespace strongroom::keytool {
namespace {

// Invited is a ticket's row as vaultd lists it.
struct Invited {
  std::string customer, provider, endpoint, origin, rotates, status, key_ref;
};

Outcome<std::optional<Invited>> FindTicket(const Session& session, const std::string& ticket_id) {
  vault::ListRequest request;
  do {
    TRY_ASSIGN(const Bytes body, session.Ask(vault::Operation::kListTickets, request.Encode(), ""));
    const auto page = vault::ListAnswer::Decode(body);
    if (!page || (!page->next.empty() && page->next <= request.after)) return Unreadable();
    for (const std::string& row : page->rows) {
      if (ReadMember(row, "ticket") != ticket_id) continue;
      return Invited{ReadMember(row, "customer"), ReadMember(row, "provider"), ReadMember(row, "endpoint"), ReadMember(row, "origin"),
                     ReadMember(row, "rotates"),  ReadMember(row, "status"),   ReadMember(row, "key_ref")};
    }
    request.after = page->next;
  } while (!request.after.empty());
  return std::nullopt;
}

// Accepting is one run: what was read, and what vaultd says of its ticket.
class Accepting {
 public:
  Accepting(const Session& session, const AcceptOptions& options, std::string file, std::string reason)
      : session_(session), options_(options), file_(std::move(file)), reason_(std::move(reason)) {}
  Outcome<void> Run();

 private:
  bool MayCome() const;
  Outcome<std::string> HandIn(const std::string& label, bool hosted) const;
  Outcome<std::string> Confirmed(const std::string& label, bool hosted) const;
  Problem Explained(Problem problem) const;
  Outcome<void> First() const;
  Outcome<void> NewVersion() const;
  ShownCommand GoOn(const ShownCommand& more) const { return ShownCommand{"keytool accept", options_.blob, "--continue"}.Add(more); }

  const Session& session_;
  const AcceptOptions& options_;
  const std::string file_, reason_;
  std::optional<vault::KeyBlob> blob_;
  std::optional<Invited> invited_;
};

// What vaultd will refuse is handed in without further questions, for it has to be on the trail.
bool Accepting::MayCome() const {
  if (!invited_) return false;
  const std::string& customer = options_.onboard.customer;
  return (customer.empty() || customer == invited_->customer) && (invited_->status == "OPEN" || options_.go_on);
}

Outcome<std::string> Accepting::HandIn(const std::string& label, bool hosted) const {
  vault::AcceptTicketRequest request;
  request.blob = base::Hex(base::AsBytes(file_));
  request.customer = options_.onboard.customer.empty() && invited_ ? invited_->customer : options_.onboard.customer;
  request.label = label;
  request.hosted = hosted;
  request.go_on = options_.go_on;
  request.reason = reason_;
  auto key_ref = session_.AskText(vault::Operation::kAcceptTicket, request.Encode(), options_.blob);
  if (!key_ref) return std::unexpected(Explained(std::move(key_ref.error())));
  return key_ref;
}

Problem Accepting::Explained(Problem problem) const {
  if (problem.name != vault::RefusalName(vault::Refusal::kTicketUsed) || !invited_ || invited_->key_ref.empty() || options_.go_on) return problem;
  const auto key = session_.AskText(vault::Operation::kShowKey, vault::EncodeText(invited_->key_ref), invited_->key_ref);
  if (!key || ReadMember(*key, "status") != "PENDING") return problem;
  problem.key_ref = invited_->key_ref;
  problem.text += "; its key " + invited_->key_ref + " is PENDING: where that accept was not finished, go on with " +
                  Command(session_.context(), GoOn(FlagsOf(options_.onboard)));
  return problem;
}

// The phrase is asked for last: what else could be wrong was found by then, and nothing is done before it.
Outcome<std::string> Accepting::Confirmed(const std::string& label, bool hosted) const {
  const auto phrase = blob_->Phrase();
  if (!phrase) return FailedBy(phrase.error(), options_.blob);
  TRY(ConfirmPhrase(options_.check, *phrase, "sealed key", "This is a key of " + invited_->customer + " for " + invited_->provider + "."));
  return HandIn(label, hosted);
}

Outcome<void> Accepting::First() const {
  if (!options_.grace.empty()) return Usage("--grace is for a ticket of `keytool invite --rotate`, and this one is for a first key");
  OnboardOptions onboard = options_.onboard;
  onboard.customer = invited_->customer;
  onboard.provider = invited_->provider;
  if (onboard.model.empty()) return Usage("--model MODEL is missing: the model called where a request names none");
  if (onboard.endpoint.empty()) onboard.endpoint = invited_->endpoint;
  if (!onboard.endpoint.empty()) {
    const auto origin = vault::Origin::OfEndpoint(onboard.endpoint);
    if (!origin || origin->text() != invited_->origin) return Usage("--endpoint is not at " + invited_->origin + ", which the key was sealed for");
  }
  Arrival arrival;
  arrival.take = [this](const vault::AddKeyRequest& request) { return Confirmed(request.label, request.hosted); };
  arrival.again = {"keytool invite", onboard.customer, "--provider", onboard.provider};
  if (!invited_->endpoint.empty()) arrival.again.Add({"--endpoint", invited_->endpoint});
  arrival.go_on = GoOn(FlagsOf(onboard));
  return OnboardKey(session_, onboard, reason_, arrival);
}

Outcome<void> Accepting::NewVersion() const {
  const OnboardOptions& given = options_.onboard;
  const bool of_a_profile = !given.model.empty() || !given.profile.empty() || !given.endpoint.empty() || !given.api_version.empty() ||
                            !given.models_allowed.empty() || given.rpm || given.tpm || given.quota || given.max_tokens;
  if (of_a_profile || given.label != "default" || given.mode != "byok") {
    return Usage("this ticket is for a new version of " + invited_->rotates + ": profile, limits, label and place stay as they are");
  }
  RotateOptions rotate;
  rotate.key_ref = invited_->rotates;
  if (!options_.grace.empty()) rotate.grace = options_.grace;
  rotate.no_verify = given.no_verify;
  Arrival arrival;
  arrival.take = [this](const vault::AddKeyRequest&) { return Confirmed("", false); };
  arrival.again = {"keytool invite --rotate", invited_->rotates};
  arrival.go_on = GoOn(options_.grace.empty() ? ShownCommand() : ShownCommand{"--grace", options_.grace});
  return RotateKey(session_, rotate, reason_, arrival);
}

Outcome<void> Accepting::Run() {
  if (auto blob = vault::KeyBlob::Parse(file_)) blob_ = std::move(*blob);
  if (blob_) {
    TRY_ASSIGN(invited_, FindTicket(session_, blob_->ticket_id));
  }
  if (MayCome()) return invited_->rotates.empty() ? First() : NewVersion();
  TRY_ASSIGN(const std::string key_ref, HandIn("", false));
  return std::unexpected(StaysPending(Failed("CONFLICT", options_.blob + " was taken while its ticket changed").error(), session_.context(),
                                      key_ref, {nullptr, {}, GoOn({})}));
}

}  // namespace

Outcome<void> Accept(const Context& context, const AcceptOptions& options) {
  if (!options.onboard.customer.empty()) TRY(CheckCustomer(options.onboard.customer));
  TRY(CheckPhraseSource(options.check));
  TRY_ASSIGN(std::string file, ReadTextFile("sealed key", options.blob));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(std::string reason, AskReason(options.onboard.reason));
  return Accepting(session, options, std::move(file), std::move(reason)).Run();
}

}  // namespace strongroom::keytool
