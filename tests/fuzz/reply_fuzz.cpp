// ParseReply: parse → print → parse gives the same reply.
#include "base/result.h"
#include "worker/contract.h"

using namespace strongroom;
using namespace strongroom::worker;

namespace {

std::string Print(const ReplyView& view) {
  if (!view.success) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
      const auto code = static_cast<ErrorCode>(i);
      if (ErrorCodeName(code) != view.error_code) continue;
      return FailureReply(view.request_id, {}, Failure{code, view.error_message, 1, 2});
    }
    return {};  // a code of a later minor version
  }
  Success success;
  success.response = view.response.value_or("");
  success.response_ref = view.response_ref;
  return SuccessReply(view.request_id, {}, success);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto view = ParseReply(base::AsText({data, size}));
  if (!view) return 0;
  const std::string printed = Print(*view);
  if (printed.empty()) return 0;
  const auto again = ParseReply(printed);
  CHECK(again.has_value());
  CHECK(again->request_id == view->request_id && again->success == view->success);
  if (view->success) {
    CHECK(again->response_ref == view->response_ref);
    if (!view->response_ref) CHECK(again->response == view->response);
  } else {
    CHECK(again->error_code == view->error_code);
    CHECK(view->error_message.size() > 700 || again->error_message == view->error_message);
  }
  return 0;
}
