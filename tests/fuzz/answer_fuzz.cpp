// ReadAnswer of every provider: whatever comes back becomes an outcome that keeps the rules, and a success prints as a
// reply that reads back to the same text. The first two bytes choose status and headers.
#include <algorithm>
#include <array>

#include "base/result.h"
#include "worker/provider/provider.h"
#include "worker/retry.h"

using namespace strongroom;
using namespace strongroom::worker;

namespace {

constexpr std::array kStatuses = {200, 200, 200, 201, 204, 301, 400, 401, 402, 403, 404, 408, 409, 413,
                                  422, 429, 500, 501, 502, 503, 504, 529, 599, 0,   -1,  100};
constexpr std::array kRetried = {429, 500, 502, 503, 504, 529};

void CheckFailure(const HttpAnswer& answer, const CallFailure& failure) {
  CHECK(!failure.message.empty() && failure.message.size() < 200);
  CHECK(std::all_of(failure.message.begin(), failure.message.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  const bool may = std::find(kRetried.begin(), kRetried.end(), answer.status) != kRetried.end();
  CHECK(!failure.retry || (may && answer.should_retry != "false"));
  CHECK(!failure.unsupported_parameter || !failure.retry);
}

void CheckSuccess(const HttpAnswer& answer, const CallSuccess& success) {
  CHECK(answer.status / 100 == 2);
  CHECK(base::IsUtf8(success.text) && base::IsUtf8(success.model) && base::IsUtf8(success.finish_reason));
  CHECK(success.model.size() <= 80 && success.finish_reason.size() <= 64);
  CHECK(success.tokens_in.value_or(0) >= 0 && success.tokens_out.value_or(0) <= INT32_MAX);
  Success reply{success.text, success.model, success.finish_reason, success.tokens_in, success.tokens_out, 1, {}, {}};
  const auto view = ParseReply(SuccessReply("id", "{}", reply));
  CHECK(view && view->success && view->response == success.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  HttpAnswer answer;
  answer.status = kStatuses[data[0] % kStatuses.size()];
  answer.body = std::string(base::AsText({data + 2, size - 2}));
  if ((data[1] & 1) != 0) answer.should_retry = (data[1] & 2) != 0 ? "false" : "true";
  if ((data[1] & 4) != 0) answer.retry_after = answer.body.substr(0, 40);
  if ((data[1] & 8) != 0) answer.retry_after_ms = answer.body.substr(0, 40);
  for (const char* name : {"anthropic", "openai", "ollama"}) {
    const CallOutcome outcome = FindProvider(name)->ReadAnswer(answer);
    if (const auto* failure = std::get_if<CallFailure>(&outcome)) CheckFailure(answer, *failure);
    if (const auto* success = std::get_if<CallSuccess>(&outcome)) CheckSuccess(answer, *success);
  }
  const auto wait = RetryAfter(answer, 784'111'777'000'000);
  CHECK(!wait || (*wait >= 0 && *wait <= 30 * base::kMicrosPerDay));
  return 0;
}
