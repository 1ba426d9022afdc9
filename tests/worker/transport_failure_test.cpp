#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <string>

#include "tls_server.h"
#include "transport_client.h"
#include "worker/transport.h"
#include "worker/transport_easy.h"

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

TEST_CASE("a key is sent to its own origin only", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames)), other(ca.Context(kNames)), plain(nullptr);
  Client client({ca.file()});
  const auto try_one = [&](const std::string& url, const std::string& origin) {
    return client.Send(Post(url + "/v1", KeyHeader::kApiKey), Client::Key(kKey, origin)).error();
  };
  REQUIRE(try_one(server.Url(), other.Url()) == TransportFailure::kSplice);  // another port
  REQUIRE(try_one(server.Url("localhost"), server.Url()) ==
          TransportFailure::kSplice);                                       // another name for the address
  REQUIRE(try_one(plain.Url(), plain.Url()) == TransportFailure::kSplice);  // no TLS
  REQUIRE(try_one("https://x@127.0.0.1:" + std::to_string(server.port()), server.Url()) ==
          TransportFailure::kSplice);
  REQUIRE(try_one("https://127.1:" + std::to_string(server.port()), server.Url()) ==
          TransportFailure::kSplice);
  REQUIRE(try_one("ftp://127.0.0.1", server.Url()) == TransportFailure::kSplice);
  REQUIRE(try_one("rubbish", server.Url()) == TransportFailure::kSplice);
  REQUIRE(client.Send(Post(server.Url() + "/v1", KeyHeader::kApiKey)).error() ==
          TransportFailure::kSplice);  // no key
  REQUIRE(
      client.Send(Post(server.Url() + "/v1", KeyHeader::kNone), Client::Key(kKey, server.Url())).error() ==
      TransportFailure::kSplice);  // no header for it
  REQUIRE(server.connections() + other.connections() + plain.connections() == 0);
  REQUIRE(client.transport->counts().calls == 0);
}

TEST_CASE("a call that is no HTTP is not made", "[transport]") {
  TestServer server(nullptr);
  Client client({});
  HttpCall method = Get(server.Url() + "/");
  method.method = "PUT";
  HttpCall header = Get(server.Url() + "/");
  header.headers = {"a: b\r\nx-api-key: c"};
  for (const HttpCall& call : {method, header, Get(server.Url() + "/a b"), Get(server.Url() + "/\r\nx: y"),
                               Get("nowhere"), Get("")}) {
    REQUIRE(client.Send(call).error() == TransportFailure::kInternal);
  }
  REQUIRE(server.connections() == 0);
}

TEST_CASE("a certificate that is not right is no connection", "[transport]") {
  TestCa ca, stranger;
  TestServer untrusted(stranger.Context(kNames)), expired(ca.Context(kNames, -60)),
      misnamed(ca.Context("DNS:example.org"));
  TestServer plain(nullptr);
  Client client({ca.file()});
  for (TestServer* server : {&untrusted, &expired, &misnamed}) {
    REQUIRE(client.SendKey(server->Url(), KeyHeader::kApiKey, kKey).error() == TransportFailure::kConnect);
    REQUIRE(client.Send(Get(server->Url() + "/")).error() == TransportFailure::kConnect);
    REQUIRE(server->seen().empty());
  }
  const std::string no_tls = "https://127.0.0.1:" + std::to_string(plain.port());
  REQUIRE(client.SendKey(no_tls, KeyHeader::kBearer, kKey, "{}", base::kMicrosPerSecond).error() !=
          TransportFailure::kLost);
  REQUIRE(plain.seen().empty());
  Client without_ca({});
  TestServer good(ca.Context(kNames));
  REQUIRE(without_ca.SendKey(good.Url(), KeyHeader::kApiKey, kKey).error() == TransportFailure::kConnect);
  REQUIRE(good.seen().empty());
}

TEST_CASE("a private CA is not trusted for the built-in providers", "[transport]") {
  TestCa ca;
  const Result<Trust> trust = Trust::Load(ca.file());
  REQUIRE(trust);
  REQUIRE(trust->StoreFor("api.anthropic.com") == trust->StoreFor("api.openai.com"));
  REQUIRE(trust->StoreFor("api.anthropic.com") != trust->StoreFor("localhost"));
  REQUIRE(trust->StoreFor("example.org") == trust->StoreFor("localhost"));
}

TEST_CASE("nobody there, no such name: not sent", "[transport]") {
  TestCa ca;
  std::string url;
  {
    TestServer gone(ca.Context(kNames));
    url = gone.Url();
  }
  Client client({ca.file()});
  REQUIRE(client.SendKey(url, KeyHeader::kApiKey, kKey).error() == TransportFailure::kConnect);
  REQUIRE(client.SendKey("https://nowhere.invalid", KeyHeader::kApiKey, kKey).error() ==
          TransportFailure::kConnect);
}

TEST_CASE("a connection lost after the request is one send, on a new or a reused connection", "[transport]") {
  TestCa ca;
  for (const auto how : {Reply::Then::kClose, Reply::Then::kCloseSilently, Reply::Then::kDrop}) {
    for (const bool reused : {false, true}) {
      TestServer server(ca.Context(kNames), [how](const Seen& seen) {
        return seen.body == "lose" ? Reply{"", how} : Answer(200, "{}");
      });
      Client client({ca.file()});
      if (reused) REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
      REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey, "lose").error() ==
              TransportFailure::kLost);
      REQUIRE(server.seen().size() == (reused ? 2 : 1));
      REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey));
    }
  }
}

