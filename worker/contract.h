// The request contract, version 1.0 (INTERFACES §1): messages in, replies out. Pure: no queue, no network.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::worker {

inline constexpr std::size_t kMostMessageBytes = 64'512;
// Metadata larger than this is refused, so that every reply that carries it (with response_ref) still fits a message.
inline constexpr std::size_t kMostMetadataBytes = 60'000;

// ErrorCode is the contract's error_code, complete.
enum class ErrorCode : std::uint8_t {
  kRateLimited,
  kProviderAuth,
  kProviderError,
  kTimeout,
  kInvalidRequest,
  kProfileNotFound,
  kInternal,
};
// ErrorCodeName is the spelling of the contract ("RATE_LIMITED").
std::string_view ErrorCodeName(ErrorCode code);

// QueueName is a library and a queue in it; each 1–64 printable characters. (IBM i object names are shorter and
// narrower; an engine that has such rules applies them.)
struct QueueName {
  std::string library, name;
  bool operator==(const QueueName&) const = default;
};

// Request is one message that keeps the contract. Exactly one of prompt and prompt_ref is set.
struct Request {
  std::string version, request_id, customer, profile_ref;
  QueueName reply_queue;
  std::optional<std::string> prompt, prompt_ref, system_prompt, model_override;
  std::optional<std::int64_t> max_tokens, timeout_ms;
  std::optional<double> temperature;
  std::string metadata;  // the raw JSON text of `metadata`, echoed as it came; empty where there was none
  Bytes content_hash;    // SHA-256 of the message's bytes: the same request_id with another hash is refused
};

// BrokenRequest is what could still be read of a message that breaks the contract: enough to answer it, if it names a
// reply queue. `problem` is the error_message.
struct BrokenRequest {
  std::string problem;
  std::optional<QueueName> reply_queue;
  std::optional<std::string> request_id, customer;
  std::string metadata;
};

// ParseRequest checks everything the contract says of a message: a UTF-8 JSON object of at most kMostMessageBytes, no
// field twice, nesting to 64. Types are strict; null stands for an absent optional field. Of a broken message, one too
// long or cut off included, it reads what stands in the first 1 MiB before the damage; a field given twice is not read.
std::expected<Request, BrokenRequest> ParseRequest(std::string_view message);

// SerializeRequest writes a message that ParseRequest reads back to the same request (for `batch` and for tests).
std::string SerializeRequest(const Request& request);

// Success and Failure are the two replies. Absent token counts are null, not 0.
struct Success {
  std::string response, model_used, finish_reason;
  std::optional<std::int64_t> tokens_in, tokens_out;
  std::int64_t latency_ms = 0;
  std::vector<std::string> dropped;           // parameters the provider refused and that were sent again without
  std::optional<std::string> response_ref;    // set in place of `response` where that outgrew a message
};
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one line, for a person; never a provider's raw body, never a key
  std::int64_t attempts = 0;
  std::optional<std::int64_t> retry_after_ms;
};

// SuccessReply and FailureReply write the reply message. request_id may be empty (broken messages); metadata is left
// out where it is. Text that is not UTF-8 is mended with U+FFFD; error_message is cut at 700 bytes.
std::string SuccessReply(std::string_view request_id, std::string_view metadata, const Success& success);
std::string FailureReply(std::string_view request_id, std::string_view metadata, const Failure& failure);

// ReplyView is a reply read back, for `batch` and tests (worker/json.h reads its other fields). ParseReply is kCorrupt
// where the text is no reply.
struct ReplyView {
  std::string request_id;
  bool success = false;
  std::string error_code;
  std::string error_message;
  std::optional<std::string> response, response_ref;
};
Result<ReplyView> ParseReply(std::string_view message);

}  // namespace strongroom::worker
