// Anthropic's Messages API, versions 2023-06-01 and 2026-10-21.
#include <algorithm>
#include <array>

#include "base/log.h"
#include "worker/provider/wire.h"

namespace strongroom::worker {
namespace {

constexpr std::string_view kName = "anthropic";
constexpr std::string_view kDefaultVersion = "2026-10-21";
constexpr std::string_view kFirstWithoutSampling = "2026-10-21";

// VersionOf is the anthropic-version to send; what could not be a version (or would break out of the header) is not.
std::string_view VersionOf(std::string_view api_version) {
  const bool legible = !api_version.empty() && std::all_of(api_version.begin(), api_version.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
  });
  return legible ? api_version : kDefaultVersion;
}

std::string MessagesUrl(std::string_view endpoint, std::string_view path) {
  return JoinUrl(endpoint, {"/v1/messages", "/v1"}, path);
}

CallFailure ReadError(const HttpAnswer& answer) {
  const auto body = JsonObject::Parse(answer.body);
  const auto found = body ? body->Find("error") : std::nullopt;
  if (!found) return Refuse(kName, answer, {});
  const JsonObject error(*found);
  const std::string type = ReadMember(error, "type"), message = ReadMember(error, "message");
  CallFailure failure = Refuse(kName, answer, type);
  if (answer.status != 400) return failure;
  constexpr std::array<std::string_view, 1> kNames = {"temperature"};
  failure.unsupported_parameter = FindUnsupported(message, kNames);
  if (failure.unsupported_parameter) {
    failure.message += ": this model refuses " + *failure.unsupported_parameter;
  } else if (message.find("credit balance") != std::string::npos) {
    failure.message += ": the credit balance of the customer's account is too low";
  }
  return failure;
}

// The text blocks joined; thinking and other blocks are not part of the answer.
std::string JoinText(const JsonValue& content) {
  std::string text;
  JsonWalk blocks(content);
  while (const auto next = blocks.Next()) {
    const JsonObject block(*next);
    if (ReadMember(block, "type") == "text") text += ReadMember(block, "text");
  }
  return text;
}

class AnthropicProvider final : public Provider {
 public:
  std::string_view name() const override { return kName; }
  bool needs_key() const override { return true; }

  HttpCall BuildCall(const Request& request, const Profile& profile, std::string_view prompt,
                     const std::set<std::string>& dropped) const override {
    const std::string_view version = VersionOf(profile.api_version ? *profile.api_version : std::string_view());
    HttpCall call{"POST", MessagesUrl(profile.endpoint, "/v1/messages"), JsonHeaders(request.request_id),
                  KeyHeader::kApiKey, {}, {}};
    call.headers.push_back("anthropic-version: " + std::string(version));
    std::string& body = call.body;
    body.reserve(prompt.size() + 512);
    body = R"({"model":)";
    base::AppendJsonString(body, ModelUsed(request, profile));
    body += ",\"max_tokens\":" + std::to_string(MaxTokensOf(request, profile));
    if (const auto temperature = TemperatureOf(request, profile)) {
      if (version < kFirstWithoutSampling && !dropped.contains("temperature")) {
        body += ",\"temperature\":";
        AppendNumber(body, *temperature);
      } else {
        call.left_out.emplace_back("temperature");
      }
    }
    if (const std::string_view system = SystemOf(request, profile); !system.empty()) {
      body += ",\"system\":";
      base::AppendJsonString(body, system);
    }
    body += ",\"messages\":[";
    AppendMessage(body, "user", prompt);
    body += "]}";
    return call;
  }

  CallOutcome ReadAnswer(const HttpAnswer& answer) const override {
    if (!IsDone(answer)) return ReadError(answer);
    const auto body = JsonObject::Parse(answer.body);
    const auto content = body ? body->Find("content") : std::nullopt;
    if (!content || !content->is_array()) return Unreadable(kName, answer);
    const JsonObject usage = ReadObject(*body, "usage");
    return CallSuccess{JoinText(*content), ReadBounded(*body, "model", kMostModelBytes),
                       ReadBounded(*body, "stop_reason", kMostFinishBytes), ReadTokens(usage, "input_tokens"),
                       ReadTokens(usage, "output_tokens")};
  }

  HttpCall HealthCheck(std::string_view endpoint, std::string_view api_version) const override {
    return {"GET",
            MessagesUrl(endpoint, "/v1/models"),
            {"accept: application/json", "anthropic-version: " + std::string(VersionOf(api_version))},
            KeyHeader::kApiKey,
            {},
            {}};
  }

  HttpCall ModelCheck(std::string_view endpoint, std::string_view api_version, std::string_view model) const override {
    HttpCall call = HealthCheck(endpoint, api_version);
    call.url += "/" + PathSegment(model);
    return call;
  }
};

}  // namespace

const Provider& Anthropic() {
  static const AnthropicProvider provider;
  return provider;
}

}  // namespace strongroom::worker
