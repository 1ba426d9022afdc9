// Provider: what one AI provider's wire format is. Pure: a provider builds calls and reads answers; transport sends.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/contract.h"
#include "worker/profile.h"

namespace strongroom::worker {

// KeyHeader is where a provider wants the key. Its value is never built here: transport writes a placeholder.
enum class KeyHeader : std::uint8_t { kNone, kApiKey, kBearer };  // none; x-api-key: K; Authorization: Bearer K

// HttpCall is a request without its key. Headers are public facts such as "content-type: application/json". left_out
// names parameters that the request or profile sets and this call does not carry: the reply's `dropped`.
struct HttpCall {
  std::string method;  // GET or POST
  std::string url;
  std::vector<std::string> headers;
  KeyHeader key_header = KeyHeader::kNone;
  std::string body;
  std::vector<std::string> left_out;
};

// HttpAnswer is what came back, whole; at most kMostAnswerBytes of body.
struct HttpAnswer {
  int status = 0;
  std::string body;
  std::optional<std::string> retry_after, retry_after_ms, should_retry;  // header values as sent
};
// The longest answers models give today are under 1 MiB; 256 calls in flight must not be able to fill the memory.
inline constexpr std::size_t kMostAnswerBytes = 4U << 20;

// CallFailure is a provider's refusal in the contract's terms.
struct CallFailure {
  ErrorCode code = ErrorCode::kProviderError;
  std::string message;         // "anthropic answered 529 overloaded_error": status and type, never the body
  bool retry = false;          // worth another attempt
  // A 400 (or a compatible server's 422) that names a parameter of ours as unsupported: "temperature", and from
  // openai "max_tokens" or "max_completion_tokens". Add it to `dropped` and build the call again, once.
  std::optional<std::string> unsupported_parameter;
};

// CallSuccess is the answer's text with the provider's own counts and finish reason. The text may be empty (a limit
// spent on reasoning); model and finish_reason are cut at 80 and 64 bytes; counts that no int32 column holds are absent.
struct CallSuccess {
  std::string text, model, finish_reason;
  std::optional<std::int64_t> tokens_in, tokens_out;
};
using CallOutcome = std::variant<CallSuccess, CallFailure>;

// CostEstimate is an upper bound: a token is at least one byte of text.
struct CostEstimate {
  std::int64_t tokens_in = 0, most_tokens_out = 0;
  double most_usd = 0;
};

// Provider is one wire format. Stateless and shared.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view name() const = 0;
  virtual bool needs_key() const = 0;
  // BuildCall makes the call for a request; `prompt` is the resolved prompt text, `dropped` names parameters that this
  // model is known to refuse. The profile's endpoint may have a base path, a trailing slash, "/v1" or the provider's
  // whole path; one ending in /api/generate chooses that form at ollama. api_version is the anthropic-version, and at
  // openai may be "max_tokens" or "completion_tokens" to fix the limit's name, which else goes by the host;
  // a name that stands in `dropped` is replaced by the other one, and with both there no limit is sent.
  virtual HttpCall BuildCall(const Request& request, const Profile& profile, std::string_view prompt,
                             const std::set<std::string>& dropped) const = 0;
  // ReadAnswer turns any HTTP answer, however broken, into an outcome. `retry` is true for 429, 500, 502, 503, 504 and
  // 529 at most; x-should-retry: false and a spent quota make it false.
  virtual CallOutcome ReadAnswer(const HttpAnswer& answer) const = 0;
  // HealthCheck is the cheapest authenticated call: GET /v1/models or /api/tags.
  virtual HttpCall HealthCheck(std::string_view endpoint, std::string_view api_version) const = 0;
  // ModelCheck is as cheap, and also asks whether the key has this model (404 where not): GET /v1/models/MODEL. HealthCheck where the server
  // may not know that call.
  virtual HttpCall ModelCheck(std::string_view endpoint, std::string_view api_version, std::string_view model) const;
  // EstimateCost bounds what a request can cost before it is sent; nullopt where the model has no rate.
  std::optional<CostEstimate> EstimateCost(const Request& request, const Profile& profile, std::string_view prompt,
                                           const std::vector<vault::Rate>& rates, base::Micros now) const;
};

// FindProvider returns "anthropic", "openai" or "ollama"; nullptr for others. They live as long as the process.
const Provider* FindProvider(std::string_view name);

// ModelUsed is the model a request asks for: its override, else the profile's.
std::string ModelUsed(const Request& request, const Profile& profile);

}  // namespace strongroom::worker
