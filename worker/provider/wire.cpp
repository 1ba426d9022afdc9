#include "worker/provider/wire.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace strongroom::worker {
namespace {

constexpr std::array kRetriedStatuses = {429, 500, 502, 503, 504, 529};

// IsToken is true for an error's type or code as providers write them. No digits: what a server puts here goes into logs
// and replies, and could be the key it was called with.
bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// FindWord is where `word` stands by itself: "max_tokens" is no part of "max_tokens_to_sample".
std::size_t FindWord(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !IsWordByte(text[at - 1])) && (end == text.size() || !IsWordByte(text[end]))) return at;
  }
  return std::string_view::npos;
}

std::string_view WithoutSlashes(std::string_view endpoint) {
  while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  return endpoint;
}

ErrorCode CodeOf(int status) {
  switch (status) {
    case 401:
    case 403: return ErrorCode::kProviderAuth;
    case 429: return ErrorCode::kRateLimited;
    case 400:
    case 404:
    case 413:
    case 422: return ErrorCode::kInvalidRequest;
    default: return ErrorCode::kProviderError;
  }
}

std::string AnswerLine(std::string_view provider, const HttpAnswer& answer, std::string_view token) {
  std::string line(provider);
  line += " answered ";
  line += std::to_string(answer.status);
  if (IsToken(token)) {
    line += ' ';
    line += token;
  }
  return line;
}

}  // namespace

bool EndpointEndsWith(std::string_view endpoint, std::string_view path) {
  endpoint = WithoutSlashes(endpoint);
  // A host may be called "v1": only what follows the authority is a path.
  const std::size_t scheme = endpoint.find("://");
  const std::size_t root = endpoint.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  return root != std::string_view::npos && endpoint.substr(root).ends_with(path);
}

std::string JoinUrl(std::string_view endpoint, std::initializer_list<std::string_view> known, std::string_view path) {
  endpoint = WithoutSlashes(endpoint);
  for (const std::string_view tail : known) {
    if (!EndpointEndsWith(endpoint, tail)) continue;
    endpoint = WithoutSlashes(endpoint.substr(0, endpoint.size() - tail.size()));
    break;
  }
  return std::string(endpoint).append(path);
}

std::string PathSegment(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) out += c;
    if (!plain) out += std::string("%") + kHex[byte >> 4U] + kHex[byte & 15U];
  }
  return out;
}

std::vector<std::string> JsonHeaders(std::string_view request_id) {
  std::vector<std::string> headers = {"content-type: application/json", "accept: application/json"};
  const bool plain = !request_id.empty() &&
                     std::all_of(request_id.begin(), request_id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (plain) headers.push_back("x-request-id: " + std::string(request_id));
  return headers;
}

std::optional<double> TemperatureOf(const Request& request, const Profile& profile) {
  if (request.temperature) return request.temperature;
  if (!profile.default_temp_tenths) return std::nullopt;
  return static_cast<double>(*profile.default_temp_tenths) / 10.0;
}

std::int64_t MaxTokensOf(const Request& request, const Profile& profile) {
  return request.max_tokens.value_or(std::max<std::int64_t>(profile.default_max_tokens, 1));
}

std::string_view SystemOf(const Request& request, const Profile& profile) {
  if (request.system_prompt) return *request.system_prompt;
  return profile.system_prompt ? std::string_view(*profile.system_prompt) : std::string_view();
}

void AppendMessage(std::string& out, std::string_view role, std::string_view content) {
  out += R"({"role":")";
  out += role;
  out += R"(","content":)";
  base::AppendJsonString(out, content);
  out += '}';
}

CallFailure Refuse(std::string_view provider, const HttpAnswer& answer, std::string_view token) {
  CallFailure failure;
  failure.code = CodeOf(answer.status);
  failure.message = AnswerLine(provider, answer, token);
  const bool retried =
      std::find(kRetriedStatuses.begin(), kRetriedStatuses.end(), answer.status) != kRetriedStatuses.end();
  failure.retry = retried && answer.should_retry != "false";
  return failure;
}

CallFailure Unreadable(std::string_view provider, const HttpAnswer& answer) {
  CallFailure failure;
  failure.code = ErrorCode::kProviderError;
  failure.message = AnswerLine(provider, answer, {}) + " with a body that cannot be read";
  return failure;
}

bool IsDone(const HttpAnswer& answer) { return answer.status >= 200 && answer.status < 300; }

std::optional<std::string> FindUnsupported(std::string_view message, std::span<const std::string_view> names) {
  constexpr std::array<std::string_view, 13> kMarks = {
      "unsupported", "not supported", "does not support", "deprecated", "not permitted", "nrecognized", "nrecognised",
      "nknown",      "nexpected",     "removed",          "not allowed", "forbidden",     "may only"};
  const bool refused = std::any_of(kMarks.begin(), kMarks.end(), [message](std::string_view mark) {
    return message.find(mark) != std::string_view::npos;
  });
  if (!refused && message.find("Unsupported") == std::string_view::npos) return std::nullopt;
  // "'max_tokens' is not supported. Use 'max_completion_tokens' instead." means the first one.
  std::size_t first = std::string_view::npos;
  std::optional<std::string> found;
  for (const std::string_view name : names) {
    const std::size_t at = FindWord(message, name);
    if (at >= first) continue;
    first = at;
    found = std::string(name);
  }
  return found;
}

std::string ReadMember(const JsonObject& object, std::string_view name) {
  const auto value = object.Find(name);
  if (!value) return {};
  return value->Text().value_or("");
}

JsonObject ReadObject(const JsonObject& object, std::string_view name) {
  const auto value = object.Find(name);
  return value ? JsonObject(*value) : JsonObject();
}

std::string ReadBounded(const JsonObject& object, std::string_view name, std::size_t most) {
  const std::string text = ReadMember(object, name);
  return std::string(CutUtf8(text, most));
}

std::optional<std::int64_t> ReadTokens(const JsonObject& object, std::string_view name) {
  const auto value = object.Find(name);
  const auto count = value ? value->Integer() : std::nullopt;
  if (!count || *count < 0 || *count > INT32_MAX) return std::nullopt;
  return count;
}

}  // namespace strongroom::worker
