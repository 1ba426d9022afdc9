// OpenAI's Chat Completions API, and the many servers that speak it.
#include <array>

#include "base/log.h"
#include "vault/origin.h"
#include "worker/provider/wire.h"

namespace strongroom::worker {
namespace {

constexpr std::string_view kName = "openai";
constexpr std::string_view kOldLimit = "max_tokens", kNewLimit = "max_completion_tokens";
constexpr std::string_view kSayNewLimit = "completion_tokens";  // API_VERSION holds 20 characters, one too few for kNewLimit

std::string OpenAiUrl(std::string_view endpoint, std::string_view path) {
  return JoinUrl(endpoint, {"/v1/chat/completions", "/v1"}, path);
}

bool IsOpenAiItself(std::string_view endpoint) {
  const auto origin = vault::Origin::OfEndpoint(endpoint);
  return origin && origin->host() == "api.openai.com";
}

// LimitName is the limit's name for this server, or empty where it refused both.
std::string_view LimitName(const Profile& profile, const std::set<std::string>& dropped) {
  std::string_view name = kOldLimit;
  if (profile.api_version == kSayNewLimit) {
    name = kNewLimit;
  } else if (profile.api_version == kOldLimit) {
    name = kOldLimit;
  } else if (IsOpenAiItself(profile.endpoint)) {
    name = kNewLimit;
  }
  if (!dropped.contains(std::string(name))) return name;
  name = name == kOldLimit ? kNewLimit : kOldLimit;
  return dropped.contains(std::string(name)) ? std::string_view() : name;
}

std::optional<std::string> UnsupportedIn(const JsonObject& error, std::string_view raw, const std::string& code) {
  constexpr std::array<std::string_view, 3> kNames = {"temperature", kOldLimit, kNewLimit};
  constexpr std::size_t kMostSearched = 4096;
  const std::string param = ReadMember(error, "param");
  std::string message = ReadMember(error, "message");
  if (message.empty()) message = CutUtf8(raw, kMostSearched);  // {"detail":[{"loc":["body","max_tokens"],…
  if (param.empty()) return FindUnsupported(message, kNames);
  for (const std::string_view name : kNames) {
    if (param != name) continue;
    if (code == "unsupported_value" || code == "unsupported_parameter") return param;
    return FindUnsupported(message, std::span(&name, 1));
  }
  return std::nullopt;
}

CallFailure ReadError(const HttpAnswer& answer) {
  const auto body = JsonObject::Parse(answer.body);
  if (!body) return Refuse(kName, answer, {});
  // Compatible servers put the error at the top, or write {"detail": …}.
  const auto inner = body->Find("error");
  const JsonObject error = inner ? JsonObject(*inner) : *body;
  std::string code = ReadMember(error, "code");
  if (code.empty()) code = ReadMember(error, "type");
  CallFailure failure = Refuse(kName, answer, code);
  if (answer.status == 429 && (code == "insufficient_quota" || ReadMember(error, "type") == "insufficient_quota")) {
    failure.retry = false;
    failure.message += ": the quota of the customer's account is spent";
  }
  if (answer.status != 400 && answer.status != 422) return failure;
  failure.unsupported_parameter = UnsupportedIn(error, inner ? inner->raw() : std::string_view(answer.body), code);
  if (failure.unsupported_parameter) failure.message += ": this model refuses " + *failure.unsupported_parameter;
  return failure;
}

// ReadContent takes a string, null (a limit spent on reasoning), or the parts some servers send.
std::optional<std::string> ReadContent(const JsonValue& message) {
  const auto content = JsonObject(message).Find("content");
  if (!content || content->is_null()) return std::string();
  if (!content->is_array()) return content->Text();
  std::string text;
  JsonWalk parts(*content);
  while (const auto next = parts.Next()) {
    const JsonObject part(*next);
    if (ReadMember(part, "type") == "text") text += ReadMember(part, "text");
  }
  return text;
}

class OpenAiProvider final : public Provider {
 public:
  std::string_view name() const override { return kName; }
  bool needs_key() const override { return true; }

  HttpCall BuildCall(const Request& request, const Profile& profile, std::string_view prompt,
                     const std::set<std::string>& dropped) const override {
    HttpCall call{"POST", OpenAiUrl(profile.endpoint, "/v1/chat/completions"), JsonHeaders(request.request_id),
                  KeyHeader::kBearer, {}, {}};
    std::string& body = call.body;
    body.reserve(prompt.size() + 512);
    body = R"({"model":)";
    base::AppendJsonString(body, ModelUsed(request, profile));
    if (const std::string_view limit = LimitName(profile, dropped); !limit.empty()) {
      body.append(",\"").append(limit).append("\":").append(std::to_string(MaxTokensOf(request, profile)));
    } else {
      call.left_out.emplace_back(kOldLimit);
    }
    if (const auto temperature = TemperatureOf(request, profile)) {
      if (!dropped.contains("temperature")) {
        body += ",\"temperature\":";
        AppendNumber(body, *temperature);
      } else {
        call.left_out.emplace_back("temperature");
      }
    }
    body += ",\"messages\":[";
    if (const std::string_view system = SystemOf(request, profile); !system.empty()) {
      AppendMessage(body, "system", system);
      body += ',';
    }
    AppendMessage(body, "user", prompt);
    body += "]}";
    return call;
  }

  CallOutcome ReadAnswer(const HttpAnswer& answer) const override {
    if (!IsDone(answer)) return ReadError(answer);
    const auto body = JsonObject::Parse(answer.body);
    const auto choices = body ? body->Find("choices") : std::nullopt;
    if (!choices || !choices->is_array()) return Unreadable(kName, answer);
    const auto first = JsonWalk(*choices).Next();
    if (!first) return Unreadable(kName, answer);
    const JsonObject choice(*first);
    const auto message = choice.Find("message");
    const auto text = message && message->is_object() ? ReadContent(*message) : std::nullopt;
    if (!text) return Unreadable(kName, answer);
    const JsonObject usage = ReadObject(*body, "usage");
    return CallSuccess{*text, ReadBounded(*body, "model", kMostModelBytes),
                       ReadBounded(choice, "finish_reason", kMostFinishBytes), ReadTokens(usage, "prompt_tokens"),
                       ReadTokens(usage, "completion_tokens")};
  }

  HttpCall HealthCheck(std::string_view endpoint, std::string_view) const override {
    return {"GET", OpenAiUrl(endpoint, "/v1/models"), {"accept: application/json"}, KeyHeader::kBearer, {}, {}};
  }

  // Compatible servers often list their models and know no call for one.
  HttpCall ModelCheck(std::string_view endpoint, std::string_view api_version, std::string_view model) const override {
    HttpCall call = HealthCheck(endpoint, api_version);
    if (IsOpenAiItself(endpoint)) call.url += "/" + PathSegment(model);
    return call;
  }
};

}  // namespace

const Provider& OpenAi() {
  static const OpenAiProvider provider;
  return provider;
}

}  // namespace strongroom::worker