TEST_CASE("a call without a key is sent once as well", "[transport]") {
  TestServer server(nullptr, [](const Seen& seen) {
    return seen.body == "lose" ? Reply{"", Reply::Then::kCloseSilently} : Answer(200, "{}");
  });
  Client client({});
  REQUIRE(client.Send(Post(server.Url() + "/api/chat", KeyHeader::kNone)));
  REQUIRE(client.Send(Post(server.Url() + "/api/chat", KeyHeader::kNone, "lose")).error() ==
          TransportFailure::kLost);
  REQUIRE(server.seen().size() == 2);
}

TEST_CASE("an answer cut short or beyond measure is a failure, not an answer", "[transport]") {
  TestCa ca;
  TestServer server(ca.Context(kNames), [](const Seen& seen) {
    if (seen.body == "cut")
      return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Reply::Then::kClose};
    if (seen.body == "rubbish") return Reply{"\x01\x02\x03 rubbish\r\n\r\n", Reply::Then::kClose};
    return Answer(200, std::string(kMostAnswerBytes + 1, 'x'));
  });
  Client client({ca.file()});
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey, "cut").error() == TransportFailure::kLost);
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey, "rubbish").error() ==
          TransportFailure::kLost);
  REQUIRE(client.SendKey(server.Url(), KeyHeader::kApiKey, kKey, "big").error() ==
          TransportFailure::kTooLarge);
}

TEST_CASE("the deadline ends a call, sent or not, and never late", "[transport]") {
  TestCa ca;
  TestServer silent(ca.Context(kNames), [](const Seen&) { return Reply{"", Reply::Then::kHang}; });
  Client client({ca.file()});
  constexpr base::Micros kWithin = 200 * base::kMicrosPerMilli;
  const base::Micros start = base::MonoMicros();
  REQUIRE(client.SendKey(silent.Url(), KeyHeader::kApiKey, kKey, "{}", kWithin).error() ==
          TransportFailure::kTimeout);
  const base::Micros took = base::MonoMicros() - start;
  REQUIRE(took > kWithin - 10 * base::kMicrosPerMilli);
  REQUIRE(took < kWithin + 500 * base::kMicrosPerMilli);
  REQUIRE(silent.seen().size() == 1);
  REQUIRE(client.SendKey(silent.Url(), KeyHeader::kApiKey, kKey, "{}", 0).error() ==
          TransportFailure::kTimeout);
  REQUIRE(client.SendKey(silent.Url(), KeyHeader::kApiKey, kKey, "{}", -5).error() ==
          TransportFailure::kTimeout);
  REQUIRE(silent.seen().size() == 1);
}

TEST_CASE("a call is cancelled, dropped or outlived without harm", "[transport]") {
  TestCa ca;
  TestServer silent(ca.Context(kNames), [](const Seen&) { return Reply{"", Reply::Then::kHang}; });
  const auto begin = [&](Client& client) {
    auto result =
        client.Begin(Post(silent.Url() + "/v1", KeyHeader::kApiKey), Client::Key(kKey, silent.Url()));
    const std::size_t before = silent.seen().size();
    REQUIRE(test::WaitFor([&] {
      client.io.poll();
      return silent.seen().size() > before;
    }));
    return result;
  };
  SECTION("the transport goes first") {
    Client client({ca.file()});
    const auto result = begin(client);
    client.transport.reset();
    client.io.run();
    REQUIRE((*result)->error() == TransportFailure::kLost);
  }
  SECTION("the loop goes first, with the call in it") {
    auto io = std::make_unique<asio::io_context>(1);
    TransportOptions options;
    options.ca_file = ca.file();
    auto transport = std::make_unique<Transport>(io->get_executor(), options);
    asio::co_spawn(
        *io,
        transport->Send(Post(silent.Url() + "/v1", KeyHeader::kApiKey), Client::Key(kKey, silent.Url()),
                        base::MonoMicros() + 10 * base::kMicrosPerSecond),
        asio::detached);
    REQUIRE(test::WaitFor([&] {
      io->poll();
      return !silent.seen().empty();
    }));
    transport.reset();
    io.reset();
  }
  SECTION("the caller cancels") {
    Client client({ca.file()});
    asio::cancellation_signal cancel;
    bool over = false;
    asio::co_spawn(client.io,
                   client.transport->Send(Post(silent.Url() + "/v1", KeyHeader::kApiKey),
                                          Client::Key(kKey, silent.Url()),
                                          base::MonoMicros() + 60 * base::kMicrosPerSecond),
                   asio::bind_cancellation_slot(cancel.slot(),
                                                [&over](std::exception_ptr, test::Sent) { over = true; }));
    REQUIRE(test::WaitFor([&] {
      client.io.poll();
      return !silent.seen().empty();
    }));
    cancel.emit(asio::cancellation_type::terminal);
    client.io.restart();
    client.io.run();
    REQUIRE(over);
  }
}

}  // namespace
}  // namespace strongroom::worker
