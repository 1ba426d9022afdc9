#include "keytool/intake.h"

#include "keytool/key_source.h"
#include "keytool/output.h"

namespace strongroom::keytool {

Outcome<std::string> HoldKey(const Session& session, const vault::AddKeyRequest& request, const std::string& key_file,
                             const std::string& whose) {
  TRY_ASSIGN(vault::SecretValue key, ReadKey(key_file, whose));
  return session.AskText(vault::Operation::kAddKey, request.Encode(), whose, std::move(key));
}

Problem StaysPending(Problem problem, const Context& context, const std::string& key_ref) {
  problem.key_ref = key_ref;
  problem.text += "; the key stays PENDING as " + key_ref + " and is used for nothing; drop it with " +
                  Command(context, "keytool revoke " + key_ref + " --reason \"not taken\"");
  return problem;
}

Outcome<std::optional<Probed>> CheckHeld(const Session& session, const std::string& key_ref, const Route& route,
                                         bool verify, const std::string& again) {
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
  problem = StaysPending(std::move(problem), session.context(), key_ref);
  problem.text += ", then try again with " + Command(session.context(), again);
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
