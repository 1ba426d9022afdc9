// Anthropic's Messages API, as of its versions 2023-06-01 and 2026-10-21.
#include <charconv>

#include "base/log.h"
#include "provider-sim/provider.h"

namespace strongroom::sim {
namespace {

constexpr std::string_view kOldVersion = "2023-06-01";
constexpr std::string_view kNewVersion = "2026-10-21";

std::string_view Key(const Head& head) {
  const auto own = head.Find("x-api-key");
  return own ? *own : BearerKey(head);
}

ApiError BadKey(std::string_view key) {
  return {401, key.empty() ? "x-api-key header is required" : "invalid x-api-key", {}, {}, {}};
}

ApiError Invalid(std::string message) {
  return {400, std::move(message), {}, {}, {}};
}

int TakeNumber(std::string_view& text) {
  int number = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc()) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Models from 4.7 on refuse sampling parameters: "claude-opus-4-7", "claude-sonnet-5-5",
// "claude-opus-5-20260801". A date is no version: "claude-sonnet-4-20250514" is 4.0.
bool RefusesSampling(std::string_view model) {
  for (const std::string_view family : {"opus-", "sonnet-", "haiku-"}) {
    const std::size_t at = model.find(family);
    if (at == std::string_view::npos) continue;
    std::string_view rest = model.substr(at + family.size());
    const int major = TakeNumber(rest);
    if (!rest.empty() && (rest.front() == '-' || rest.front() == '.')) rest.remove_prefix(1);
    const int minor = TakeNumber(rest);
    return (major > 4 && major < 100) || (major == 4 && minor >= 7 && minor < 100);
  }
  return false;
}

std::optional<ApiError> RefuseSampling(std::string_view version, const Body& body) {
  const struct {
    std::string_view name;
    bool present;
  } kParameters[] = {
      {"temperature", body.temperature.has_value()}, {"top_p", body.has_top_p}, {"top_k", body.has_top_k}};
  for (const auto& parameter : kParameters) {
    if (!parameter.present) continue;
    const std::string name(parameter.name);
    if (version == kNewVersion) return Invalid(name + ": Extra inputs are not permitted");
    if (RefusesSampling(body.model)) return Invalid("`" + name + "` is deprecated for this model.");
  }
  if (body.temperature && (*body.temperature < 0.0 || *body.temperature > 1.0)) {
    return Invalid("temperature: range: 0..1");
  }
  return std::nullopt;
}

std::optional<ApiError> RefuseMessages(const Body& body) {
  if (body.messages.empty()) return Invalid("messages: at least one message is required");
  for (const Message& message : body.messages) {
    if (message.role == "system") {
      return Invalid(
          "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, "
          "not \"system\" as an input message role.");
    }
    if (message.role != "user" && message.role != "assistant") {
      return Invalid("messages: Input should be 'user' or 'assistant'");
    }
    if (message.text.empty()) return Invalid("messages: text content blocks must be non-empty");
  }
  return std::nullopt;
}

std::optional<ApiError> Refusal(const Head& head, const Body& body) {
  const std::string_view version = head.Find("anthropic-version").value_or("");
  if (version.empty()) return Invalid("anthropic-version: header is required");
  if (version != kOldVersion && version != kNewVersion) {
    return Invalid("anthropic-version: \"" + std::string(version) + "\" is not a valid version");
  }
  if (auto malformed = RefuseMalformed(body)) return malformed;
  if (body.model.empty()) return Invalid("model: Field required");
  if (!body.max_tokens) return Invalid("max_tokens: Field required");
  if (*body.max_tokens < 1) return Invalid("max_tokens: Input should be greater than or equal to 1");
  if (IsNoSuchModel(body.model)) return ApiError{404, "model: " + body.model, {}, {}, {}};
  if (auto sampling = RefuseSampling(version, body)) return sampling;
  if (body.stream.value_or(false)) return Invalid("stream: this simulator does not stream");
  return RefuseMessages(body);
}

std::optional<std::int64_t> Limit(const Body& body) {
  return body.max_tokens;
}

void AppendTextBlock(std::string& out, std::string_view text) {
  out += R"({"type":"text","text":)";
  base::AppendJsonString(out, text);
  out += '}';
}

// One answer in four begins with a thinking block, one in eight has its text in two blocks.
std::string Answer(const Body& body, const Draft& draft) {
  std::string out =
      R"({"id":"msg_01)" + Token(draft.digest) + R"(","type":"message","role":"assistant","model":)";
  base::AppendJsonString(out, body.model);
  out += R"(,"content":[)";
  if (draft.digest[0] % 4 == 0) {
    out +=
        R"({"type":"thinking","thinking":"The question is simple; a short answer will do.","signature":"EqQB)" +
        Token(draft.digest) + R"("},)";
  }
  const std::size_t half = draft.digest[0] % 8 == 1 ? draft.text.size() / 2 : 0;
  if (half > 0) {
    AppendTextBlock(out, std::string_view(draft.text).substr(0, half));
    out += ',';
  }
  AppendTextBlock(out, std::string_view(draft.text).substr(half));
  out += R"(],"stop_reason":")";
  out += draft.cut ? "max_tokens" : "end_turn";
  out += R"(","stop_sequence":null,"usage":{"input_tokens":)" + std::to_string(draft.tokens_in);
  out += R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":)" +
         std::to_string(draft.tokens_out) + R"(,"service_tier":"standard"}})";
  return out;
}

std::string_view TypeOf(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 500:
    case 502:
    case 503:
      return "api_error";
    case 504:
      return "timeout_error";
    case 529:
      return "overloaded_error";
    default:
      return "invalid_request_error";
  }
}

std::string ErrorBody(const ApiError& error, std::string_view request_id) {
  std::string out = R"({"type":"error","error":{"type":)";
  base::AppendJsonString(out, error.type.empty() ? TypeOf(error.status) : std::string_view(error.type));
  out += R"(,"message":)";
  base::AppendJsonString(out, error.message);
  out += R"(},"request_id":)";
  base::AppendJsonString(out, request_id);
  return out + "}";
}

std::string Models() {
  return R"({"data":[{"type":"model","id":"claude-opus-4-7","display_name":"Claude Opus 4.7",)"
         R"("created_at":"2026-04-16T00:00:00Z"},{"type":"model","id":"claude-sonnet-4-6",)"
         R"("display_name":"Claude Sonnet 4.6","created_at":"2026-02-01T00:00:00Z"}],)"
         R"("has_more":false,"first_id":"claude-opus-4-7","last_id":"claude-sonnet-4-6"})";
}

}  // namespace

const Provider& Anthropic() {
  static constexpr Provider kProvider = {"anthropic", true,  "request-id", Key,       BadKey,
                                         Refusal,     Limit, Answer,       ErrorBody, Models};
  return kProvider;
}

}  // namespace strongroom::sim
