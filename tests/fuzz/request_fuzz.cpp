// ParseRequest: parse → print → parse gives the same request; what it takes for JSON, nlohmann/json takes for JSON.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/result.h"
#include "worker/contract.h"
#include "worker/json.h"

using namespace strongroom;
using namespace strongroom::worker;

namespace {

// Accepts is the second opinion; none where nlohmann stopped at a number that no double holds.
std::optional<bool> Accepts(std::string_view text) {
  try {
    return !nlohmann::json::parse(text.begin(), text.end()).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return std::nullopt;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

void CompareGrammar(std::string_view text) {
  // nlohmann skips a byte order mark and takes a zero byte for the end; ours does neither.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xef")) return;
  const auto value = JsonValue::Parse(text);
  const bool ours = value && base::IsUtf8(text) && !HasLoneSurrogate(text);
  const std::optional<bool> theirs = Accepts(text);
  if (!theirs) return;
  if (ours) CHECK(*theirs);
  // Beyond 64 levels ours refuses.
  const auto levels = std::count(text.begin(), text.end(), '[') + std::count(text.begin(), text.end(), '{');
  if (*theirs && levels <= kMostJsonDepth) CHECK(ours);
  if (ours && value->is_string()) CHECK(nlohmann::json::parse(text).get<std::string>() == *value->Text());
}

void CheckBroken(const BrokenRequest& broken) {
  CHECK(!broken.problem.empty() && broken.problem.size() < 200);
  CHECK(broken.metadata.size() <= kMostMetadataBytes);
  const std::string reply = FailureReply(broken.request_id.value_or(""), broken.metadata,
                                         Failure{ErrorCode::kInvalidRequest, broken.problem, 0, {}});
  const auto read = ParseReply(reply);
  CHECK(read && !read->success && read->error_message == broken.problem);
  CHECK(read->request_id == broken.request_id.value_or(""));
}

void CheckGood(const Request& request) {
  const std::string printed = SerializeRequest(request);
  if (printed.size() > kMostMessageBytes) return;  // escapes may be longer than what they stand for
  auto again = ParseRequest(printed);
  CHECK(again.has_value());
  CHECK(again->version == request.version && again->request_id == request.request_id);
  CHECK(again->customer == request.customer && again->profile_ref == request.profile_ref);
  CHECK(again->reply_queue == request.reply_queue && again->prompt == request.prompt);
  CHECK(again->prompt_ref == request.prompt_ref && again->system_prompt == request.system_prompt);
  CHECK(again->model_override == request.model_override && again->max_tokens == request.max_tokens);
  CHECK(again->timeout_ms == request.timeout_ms && again->temperature == request.temperature);
  CHECK(again->metadata == request.metadata && again->content_hash.size() == 32);
  CHECK(SerializeRequest(*again) == printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::AsText({data, size});
  CompareGrammar(text);
  if (const auto request = ParseRequest(text)) {
    CheckGood(*request);
  } else {
    CheckBroken(request.error());
  }
  return 0;
}
