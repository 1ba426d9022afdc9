#include "provider-sim/http.h"

#include <catch2/catch.hpp>
#include <string>

namespace strongroom::sim {
namespace {

std::string Print(const Head& head) {
  std::string out = std::string(head.method) + ' ' + std::string(head.path) + " HTTP/1.1\r\n";
  for (const Header& header : head.headers) {
    out += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
  }
  return out + "\r\n";
}

int StatusOf(const std::string& bytes) {
  const auto parsed = ParseHead(bytes);
  return parsed ? (parsed->has_value() ? 200 : 0) : parsed.error().status;
}

}  // namespace

TEST_CASE("provider-sim http: a whole head is read, a part of it waits") {
  const std::string text =
      "POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost\r\nX-Api-Key:  abc \r\nContent-Length: "
      "12\r\n\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) REQUIRE(StatusOf(text.substr(0, cut)) == 0);
  const std::string with_body = text + "{\"model\":1}\n";
  const auto parsed = ParseHead(with_body);
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->has_value());
  const Head& head = **parsed;
  CHECK(head.method == "POST");
  CHECK(head.path == "/v1/messages");
  CHECK(head.head_length == text.size());
  CHECK(head.body_length == 12);
  CHECK(head.keep_alive);
  CHECK(head.Find("x-api-key") == "abc");
  CHECK_FALSE(head.Find("authorization").has_value());

  const std::string printed = Print(head);
  const auto again = ParseHead(printed);
  REQUIRE(again.has_value());
  REQUIRE(again->has_value());
  CHECK(Print(**again) == printed);
}

TEST_CASE("provider-sim http: what ends a connection") {
  const std::string close = "GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n";
  CHECK_FALSE(ParseHead(close).value()->keep_alive);
  const std::string old = "GET / HTTP/1.0\r\n\r\n";
  CHECK_FALSE(ParseHead(old).value()->keep_alive);
  const std::string expect = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
  CHECK(ParseHead(expect).value()->expects_continue);
}

TEST_CASE("provider-sim http: ambiguous or broken heads are refused") {
  CHECK(StatusOf("GET /\r\n\r\n") == 400);
  CHECK(StatusOf("\r\n\r\n") == 400);
  CHECK(StatusOf("GET http://x/ HTTP/1.1\r\n\r\n") == 400);
  CHECK(StatusOf("GET /a b HTTP/1.1\r\n\r\n") == 400);
  CHECK(StatusOf("G(T / HTTP/1.1\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\nname\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\nname : x\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n") == 400);
  CHECK(StatusOf(std::string("GET / HTTP/1.1\r\na: \0\r\n\r\n", 24)) == 400);
  CHECK(StatusOf("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n") == 400);
  CHECK(StatusOf("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n") == 400);
  CHECK(StatusOf("POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n") == 400);
  CHECK(StatusOf("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n") == 400);
  CHECK(StatusOf("POST / HTTP/1.1\r\n\r\n") == 411);
  CHECK(StatusOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") == 501);
  CHECK(StatusOf("GET / HTTP/2.0\r\n\r\n") == 505);
  CHECK(StatusOf(std::string(8192, 'x')) == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\na: " + std::string(kMaxHead, 'x')) == 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i <= kMaxHeaders; ++i) many += "a: b\r\n";
  CHECK(StatusOf(many + "\r\n") == 431);
}

TEST_CASE("provider-sim http: a length past any integer saturates and stays refusable") {
  const std::string text = "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n";
  const auto parsed = ParseHead(text);
  REQUIRE(parsed.has_value());
  CHECK((*parsed)->body_length > kMaxBody);
}

TEST_CASE("provider-sim http: a response says its length") {
  std::string out;
  Response response;
  response.status = 429;
  response.headers = "retry-after: 1\r\n";
  response.body = "{}";
  response.keep_alive = false;
  AppendResponse(out, response);
  CHECK(
      out ==
      "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: "
      "close\r\nretry-after: 1\r\n\r\n{}");
}

}  // namespace strongroom::sim
