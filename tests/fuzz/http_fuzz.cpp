// provider-sim's ParseHead and Simulator::Answer: any bytes, and any body behind a head that was taken.
#include <algorithm>

#include "base/bytes.h"
#include "base/result.h"
#include "provider-sim/simulator.h"

using namespace strongroom;
using namespace strongroom::sim;

namespace {

// CheckHead writes a head again, as plainly as can be, and reads the same from it.
void CheckHead(const Head& head, std::string_view bytes) {
  CHECK(head.head_length <= bytes.size() && head.head_length <= kMaxHead && head.headers.size() <= kMaxHeaders);
  CHECK(bytes.substr(0, head.head_length).ends_with("\r\n\r\n"));
  std::string printed = std::string(head.method) + " " + std::string(head.path) + " HTTP/1.1\r\n";
  for (const Header& header : head.headers) {
    printed += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
  }
  printed += "\r\n";
  if (printed.size() > kMaxHead) return;  // a space was added to each line
  const auto again = ParseHead(printed);
  // A head of HTTP/1.0 needs no Host and closes; printed as 1.1 it may be refused or kept open.
  if (!again || !*again) return;
  CHECK((*again)->method == head.method && (*again)->path == head.path);
  CHECK((*again)->body_length == head.body_length && (*again)->headers.size() == head.headers.size());
  for (std::size_t i = 0; i < head.headers.size(); ++i) {
    CHECK((*again)->headers[i].name == head.headers[i].name && (*again)->headers[i].value == head.headers[i].value);
  }
}

void CheckReply(const Reply& reply) {
  CHECK(reply.delay_ms >= 0 && (reply.status == 0 || (reply.status >= 200 && reply.status < 600)));
  CHECK(reply.headers.empty() || reply.headers.ends_with("\r\n"));
  CHECK(reply.headers.find("\r\n\r\n") == std::string::npos);
  CHECK(base::IsUtf8(reply.body));
  std::string out;
  AppendResponse(out, Response{reply.status, reply.content_type, reply.headers, reply.body, true});
  CHECK(out.ends_with(reply.body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = base::AsText({data, size});
  const auto head = ParseHead(bytes);
  if (!head) {
    CHECK(head.error().status >= 400 && head.error().status < 600);
    return 0;
  }
  if (!*head) return 0;
  CheckHead(**head, bytes);
  auto simulator = Simulator::Make({});
  CHECK(simulator.has_value());
  const std::string_view body = bytes.substr((*head)->head_length);
  CheckReply(simulator->Answer(**head, body.substr(0, (*head)->body_length)));
  CheckReply(simulator->TooLarge(**head));
  CHECK(base::IsUtf8(simulator->calls().StatsJson()));
  return 0;
}
