#include "worker/transport.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tls_server.h"
#include "transport_client.h"

#include <catch2/catch.hpp>

namespace strongroom::worker {
namespace {

using test::Answer;
using test::Client;
using test::Get;
using test::Post;
using test::Reply;
using test::Seen;
using test::TestCa;
using test::TestServer;

const std::string kKey = "sk-test-0123456789-abcdefghijklmnopqrstuvwxyz";
const std::string kNames = "DNS:localhost,IP:127.0.0.1";

std::size_t Count(const std::string& text, const std::string& needle) {
  std::size_t count = 0;
  for (std::size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) ++count;
  return count;
}

TEST_CASE("the key arrives exactly, once, in its header", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames));
  Client client({ca.file()});
  for (const auto header : {KeyHeader::kApiKey, KeyHeader::kBearer}) {
    for (const std::size_t key_bytes : {20UL, 21UL, 108UL, 256UL, 257UL, 1999UL, 2000UL}) {
      for (const std::size_t body_bytes : {0UL, 1UL, 1024UL, 14000UL, 16384UL, 20000UL, 70000UL, 300000UL}) {
        std::string key(key_bytes, 'k');
        for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(0x21 + i * 7 % 94);
        const std::string body(body_bytes, '~');
        const std::size_t before = server.seen().size();
        const auto answer = client.SendKey(server.Url(), header, key, body);
        INFO(key_bytes << " " << body_bytes);
        if (!answer) FAIL(TransportFailureText(answer.error()));
        REQUIRE(answer->status == 200);
        const auto seen = server.seen();
        REQUIRE(seen.size() == before + 1);
        const std::string line =
            (header == KeyHeader::kBearer ? "\r\nauthorization: Bearer " : "\r\nx-api-key: ") + key + "\r\n";
        REQUIRE(Count(seen.back().head, line) == 1);
        REQUIRE(Count(seen.back().head, "~SR~") == 0);
        REQUIRE(seen.back().body == body);
      }
    }
  }
  REQUIRE(client.transport->counts().calls == 2 * 7 * 8);
  REQUIRE(client.transport->counts().new_connections == 1);
}

TEST_CASE("a request says what it must and nothing of us", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames));
  Client client({ca.file()});
  REQUIRE(client.SendKey(server.Url("localhost"), KeyHeader::kApiKey, kKey));
  const std::string wanted =
      "POST /v1/messages HTTP/1.1\r\nHost: localhost:" + std::to_string(server.port()) +
      "\r\nAccept: */*\r\ncontent-type: application/json\r\nx-api-key: " + kKey +
      "\r\nContent-Length: 2\r\n\r\n";
  REQUIRE(server.seen().at(0).head == wanted);
  REQUIRE(client.Send(Get(server.Url() + "/v1/models")));
  REQUIRE(server.seen().at(1).head.starts_with("GET /v1/models HTTP/1.1\r\n"));
}

TEST_CASE("an answer comes back whole, with the headers that retries need", "[transport]") {
  TestCa ca;
  const std::string big(3'000'000, 'b');
  TestServer server(ca.Context(kNames), [&big](const Seen& seen) {
    if (seen.body == "big") return Answer(200, big);
    return Answer(529, "busy", "Retry-After: 7\r\nRETRY-AFTER-MS:  6500 \r\nx-should-retry: true\r\n");
  });
  Client client({ca.file()});
  const auto refused = client.SendKey(server.Url(), KeyHeader::kApiKey, kKey);
  REQUIRE(refused);
  REQUIRE(refused->status == 529);
  REQUIRE(refused->body == "busy");
  REQUIRE(refused->retry_after == "7");
  REQUIRE(refused->retry_after_ms == "6500");
  REQUIRE(refused->should_retry == "true");
  const auto whole = client.SendKey(server.Url(), KeyHeader::kApiKey, kKey, "big");
  REQUIRE(whole);
  REQUIRE(whole->body == big);
  REQUIRE_FALSE(whole->retry_after);
}

TEST_CASE("a redirect is an answer like any other", "[transport]") {
  TestCa ca;
  TestServer elsewhere(ca.Context(kNames));
  TestServer server(ca.Context(kNames), [&](const Seen&) {
    return Answer(307, "", "Location: " + elsewhere.Url() + "/v1/messages\r\n");
  });
  Client client({ca.file()});
  const auto answer = client.SendKey(server.Url(), KeyHeader::kBearer, kKey);
  REQUIRE(answer);
  REQUIRE(answer->status == 307);
  REQUIRE(elsewhere.connections() == 0);
}

