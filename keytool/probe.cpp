#include "keytool/probe.h"

#include <nlohmann/json.hpp>

#include "keytool/document.h"
#include "keytool/program.h"

namespace strongroom::keytool {
namespace {

constexpr base::Micros kPatience = 30 * base::kMicrosPerSecond;

}  // namespace

Outcome<void> CheckProbe() {
  auto worker = FindProgram("worker");
  if (worker) return {};
  worker.error().text += "; it checks the key with its provider. --no-verify does without";
  return std::unexpected(worker.error());
}

Outcome<Probed> ReadProbed(const std::string& line) {
  const auto unreadable = [] {
    return Failed("PROBE_UNREADABLE", "worker --probe gave no answer that can be read; is it of the same version?");
  };
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return unreadable();
  const auto ok = json.find("ok"), status = json.find("status"), message = json.find("message");
  const bool whole = ok != json.end() && ok->is_boolean() && status != json.end() && status->is_number_integer() &&
                     message != json.end() && message->is_string();
  if (!whole) return unreadable();
  return Probed{ok->get<bool>(), status->get<std::int64_t>(), message->get<std::string>()};
}

Outcome<Probed> Probe(const Context& context, const std::string& key_ref, const Route& route) {
  TRY_ASSIGN(const std::string worker, FindProgram("worker"));
  std::vector<std::string> arguments{"--home", context.home, "--probe", key_ref};
  if (!route.endpoint.empty()) arguments.insert(arguments.end(), {"--endpoint", route.endpoint});
  if (!route.api_version.empty()) arguments.insert(arguments.end(), {"--api-version", route.api_version});
  if (!route.model.empty()) arguments.insert(arguments.end(), {"--model", route.model});
  TRY_ASSIGN(const Finished finished, RunProgram(worker, arguments, kPatience));
  TRY_ASSIGN(const Probed probed, ReadProbed(finished.output));
  // Both must say so: a worker that died after its line has not proved anything.
  if (probed.ok && finished.exit_code != 0) return Failed("PROBE_FAILED", "worker --probe did not end well");
  return probed;
}

Route ModelRouteOf(const Session& session, const std::string& key_ref) {
  const auto key = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
  if (!key) return {};
  const std::vector<std::string> profiles = ReadList(*key, "profiles");
  if (profiles.empty()) return {};
  const auto profile = session.AskText(vault::Operation::kShowProfile, vault::EncodeText(profiles.front()), profiles.front());
  if (!profile) return {};
  return Route{ReadMember(*profile, "endpoint"), ReadMember(*profile, "api_version"), ReadMember(*profile, "model")};
}

Route RouteOf(const Session& session, const std::string& key_ref) {
  Route route = ModelRouteOf(session, key_ref);
  route.model.clear();
  return route;
}

}  // namespace strongroom::keytool
