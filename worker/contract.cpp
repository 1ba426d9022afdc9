#include "worker/contract.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "vault/digest.h"
#include "worker/json.h"

namespace strongroom::worker {
namespace {

constexpr std::size_t kMostReadBytes = 1 << 20;
constexpr std::int64_t kMostTokens = 1'000'000, kMostTimeoutMs = 3'600'000;

// IsPrintable is true for 1 to `most` characters of valid UTF-8 without control characters.
bool IsPrintable(std::string_view text, std::size_t most) {
  if (text.empty() || !base::IsUtf8(text)) return false;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) ++characters;
    const bool c1 = byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;  // U+0080–U+009F
    if (byte < 0x20 || byte == 0x7f || c1) return false;
  }
  return characters <= most;
}

// Fields are the members of a message's object, as far as they could be read.
class Fields {
 public:
  explicit Fields(std::string_view text) {
    JsonWalk walk(text);
    if (text.find('{') != text.find_first_not_of(" \t\r\n")) return;
    while (auto value = walk.Next()) members_.emplace_back(walk.name(), *value);
    whole_ = walk.whole();
    std::sort(members_.begin(), members_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  bool whole() const { return whole_; }
  bool HasDuplicate() const {
    return std::adjacent_find(members_.begin(), members_.end(),
                              [](const auto& a, const auto& b) { return a.first == b.first; }) != members_.end();
  }
  // Find is nullopt for a field that is absent, null or given twice: nobody could say which one was meant.
  std::optional<JsonValue> Find(std::string_view name) const {
    const auto found = std::lower_bound(members_.begin(), members_.end(), name,
                                        [](const auto& member, std::string_view wanted) { return member.first < wanted; });
    if (found == members_.end() || found->first != name || found->second.is_null()) return std::nullopt;
    if (const auto next = found + 1; next != members_.end() && next->first == name) return std::nullopt;
    return found->second;
  }

 private:
  std::vector<std::pair<std::string, JsonValue>> members_;
  bool whole_ = false;
};

// Reader takes fields out by their rules and remembers the first rule that was broken.
class Reader {
 public:
  explicit Reader(const Fields& fields) : fields_(fields) {}

  const std::string& problem() const { return problem_; }
  void Problem(std::string text) {
    if (problem_.empty()) problem_ = std::move(text);
  }

  // Name reads 1 to `most` printable characters.
  std::optional<std::string> Name(std::string_view field, std::size_t most) {
    const auto value = fields_.Find(field);
    if (!value) return std::nullopt;
    auto text = value->Text();
    if (text && IsPrintable(*text, most)) return text;
    Problem(std::string(field) + " must be a string of 1 to " + std::to_string(most) + " printable characters");
    return std::nullopt;
  }
  std::string NeededName(std::string_view field, std::size_t most) {
    auto text = Name(field, most);
    if (!text) Problem(std::string(field) + " is missing");
    return std::move(text).value_or("");
  }
  std::optional<std::string> Prose(std::string_view field) {
    const auto value = fields_.Find(field);
    if (!value) return std::nullopt;
    auto text = value->Text();
    if (!text) Problem(std::string(field) + " must be a string");
    return text;
  }
  std::optional<std::int64_t> Count(std::string_view field, std::int64_t most) {
    const auto value = fields_.Find(field);
    if (!value) return std::nullopt;
    const auto number = value->Integer();
    if (number && *number >= 1 && *number <= most) return number;
    Problem(std::string(field) + " must be an integer from 1 to " + std::to_string(most));
    return std::nullopt;
  }
  std::optional<double> Temperature() {
    const auto value = fields_.Find("temperature");
    if (!value) return std::nullopt;
    const auto number = value->Number();
    if (number && *number >= 0.0 && *number <= 1.0) return *number == 0.0 ? 0.0 : *number;
    Problem("temperature must be a number from 0.0 to 1.0");
    return std::nullopt;
  }
  QueueName ReplyQueue() {
    const auto value = fields_.Find("reply_queue");
    if (!value) Problem("reply_queue is missing");
    if (!value || !value->is_object()) {
      Problem("reply_queue must be an object with library and name");
      return {};
    }
    const Fields parts(value->raw());
    if (parts.HasDuplicate()) Problem("reply_queue has a field twice");
    Reader reader(parts);
    QueueName queue;
    queue.library = reader.NeededName("library", 64);
    queue.name = reader.NeededName("name", 64);
    if (!reader.problem().empty()) Problem("reply_queue: " + reader.problem());
    return queue;
  }
  std::string Metadata() {
    const auto value = fields_.Find("metadata");
    if (!value) return {};
    if (!value->is_object()) Problem("metadata must be an object");
    if (value->raw().size() > kMostMetadataBytes) {
      Problem("metadata may have at most " + std::to_string(kMostMetadataBytes) + " bytes");
    }
    const bool echoable = value->is_object() && value->raw().size() <= kMostMetadataBytes &&
                          base::IsUtf8(value->raw()) && !HasLoneSurrogate(value->raw());
    return echoable ? std::string(value->raw()) : std::string();
  }

 private:
  const Fields& fields_;
  std::string problem_;
};

bool AllDigits(std::string_view text) {
  return !text.empty() && text.size() <= 9 && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

void CheckVersion(Reader& reader, std::string_view version) {
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos || !AllDigits(version.substr(0, dot)) || !AllDigits(version.substr(dot + 1))) {
    return reader.Problem("version must be written as \"1.0\"");
  }
  if (version.substr(0, dot) != "1") reader.Problem("this version of the contract is not served: only 1.x is");
}

// CheckWhole finds what is wrong with the message as a whole.
void CheckWhole(Reader& reader, std::string_view message, const Fields& fields) {
  if (message.size() > kMostMessageBytes) {
    return reader.Problem("the message has more than " + std::to_string(kMostMessageBytes) + " bytes");
  }
  if (!base::IsUtf8(message)) return reader.Problem("the message is not UTF-8");
  if (!fields.whole()) return reader.Problem("the message is not a JSON object, or is nested deeper than 64");
  if (HasLoneSurrogate(message)) return reader.Problem("the message escapes half a surrogate pair");
  if (fields.HasDuplicate()) reader.Problem("the message has a field twice");
}

void CheckPrompt(Reader& reader, const Request& request) {
  if (request.prompt && request.prompt_ref) return reader.Problem("give prompt or prompt_ref, not both");
  if (!request.prompt && !request.prompt_ref) return reader.Problem("prompt or prompt_ref is missing");
  if (request.prompt && request.prompt->empty()) reader.Problem("prompt must not be empty");
}

BrokenRequest Salvage(const Fields& fields, std::string problem) {
  Reader reader(fields);  // its own list of problems is not needed: what cannot be read stays absent
  BrokenRequest broken;
  broken.problem = std::move(problem);
  broken.request_id = reader.Name("request_id", 36);
  broken.customer = reader.Name("customer", 10);
  broken.metadata = reader.Metadata();
  Reader queue_reader(fields);
  QueueName queue = queue_reader.ReplyQueue();
  if (queue_reader.problem().empty()) broken.reply_queue = std::move(queue);
  return broken;
}

void AppendField(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  base::AppendJsonString(out, text);
}
void AppendOptional(std::string& out, std::string_view name, const std::optional<std::string>& text) {
  if (text) AppendField(out, name, *text);
}
void AppendRaw(std::string& out, std::string_view name, std::string_view json) {
  out += ",\"";
  out += name;
  out += "\":";
  out += json;
}
void AppendCount(std::string& out, std::string_view name, const std::optional<std::int64_t>& count) {
  AppendRaw(out, name, count ? std::to_string(*count) : "null");
}

std::string ReplyHead(std::string_view request_id, std::string_view status) {
  std::string out = R"({"version":"1.0")";
  AppendField(out, "request_id", request_id);
  AppendField(out, "status", status);
  return out;
}

void CloseReply(std::string& out, std::string_view metadata) {
  if (!metadata.empty()) AppendRaw(out, "metadata", metadata);
  out += '}';
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited: return "RATE_LIMITED";
    case ErrorCode::kProviderAuth: return "PROVIDER_AUTH";
    case ErrorCode::kProviderError: return "PROVIDER_ERROR";
    case ErrorCode::kTimeout: return "TIMEOUT";
    case ErrorCode::kInvalidRequest: return "INVALID_REQUEST";
    case ErrorCode::kProfileNotFound: return "PROFILE_NOT_FOUND";
    case ErrorCode::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

std::expected<Request, BrokenRequest> ParseRequest(std::string_view message) {
  const Fields fields(message.substr(0, kMostReadBytes));
  Reader reader(fields);
  CheckWhole(reader, message, fields);
  Request request;
  request.version = reader.NeededName("version", 20);
  CheckVersion(reader, request.version);
  request.request_id = reader.NeededName("request_id", 36);
  request.customer = reader.NeededName("customer", 10);
  request.profile_ref = reader.NeededName("profile_ref", 40);
  request.reply_queue = reader.ReplyQueue();
  request.prompt = reader.Prose("prompt");
  request.prompt_ref = reader.Name("prompt_ref", 200);
  CheckPrompt(reader, request);
  request.system_prompt = reader.Prose("system_prompt");
  request.model_override = reader.Name("model_override", 80);
  request.max_tokens = reader.Count("max_tokens", kMostTokens);
  request.timeout_ms = reader.Count("timeout_ms", kMostTimeoutMs);
  request.temperature = reader.Temperature();
  request.metadata = reader.Metadata();
  if (!reader.problem().empty()) return std::unexpected(Salvage(fields, reader.problem()));
  request.content_hash = vault::Sha256(base::AsBytes(message));
  return request;
}

std::string SerializeRequest(const Request& request) {
  std::string out = R"({"version":)";
  base::AppendJsonString(out, request.version);
  AppendField(out, "request_id", request.request_id);
  AppendField(out, "customer", request.customer);
  AppendField(out, "profile_ref", request.profile_ref);
  out += R"(,"reply_queue":{"library":)";
  base::AppendJsonString(out, request.reply_queue.library);
  AppendField(out, "name", request.reply_queue.name);
  out += '}';
  AppendOptional(out, "prompt", request.prompt);
  AppendOptional(out, "prompt_ref", request.prompt_ref);
  AppendOptional(out, "system_prompt", request.system_prompt);
  AppendOptional(out, "model_override", request.model_override);
  if (request.max_tokens) AppendCount(out, "max_tokens", request.max_tokens);
  if (request.timeout_ms) AppendCount(out, "timeout_ms", request.timeout_ms);
  if (request.temperature) {
    out += ",\"temperature\":";
    AppendNumber(out, *request.temperature);
  }
  CloseReply(out, request.metadata);
  return out;
}

std::string SuccessReply(std::string_view request_id, std::string_view metadata, const Success& success) {
  std::string out = ReplyHead(request_id, "success");
  out.reserve(out.size() + success.response.size() + metadata.size() + 400);
  if (success.response_ref) {
    AppendField(out, "response_ref", *success.response_ref);
  } else {
    AppendField(out, "response", success.response);
  }
  AppendField(out, "model_used", success.model_used);
  AppendCount(out, "tokens_in", success.tokens_in);
  AppendCount(out, "tokens_out", success.tokens_out);
  AppendCount(out, "latency_ms", success.latency_ms);
  AppendField(out, "finish_reason", success.finish_reason);
  if (!success.dropped.empty()) {
    out += ",\"dropped\":[";
    for (std::size_t i = 0; i < success.dropped.size(); ++i) {
      if (i > 0) out += ',';
      base::AppendJsonString(out, success.dropped[i]);
    }
    out += ']';
  }
  CloseReply(out, metadata);
  return out;
}

std::string FailureReply(std::string_view request_id, std::string_view metadata, const Failure& failure) {
  constexpr std::size_t kMostErrorBytes = 700;
  std::string out = ReplyHead(request_id, "error");
  AppendField(out, "error_code", ErrorCodeName(failure.code));
  AppendField(out, "error_message", CutUtf8(failure.message, kMostErrorBytes));
  AppendCount(out, "attempts", failure.attempts);
  if (failure.retry_after_ms) AppendCount(out, "retry_after_ms", failure.retry_after_ms);
  CloseReply(out, metadata);
  return out;
}

Result<ReplyView> ParseReply(std::string_view message) {
  const auto reply = JsonObject::Parse(message);
  const auto text = [&reply](std::string_view name) -> std::optional<std::string> {
    const auto value = reply->Find(name);
    return value ? value->Text() : std::nullopt;
  };
  if (!reply) return Fail(Code::kCorrupt, "the reply is not a JSON object");
  const auto version = text("version"), request_id = text("request_id"), status = text("status");
  if (!version || !version->starts_with("1.") || !request_id || !status) {
    return Fail(Code::kCorrupt, "the reply lacks version 1.x, request_id or status");
  }
  ReplyView view;
  view.request_id = *request_id;
  view.success = *status == "success";
  view.response = text("response");
  view.response_ref = text("response_ref");
  view.error_code = text("error_code").value_or("");
  view.error_message = text("error_message").value_or("");
  if (view.success && !view.response && !view.response_ref) return Fail(Code::kCorrupt, "the reply has no response");
  if (!view.success && (*status != "error" || view.error_code.empty())) {
    return Fail(Code::kCorrupt, "the reply is neither a success nor an error");
  }
  return view;
}

}  // namespace strongroom::worker