TEST_CASE("a proxy in the environment is ignored", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames)), proxy(nullptr);
  for (const char* name : {"https_proxy", "http_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"})
    setenv(name, proxy.Url().c_str(), 1);
  Client client({ca.file()});
  const auto answer = client.SendKey(server.Url(), KeyHeader::kApiKey, kKey);
  for (const char* name : {"https_proxy", "http_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"})
    unsetenv(name);
  REQUIRE(answer);
  REQUIRE(proxy.connections() == 0);
}

TEST_CASE("a call without a key may go over plain http", "[transport]") {
  TestServer server(nullptr);
  Client client({});
  const auto answer = client.Send(Post(server.Url() + "/api/chat", KeyHeader::kNone, "hello"));
  REQUIRE(answer);
  REQUIRE(server.seen().at(0).body == "hello");
  REQUIRE(server.seen().at(0).head.find("~SR~") == std::string::npos);
}

TEST_CASE("64 calls at once share 64 connections for as many calls as come", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames));
  Client client({ca.file()});
  constexpr int kRounds = 10, kAtOnce = 64;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::shared_ptr<std::optional<test::Sent>>> results;
    for (int i = 0; i < kAtOnce; ++i) {
      const std::string body(static_cast<std::size_t>(i) * 400 + 1, 'b');
      results.push_back(client.Begin(Post(server.Url() + "/v1/messages", KeyHeader::kApiKey, body),
                                     Client::Key(kKey, server.Url())));
    }
    client.io.restart();
    client.io.run();
    for (const auto& result : results)
      REQUIRE((result->has_value() && **result && (**result)->status == 200));
  }
  REQUIRE(client.transport->counts().calls == kRounds * kAtOnce);
  REQUIRE(client.transport->counts().new_connections <= kAtOnce);
  REQUIRE(server.seen().size() == kRounds * kAtOnce);
  for (const Seen& seen : server.seen()) REQUIRE(Count(seen.head, kKey) == 1);
}

TEST_CASE("connections idle for long enough are closed, and the next call makes its own", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames));
  Client client({ca.file()});
  client.transport->Rest(0);  // nothing there yet
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
  client.transport->Rest();  // not idle for so long
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
  REQUIRE(client.transport->counts().new_connections == 1);

  client.transport->Rest(0);
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
  REQUIRE(client.transport->counts().new_connections == 2);

  // Not under a call.
  const auto slow = client.Begin(Post(server.Url() + "/v1/messages", KeyHeader::kApiKey),
                                 Client::Key(kKey, server.Url()));
  client.io.restart();
  client.io.run_one();
  client.transport->Rest(0);
  client.io.run();
  REQUIRE((slow->has_value() && **slow));
}

TEST_CASE("an idle connection that its server closed costs no call", "[transport]") {
  TestCa ca;
  for (const auto how : {Reply::Then::kClose, Reply::Then::kCloseSilently, Reply::Then::kDrop}) {
    TestServer server(ca.Context(kNames));
    Client client({ca.file()});
    REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
    server.DropIdle(how);
    REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
    REQUIRE(server.seen().size() == 2);
    REQUIRE(client.transport->counts().new_connections == 2);
  }
}

TEST_CASE("a restart of the provider under many idle connections costs no call", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames));
  Client client({ca.file()});
  const auto all = [&] {
    std::vector<std::shared_ptr<std::optional<test::Sent>>> results;
    for (int i = 0; i < 20; ++i) {
      results.push_back(
          client.Begin(Post(server.Url() + "/v1", KeyHeader::kBearer), Client::Key(kKey, server.Url())));
    }
    client.io.restart();
    client.io.run();
    return std::count_if(results.begin(), results.end(),
                         [](const auto& result) { return result->has_value() && **result; });
  };
  REQUIRE(all() == 20);
  server.DropIdle(Reply::Then::kClose);
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kBearer, kKey));
  REQUIRE(all() == 20);
  REQUIRE(server.seen().size() == 41);
}

TEST_CASE("ca_file must be there and hold a certificate", "[transport]") {
  TestCa ca;
  REQUIRE(CheckTransport({}));
  REQUIRE(CheckTransport({ca.file()}));
  REQUIRE(CheckTransport({ca.file() + ".missing"}).error().code() == Code::kInvalidArgument);
  REQUIRE(CheckTransport({ca.directory()}).error().code() == Code::kInvalidArgument);
  REQUIRE(CheckTransport({"/dev/null"}).error().code() == Code::kInvalidArgument);
  Client client({"/dev/null"});
  REQUIRE(client.Send(Get("http://127.0.0.1:1/")).error() == TransportFailure::kInternal);
}

}  // namespace
}  // namespace strongroom::worker
