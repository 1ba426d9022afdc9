// Ollama's own API, chat or generate. It knows no key, and may leave out its token counts.
#include "base/log.h"
#include "worker/provider/wire.h"

namespace strongroom::worker {
namespace {

constexpr std::string_view kName = "ollama";
constexpr std::string_view kChat = "/api/chat", kGenerate = "/api/generate";

std::string OllamaUrl(std::string_view endpoint, std::string_view path) {
  return JoinUrl(endpoint, {kChat, kGenerate, "/api"}, path);
}

void AppendChat(std::string& body, std::string_view system, std::string_view prompt) {
  body += ",\"messages\":[";
  if (!system.empty()) {
    AppendMessage(body, "system", system);
    body += ',';
  }
  AppendMessage(body, "user", prompt);
  body += ']';
}

void AppendGenerate(std::string& body, std::string_view system, std::string_view prompt) {
  if (!system.empty()) {
    body += ",\"system\":";
    base::AppendJsonString(body, system);
  }
  body += ",\"prompt\":";
  base::AppendJsonString(body, prompt);
}

class OllamaProvider final : public Provider {
 public:
  std::string_view name() const override { return kName; }
  bool needs_key() const override { return false; }

  HttpCall BuildCall(const Request& request, const Profile& profile, std::string_view prompt,
                     const std::set<std::string>& dropped) const override {
    const bool generate = EndpointEndsWith(profile.endpoint, kGenerate);
    HttpCall call{"POST", OllamaUrl(profile.endpoint, generate ? kGenerate : kChat), JsonHeaders(request.request_id),
                  KeyHeader::kNone, {}, {}};
    std::string& body = call.body;
    body.reserve(prompt.size() + 512);
    body = R"({"model":)";
    base::AppendJsonString(body, ModelUsed(request, profile));
    body += ",\"stream\":false,\"options\":{\"num_predict\":" + std::to_string(MaxTokensOf(request, profile));
    if (const auto temperature = TemperatureOf(request, profile)) {
      if (!dropped.contains("temperature")) {
        body += ",\"temperature\":";
        AppendNumber(body, *temperature);
      } else {
        call.left_out.emplace_back("temperature");
      }
    }
    body += '}';
    (generate ? AppendGenerate : AppendChat)(body, SystemOf(request, profile), prompt);
    body += '}';
    return call;
  }

  CallOutcome ReadAnswer(const HttpAnswer& answer) const override {
    // Its errors are {"error": "prose"} or a proxy's HTML: the status says all that may be shown.
    if (!IsDone(answer)) return Refuse(kName, answer, {});
    const auto body = JsonObject::Parse(answer.body);
    if (!body) return Unreadable(kName, answer);
    const auto message = body->Find("message");
    const auto content = message ? JsonObject(*message).Find("content") : body->Find("response");
    const auto text = content ? content->Text() : std::nullopt;
    if (!text) return Unreadable(kName, answer);
    return CallSuccess{*text, ReadBounded(*body, "model", kMostModelBytes),
                       ReadBounded(*body, "done_reason", kMostFinishBytes), ReadTokens(*body, "prompt_eval_count"),
                       ReadTokens(*body, "eval_count")};
  }

  HttpCall HealthCheck(std::string_view endpoint, std::string_view) const override {
    return {"GET", OllamaUrl(endpoint, "/api/tags"), {"accept: application/json"}, KeyHeader::kNone, {}, {}};
  }
};

}  // namespace

const Provider& Ollama() {
  static const OllamaProvider provider;
  return provider;
}

}  // namespace strongroom::worker
