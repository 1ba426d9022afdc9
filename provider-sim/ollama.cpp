// Ollama's own API: no key, and token counts that are sometimes not there.
#include "base/log.h"
#include "provider-sim/provider.h"

namespace strongroom::sim {
namespace {

std::string_view NoKey(const Head& head) {
  return BearerKey(head);
}

ApiError BadKey(std::string_view) {
  return {401, "unauthorized", {}, {}, {}};
}

std::optional<ApiError> Refusal(const Body& body) {
  if (auto malformed = RefuseMalformed(body)) return malformed;
  if (body.model.empty()) return ApiError{400, "model is required", {}, {}, {}};
  if (IsNoSuchModel(body.model)) return ApiError{404, "model '" + body.model + "' not found", {}, {}, {}};
  // The real one streams unless told not to.
  if (body.stream.value_or(true))
    return ApiError{400, "this simulator does not stream: send stream false", {}, {}, {}};
  return std::nullopt;
}

std::optional<ApiError> RefuseChat(const Head&, const Body& body) {
  if (auto refused = Refusal(body)) return refused;
  if (body.messages.empty()) return ApiError{400, "messages is required", {}, {}, {}};
  return std::nullopt;
}

std::optional<ApiError> RefuseGenerate(const Head&, const Body& body) {
  if (auto refused = Refusal(body)) return refused;
  if (!body.prompt) return ApiError{400, "prompt is required", {}, {}, {}};
  return std::nullopt;
}

// Ollama takes a negative limit for none.
std::optional<std::int64_t> Limit(const Body& body) {
  return body.num_predict.value_or(-1) < 1 ? std::nullopt : body.num_predict;
}

std::string Opening(const Body& body) {
  std::string out = R"({"model":)";
  base::AppendJsonString(out, body.model);
  return out + R"(,"created_at":"2026-11-20T08:00:00.000000Z",)";
}

// One answer in four lacks prompt_eval_count (a cached prompt), one in eight both counts.
std::string Closing(const Draft& draft) {
  std::string out = R"(,"done":true,"done_reason":")";
  out += draft.cut ? "length" : "stop";
  out += R"(","total_duration":412000000,"load_duration":1200000)";
  if (draft.digest[0] % 4 != 0) out += R"(,"prompt_eval_count":)" + std::to_string(draft.tokens_in);
  if (draft.digest[0] % 8 != 0) out += R"(,"eval_count":)" + std::to_string(draft.tokens_out);
  return out + "}";
}

std::string AnswerChat(const Body& body, const Draft& draft) {
  std::string out = Opening(body) + R"("message":{"role":"assistant","content":)";
  base::AppendJsonString(out, draft.text);
  return out + "}" + Closing(draft);
}

std::string AnswerGenerate(const Body& body, const Draft& draft) {
  std::string out = Opening(body) + R"("response":)";
  base::AppendJsonString(out, draft.text);
  return out + Closing(draft);
}

std::string ErrorBody(const ApiError& error, std::string_view) {
  std::string out = R"({"error":)";
  base::AppendJsonString(out, error.message);
  return out + "}";
}

std::string Tags() {
  return R"({"models":[{"name":"llama3.2:latest","model":"llama3.2:latest",)"
         R"("modified_at":"2026-09-01T08:00:00.000000Z","size":2019393189,)"
         R"("details":{"format":"gguf","family":"llama","parameter_size":"3.2B","quantization_level":"Q4_K_M"}}]})";
}

}  // namespace

const Provider& OllamaChat() {
  static constexpr Provider kProvider = {"ollama",   false, "x-request-id", NoKey,     BadKey,
                                         RefuseChat, Limit, AnswerChat,     ErrorBody, Tags};
  return kProvider;
}

const Provider& OllamaGenerate() {
  static constexpr Provider kProvider = {"ollama",       false, "x-request-id", NoKey,     BadKey,
                                         RefuseGenerate, Limit, AnswerGenerate, ErrorBody, Tags};
  return kProvider;
}

}  // namespace strongroom::sim
