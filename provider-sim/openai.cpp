// OpenAI's Chat Completions API, which compatible servers imitate.
#include "base/log.h"
#include "provider-sim/provider.h"

namespace strongroom::sim {
namespace {

// The real one answers a wrong key with its ends still readable, which callers must keep out of their logs.
std::string Masked(std::string_view key) {
  if (key.size() < 16) return std::string(key.size(), '*');
  return std::string(key.substr(0, 8)) + std::string(key.size() - 12, '*') +
         std::string(key.substr(key.size() - 4));
}

ApiError BadKey(std::string_view key) {
  if (key.empty()) {
    return {
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        {},
        {},
        {}};
  }
  return {401,
          "Incorrect API key provided: " + Masked(key) +
              ". You can find your API key at https://platform.openai.com/account/api-keys.",
          {},
          {},
          "invalid_api_key"};
}

ApiError Invalid(std::string message, std::string param, std::string code) {
  return {400, std::move(message), {}, std::move(param), std::move(code)};
}

// The o-series (o1, o3-mini …) and GPT-5 and later reason before they answer.
bool Reasons(std::string_view model) {
  const auto digit_at = [&](std::size_t i) { return i < model.size() && model[i] >= '0' && model[i] <= '9'; };
  if (model.starts_with('o') && digit_at(1)) return true;
  return model.starts_with("gpt-") && digit_at(4) && model[4] >= '5';
}

std::string ShortNumber(double number) {
  std::string text = std::to_string(number);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::optional<ApiError> RefuseForReasoning(const Body& body) {
  if (body.max_tokens) {
    return Invalid(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        "max_tokens", "unsupported_parameter");
  }
  if (body.temperature && *body.temperature != 1.0) {
    return Invalid("Unsupported value: 'temperature' does not support " + ShortNumber(*body.temperature) +
                       " with this model. Only the default (1) value is supported.",
                   "temperature", "unsupported_value");
  }
  return std::nullopt;
}

std::optional<std::int64_t> Limit(const Body& body) {
  return body.max_completion_tokens ? body.max_completion_tokens : body.max_tokens;
}

std::optional<ApiError> Refusal(const Head&, const Body& body) {
  if (auto malformed = RefuseMalformed(body)) return malformed;
  if (body.model.empty()) return Invalid("you must provide a model parameter", {}, {});
  if (IsNoSuchModel(body.model)) {
    return ApiError{404,
                    "The model `" + body.model + "` does not exist or you do not have access to it.",
                    {},
                    {},
                    "model_not_found"};
  }
  if (body.messages.empty()) {
    return Invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages",
                   "empty_array");
  }
  if (Reasons(body.model)) {
    if (auto refused = RefuseForReasoning(body)) return refused;
  }
  if (body.max_tokens && body.max_completion_tokens) {
    return Invalid("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
                   "max_tokens", "invalid_parameter_combination");
  }
  if (Limit(body).value_or(1) < 1) {
    return Invalid("Invalid limit of tokens: integer below minimum value. Expected a value >= 1.",
                   body.max_tokens ? "max_tokens" : "max_completion_tokens", "integer_below_min_value");
  }
  if (body.temperature && (*body.temperature < 0.0 || *body.temperature > 2.0)) {
    return Invalid("Invalid 'temperature': expected a value between 0 and 2.", "temperature",
                   "decimal_out_of_range");
  }
  if (body.stream.value_or(false))
    return Invalid("This simulator does not stream.", "stream", "unsupported_value");
  return std::nullopt;
}

// Reasoning counts against the limit: a reasoning model given little room answers an empty text.
std::string Answer(const Body& body, const Draft& draft) {
  constexpr std::int64_t kReasoning = 16;
  const bool reasons = Reasons(body.model);
  const bool spent = reasons && Limit(body).value_or(kReasoning + 1) <= kReasoning;
  const std::int64_t out_tokens = spent ? *Limit(body) : draft.tokens_out + (reasons ? kReasoning : 0);
  std::string out = R"({"id":"chatcmpl-)" + Token(draft.digest) +
                    R"(","object":"chat.completion","created":1790000000,"model":)";
  base::AppendJsonString(out, body.model);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  base::AppendJsonString(out, spent ? std::string_view() : std::string_view(draft.text));
  out += R"(,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":")";
  out += spent || draft.cut ? "length" : "stop";
  out += R"("}],"usage":{"prompt_tokens":)" + std::to_string(draft.tokens_in);
  out += R"(,"completion_tokens":)" + std::to_string(out_tokens);
  out += R"(,"total_tokens":)" + std::to_string(draft.tokens_in + out_tokens);
  out += R"(,"completion_tokens_details":{"reasoning_tokens":)";
  out += std::to_string(spent ? out_tokens : (reasons ? kReasoning : 0));
  out += R"(}},"service_tier":"default","system_fingerprint":null})";
  return out;
}

std::string_view TypeOf(int status) {
  if (status == 429) return "requests";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

void AppendOrNull(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
    return;
  }
  base::AppendJsonString(out, text);
}

std::string ErrorBody(const ApiError& error, std::string_view) {
  std::string out = R"({"error":{"message":)";
  base::AppendJsonString(out, error.message);
  out += R"(,"type":)";
  base::AppendJsonString(out, error.type.empty() ? TypeOf(error.status) : std::string_view(error.type));
  out += R"(,"param":)";
  AppendOrNull(out, error.param);
  out += R"(,"code":)";
  AppendOrNull(
      out, error.status == 429 && error.code.empty() ? "rate_limit_exceeded" : std::string_view(error.code));
  return out + "}}";
}

std::string Models() {
  return R"({"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,)"
         R"("owned_by":"system"},{"id":"gpt-5","object":"model","created":1754425777,"owned_by":"system"}]})";
}

}  // namespace

const Provider& OpenAi() {
  static constexpr Provider kProvider = {"openai", true,  "x-request-id", BearerKey, BadKey,
                                         Refusal,  Limit, Answer,         ErrorBody, Models};
  return kProvider;
}

}  // namespace strongroom::sim
