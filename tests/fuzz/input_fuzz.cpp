// ParseInputRow: a row it takes makes a message that keeps the contract, and its output line is a row again.
#include "base/bytes.h"
#include "base/result.h"
#include "worker/batch/input.h"
#include "worker/contract.h"

using namespace strongroom;
using namespace strongroom::worker;

namespace {

// CheckMessage makes the request that batch makes of a row; a worker must take it.
void CheckMessage(const InputRow& row) {
  Request request;
  request.version = "1.0";
  request.request_id = "B261120080910ABCD-1";
  request.customer = "ACME";
  request.profile_ref = "ACME_DEFAULT";
  request.reply_queue = {"BATCH", "B261120080910ABCD"};
  request.prompt = row.prompt;
  request.system_prompt = row.system_prompt;
  request.max_tokens = row.max_tokens;
  if (SerializeRequest(request).size() > kMostMessageBytes) {
    request.prompt.reset();
    request.prompt_ref = "prompt/ACME/B261120080910ABCD-1";
  }
  const auto read = ParseRequest(SerializeRequest(request));
  CHECK(read && read->prompt == request.prompt && read->system_prompt == row.system_prompt);
  CHECK(read->max_tokens == row.max_tokens);
}

void CheckOutput(const InputRow& row) {
  constexpr std::string_view kReply = R"({"version":"1.0","request_id":"B-1","status":"success","response":"hi"})";
  const std::string printed = OutputLine(row.text, kReply, {});
  CHECK(printed.find('\n') == std::string::npos && base::IsUtf8(printed));
  const auto again = ParseInputRow(printed);
  CHECK(again && again->prompt == row.prompt && again->system_prompt == row.system_prompt);
  CHECK(again->max_tokens == row.max_tokens);
  CHECK(OutputLine(printed, kReply, {}) == printed);
  const auto view = ParseReply(printed);
  CHECK(!view || view->request_id == "B-1");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::AsText({data, size});
  const std::string rubbish = OutputLine(text, text, {});
  CHECK(base::IsUtf8(rubbish) && rubbish.find('\n') == std::string::npos);
  const auto row = ParseInputRow(text);
  if (!row) {
    CHECK(!row.error().empty());
    return 0;
  }
  CHECK(row->text == text && !row->prompt.empty());
  CheckMessage(*row);
  CheckOutput(*row);
  return 0;
}
