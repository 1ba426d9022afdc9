#include "keytool/intake.h"

#include "keytool/document.h"
#include "keytool/key_source.h"
#include "keytool/output.h"

namespace strongroom::keytool {

namespace {

struct Destination {
  std::string provider, endpoint;
};

// A new version goes where the one before it went.
Outcome<Destination> DestinationOf(const Session& session, const vault::AddKeyRequest& request) {
  if (request.like.empty()) return Destination{request.provider, request.endpoint};
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kShowKey, vault::EncodeText(request.like), request.like));
  return Destination{ReadMember(document, "provider"), ReadMember(document, "origin")};
}

std::string DropIt(const Context& context, const std::string& key_ref) {
  return "; the key stays PENDING as " + key_ref + " and is used for nothing; drop it with " +
         Command(context, {"keytool revoke", key_ref, "--reason \"not taken\""});
}

// The same key under two names, or for two customers, is as a rule a mistake; it dies for both when it is revoked at its provider.
void PointOutHeld(const Session& session, const std::string& key_ref) {
  const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
  if (shown && ReadMember(*shown, "also_held") == "yes") Warn("the same key is held already, under another KEY_REF: was it mistaken for another one?");
}

std::string OrGoOn(const Context& context, const Arrival& arrival) {
  return arrival.go_on.empty() ? "" : "; where the key is good, go on with " + Command(context, arrival.go_on);
}

}  // namespace

Outcome<std::string> HoldKey(const Session& session, const vault::AddKeyRequest& request, const std::string& key_file,
                             const std::string& whose) {
  TRY_ASSIGN(const Destination to, DestinationOf(session, request));
  TRY_ASSIGN(vault::SecretValue key, ReadKey(key_file, whose));
  TRY(CheckOwner(key.View(), to.provider, to.endpoint));
  return session.AskText(vault::Operation::kAddKey, request.Encode(), whose, std::move(key));
}

Problem StaysPending(Problem problem, const Context& context, const std::string& key_ref, const Arrival& arrival) {
  problem.key_ref = key_ref;
  problem.text += DropIt(context, key_ref) + OrGoOn(context, arrival);
  return problem;
}

Outcome<std::optional<Probed>> CheckHeld(const Session& session, const std::string& key_ref, const Route& route,
                                         bool verify, const Arrival& arrival) {
  PointOutHeld(session, key_ref);
  if (!verify) return std::nullopt;
  auto probed = Probe(session.context(), key_ref, route);
  if (probed && probed->ok) return std::optional(std::move(*probed));
  Problem problem;
  if (probed) {
    problem.name = "PROBE_FAILED";
    problem.text = key_ref + " was not taken: " + probed->message;
  } else {
    problem = std::move(probed.error());
  }
  problem.key_ref = key_ref;
  problem.text += DropIt(session.context(), key_ref) + ", then try again with " + Command(session.context(), arrival.again) +
                  OrGoOn(session.context(), arrival);
  return std::unexpected(std::move(problem));
}

std::string ProbedJson(const std::optional<Probed>& probed) {
  if (!probed) return "null";
  return JsonLine().Flag("ok", probed->ok).Number("status", probed->status).Text("message", probed->message).Str();
}

std::string ProbedWords(const std::optional<Probed>& probed) {
  return probed ? "checked: " + probed->message : "not checked with the provider (--no-verify)";
}

}  // namespace strongroom::keytool
