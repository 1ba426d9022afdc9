#include "worker/splice.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/vault/secret_probe.h"
#include "tls_server.h"

#include <catch2/catch.hpp>

namespace strongroom::worker {
namespace {

using test::TestCa;
using test::TestServer;
using vault::Origin;
using vault::SecretProbe;

const std::string kKey = "sk-test-0123456789-abcdefghijklmnopqrstuvwxyz";

std::unique_ptr<Splice> Armed(const Origin& origin, const std::string& key = kKey) {
  auto splice = Splice::Arm(SecretProbe::Of(key), origin);
  REQUIRE(splice);
  return std::move(*splice);
}

std::string Head(const Splice& splice, const std::string& name = "x-api-key: ") {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + name + std::string(splice.placeholder()) +
         "\r\nContent-Length: 2\r\n\r\n";
}

// TlsClient is one OpenSSL connection, non-blocking as curl's are, on a context bound (or not) to an origin.
class TlsClient {
 public:
  TlsClient(int fd, const TestCa& ca, const Origin* origin, int verify = SSL_VERIFY_PEER)
      : fd_(fd), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_load_verify_locations(context_.get(), ca.file().c_str(), nullptr);
    if (origin != nullptr) REQUIRE(Splice::BindContext(context_.get(), *origin));
    SSL_CTX_set_verify(context_.get(), verify, nullptr);
    tls_.reset(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(tls_.get(), fd_);
    connected_ = SSL_connect(tls_.get()) == 1;
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~TlsClient() { close(fd_); }
  int Write(const std::string& bytes) {
    return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  int Error(int result) { return SSL_get_error(tls_.get(), result); }
  bool connected() const { return connected_; }
  SSL* tls() { return tls_.get(); }

 private:
  int fd_;
  std::shared_ptr<SSL_CTX> context_;
  std::shared_ptr<SSL> tls_;
  bool connected_ = false;
};

int Dial(const TestServer& server) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

struct House {
  TestCa ca;
  TestServer server{ca.Context("DNS:localhost,IP:127.0.0.1")};
  Origin origin = *Origin::OfEndpoint(server.Url());
};

void RequireRefused(TlsClient& client, Splice& splice, const std::string& bytes) {
  const int result = client.Write(bytes);
  REQUIRE(result == -1);
  REQUIRE(client.Error(result) == SSL_ERROR_SYSCALL);
  REQUIRE(splice.state() == Splice::State::kRefused);
  REQUIRE_FALSE(splice.sent());
}

TEST_CASE("the self-test finds the hook live, again and again", "[splice]") {
  for (int i = 0; i < 3; ++i) {
    const auto live = Splice::SelfTest();
    if (!live) FAIL(live.error().Message());
  }
}

TEST_CASE("a key is armed with a placeholder of its own length and nothing of its own", "[splice]") {
  const Origin origin = *Origin::OfEndpoint("https://localhost:8443");
  std::string last;
  for (const std::size_t size : {20UL, 21UL, 100UL, 2000UL}) {
    const auto splice = Armed(origin, std::string(size, 'k'));
    const std::string placeholder(splice->placeholder());
    REQUIRE(placeholder.size() == size);
    REQUIRE(placeholder.find_first_not_of(
                "~-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos);
    REQUIRE(placeholder.substr(0, 20) != last);
    REQUIRE(splice->state() == Splice::State::kArmed);
    last = placeholder.substr(0, 20);
  }
  REQUIRE(Splice::Arm(SecretProbe::Of(std::string(19, 'k')), origin).error().code() ==
          Code::kInvalidArgument);
  REQUIRE(Splice::Arm(SecretProbe::Of(kKey), *Origin::OfEndpoint("http://localhost")).error().code() ==
          Code::kInvalidArgument);
}

TEST_CASE("too many armed keys are an error, not a crash", "[splice]") {
  const Origin origin = *Origin::OfEndpoint("https://localhost:8443");
  std::vector<std::unique_ptr<Splice>> armed;
  for (int i = 0; i < 10000; ++i) {
    auto key = vault::SecretValue::Allocate(40);
    if (!key) break;
    auto splice = Splice::Arm(std::move(*key), origin);
    if (!splice) {
      REQUIRE(splice.error().code() == Code::kResourceExhausted);
      break;
    }
    armed.push_back(std::move(*splice));
  }
  REQUIRE(armed.size() < 10000);
}

TEST_CASE("the key replaces its placeholder once, and the second write is refused", "[splice]") {
  House house;
  for (const std::string name : {"x-api-key: ", "authorization: Bearer "}) {
    TlsClient client(Dial(house.server), house.ca, &house.origin);
    REQUIRE(client.connected());
    const std::size_t before = house.server.seen().size();
    const auto splice = Armed(house.origin);
    const std::string request = Head(*splice, name) + "~S";
    REQUIRE(client.Write(request) == static_cast<int>(request.size()));
    REQUIRE(splice->state() == Splice::State::kDone);
    const int again = client.Write(request);
    REQUIRE(again == -1);
    REQUIRE(client.Error(again) == SSL_ERROR_SYSCALL);
    REQUIRE(splice->state() == Splice::State::kRefused);
    REQUIRE(splice->sent());
    REQUIRE(test::WaitFor([&] { return house.server.seen().size() == before + 1; }));
    REQUIRE(house.server.seen().back().head.find("\r\n" + name + kKey + "\r\n") != std::string::npos);
    REQUIRE(house.server.seen().back().body == "~S");
  }
  REQUIRE(house.server.seen().size() == 2);
}

TEST_CASE("a placeholder anywhere but in its header line is refused", "[splice]") {
  House house;
  const auto try_one = [&house](auto make) {
    TlsClient client(Dial(house.server), house.ca, &house.origin);
    const auto splice = Armed(house.origin);
    RequireRefused(client, *splice, make(*splice));
  };
  const std::string start = "POST / HTTP/1.1\r\nContent-Length: 2\r\n";
  try_one([&](const Splice& s) { return start + "\r\n" + std::string(s.placeholder()); });  // body
  try_one(
      [&](const Splice& s) { return start + "\r\nx-api-key: " + std::string(s.placeholder()) + "\r\n\r\n"; });
  try_one([&](const Splice& s) {
    return start + "cookie: " + std::string(s.placeholder()) + "\r\n\r\n";
  });  // another header
  try_one(
      [&](const Splice& s) { return start + "x-x-api-key: " + std::string(s.placeholder()) + "\r\n\r\n"; });
  try_one(
      [&](const Splice& s) { return start + "x-api-key: a" + std::string(s.placeholder()) + "\r\n\r\n"; });
  try_one(
      [&](const Splice& s) { return start + "x-api-key: " + std::string(s.placeholder()) + "a\r\n\r\n"; });
  try_one([&](const Splice& s) {
    return start + "x-api-key: " + std::string(s.placeholder()) + "\r\n";
  });                                                                                // open head
  try_one([&](const Splice& s) { return Head(s) + std::string(s.placeholder()); });  // twice
  try_one([&](const Splice& s) { return Head(s) + std::string(s.placeholder()).substr(0, 20); });
  try_one([&](const Splice& s) { return Head(s) + std::string(16384, 'x'); });  // two records
  const auto other = Armed(house.origin);
  try_one([&](const Splice& s) { return Head(s) + std::string(other->placeholder()); });  // two keys
  REQUIRE(other->state() == Splice::State::kRefused);
  REQUIRE(house.server.seen().empty());
}

TEST_CASE("a key goes to no connection but its origin's, verified", "[splice]") {
  House house;
  const auto refused_on = [&house](const Origin* bound, const Origin& armed, int verify = SSL_VERIFY_PEER) {
    TlsClient client(Dial(house.server), house.ca, bound, verify);
    REQUIRE(client.connected());
    const auto splice = Armed(armed);
    RequireRefused(client, *splice, Head(*splice));
  };
  refused_on(nullptr, house.origin);                                      // nobody bound it
  refused_on(&house.origin, *Origin::OfEndpoint("https://127.0.0.1:1"));  // another port
  refused_on(&house.origin, *Origin::OfEndpoint("https://localhost:" + std::to_string(house.server.port())));
  refused_on(&house.origin, house.origin, SSL_VERIFY_NONE);  // nobody looks at the certificate
  TestServer stranger(TestCa().Context("IP:127.0.0.1"));
  TlsClient unverified(Dial(stranger), house.ca, &house.origin);
  REQUIRE_FALSE(unverified.connected());
  const auto splice = Armed(house.origin);
  RequireRefused(unverified, *splice, Head(*splice));
  REQUIRE(house.server.seen().empty());
  REQUIRE(stranger.seen().empty());
}

TEST_CASE("a bound context verifies the host name itself", "[splice]") {
  House house;
  const Origin wrong = *Origin::OfEndpoint("https://example.org:" + std::to_string(house.server.port()));
  TlsClient client(Dial(house.server), house.ca, &wrong);
  REQUIRE_FALSE(client.connected());
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  REQUIRE_FALSE(Splice::BindContext(context.get(), *Origin::OfEndpoint("http://localhost")));
  REQUIRE(Splice::BindContext(context.get(), house.origin));
  REQUIRE_FALSE(Splice::BindContext(context.get(), house.origin));
}

TEST_CASE("writes without an armed placeholder pass as they are", "[splice]") {
  House house;
  TlsClient client(Dial(house.server), house.ca, &house.origin);
  const auto splice = Armed(house.origin);
  const std::string body = "~SR~AAAAAAAAAAAAAAAA~SR~~SR~";
  const std::string request = "POST / HTTP/1.1\r\nContent-Length: 28\r\n\r\n" + body;
  REQUIRE(client.Write(request) == static_cast<int>(request.size()));
  REQUIRE(test::WaitFor([&] { return house.server.seen().size() == 1; }));
  REQUIRE(house.server.seen()[0].body == body);
  REQUIRE(splice->state() == Splice::State::kArmed);
}

TEST_CASE("the key is held back from a connection that its peer has closed", "[splice]") {
  House house;
  for (const auto how :
       {test::Reply::Then::kClose, test::Reply::Then::kCloseSilently, test::Reply::Then::kDrop}) {
    TlsClient client(Dial(house.server), house.ca, &house.origin);
    REQUIRE(client.connected());
    house.server.DropIdle(how);
    const auto splice = Armed(house.origin);
    const int result = client.Write(Head(*splice));
    REQUIRE(result == -1);
    REQUIRE(client.Error(result) == SSL_ERROR_SYSCALL);
    REQUIRE(splice->state() == Splice::State::kArmed);
    REQUIRE(splice->met_dead());
    TlsClient fresh(Dial(house.server), house.ca, &house.origin);
    REQUIRE(fresh.Write(Head(*splice)) > 0);
    REQUIRE(splice->state() == Splice::State::kDone);
  }
}

TEST_CASE("a write that must be repeated is one write", "[splice]") {
  TestCa ca;
  const Origin origin = *Origin::OfEndpoint("https://localhost:8443");
  int pair[2] = {-1, -1};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const int send_buffer = 4608;
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  const auto context = ca.Context("DNS:localhost");
  std::atomic<bool> may_read = false;
  std::string seen;
  std::thread peer([&] {
    const std::shared_ptr<SSL> tls(SSL_new(context.get()), SSL_free);
    SSL_set_fd(tls.get(), pair[1]);
    if (SSL_accept(tls.get()) != 1) return;
    while (!may_read) poll(nullptr, 0, 1);
    std::array<char, 4096> buffer{};
    for (int got = 0; (got = SSL_read(tls.get(), buffer.data(), 4096)) > 0;)
      seen.append(buffer.data(), static_cast<std::size_t>(got));
  });
  {
    TlsClient client(pair[0], ca, &origin);
    REQUIRE(client.connected());
    // The record is larger than what the socket takes while nobody reads.
    const auto splice = Armed(origin);
    const std::string request = Head(*splice) + std::string(16000, 'b');
    int result = client.Write(request), repeats = 0;
    REQUIRE(result == -1);
    for (; result <= 0; result = client.Write(request), ++repeats) {
      REQUIRE(client.Error(result) == SSL_ERROR_WANT_WRITE);
      REQUIRE(splice->state() == Splice::State::kArmed);
      REQUIRE_FALSE(splice->sent());
      may_read = repeats > 2;
      poll(nullptr, 0, 1);
    }
    REQUIRE(repeats > 2);
    REQUIRE(splice->state() == Splice::State::kDone);
    SSL_shutdown(client.tls());
  }
  peer.join();
  close(pair[1]);
  const std::size_t at = seen.find(kKey);
  REQUIRE(at != std::string::npos);
  REQUIRE(seen.find(kKey, at + 1) == std::string::npos);
  REQUIRE(seen.find("~SR~") == std::string::npos);
}

TEST_CASE("a write that failed halfway leaves the key to one other connection only when it has ended",
          "[splice]") {
  House house;
  int pair[2] = {-1, -1};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const int send_buffer = 4608;
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  const auto context = house.ca.Context("IP:127.0.0.1");
  const std::shared_ptr<SSL> peer(SSL_new(context.get()), SSL_free);
  std::thread accepting([&] {
    SSL_set_fd(peer.get(), pair[1]);
    SSL_accept(peer.get());
  });
  TlsClient stuck(pair[0], house.ca, &house.origin), free(Dial(house.server), house.ca, &house.origin);
  accepting.join();
  const bool ended = GENERATE(false, true);
  const auto splice = Armed(house.origin);
  const std::string request = Head(*splice) + std::string(16000, 'b');
  const int result = stuck.Write(request);
  REQUIRE(stuck.Error(result) == SSL_ERROR_WANT_WRITE);
  if (ended) {
    close(pair[1]);
    REQUIRE(stuck.Error(stuck.Write(request)) == SSL_ERROR_SYSCALL);
    REQUIRE(free.Write(request) > 0);
    REQUIRE(splice->state() == Splice::State::kDone);
  } else {
    RequireRefused(free, *splice, request);
    close(pair[1]);
  }
}

TEST_CASE("threads with keys of their own do not meet", "[splice]") {
  House house;
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int t = 0; t < 4; ++t) {
    std::vector<vault::SecretValue> keys;
    for (int i = 0; i < 50; ++i) {
      keys.push_back(SecretProbe::Of("thread-" + std::to_string(t) + "-key-0123456789-" + std::to_string(i)));
    }
    // Catch's assertions belong to one thread: whatever has some is made here.
    auto line = std::make_unique<TlsClient>(Dial(house.server), house.ca, &house.origin);
    threads.emplace_back([&house, &done, t, keys = std::move(keys), line = std::move(line)]() mutable {
      TlsClient& client = *line;
      const std::string answer = test::Answer(200, "{}").bytes;
      for (vault::SecretValue& key : keys) {
        auto splice = Splice::Arm(std::move(key), house.origin);
        const std::string request = Head(**splice) + std::to_string(t) + "x";
        if (client.Write(request) <= 0 || (*splice)->state() != Splice::State::kDone) return;
        std::array<char, 512> buffer{};
        for (std::size_t got = 0; got < answer.size();) {
          const int part = SSL_read(client.tls(), buffer.data(), 512);
          if (part <= 0) {
            if (client.Error(part) != SSL_ERROR_WANT_READ) return;
            poll(nullptr, 0, 1);
            continue;
          }
          got += static_cast<std::size_t>(part);
        }
        ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  REQUIRE(done == 200);
  for (const auto& seen : house.server.seen()) {
    REQUIRE(seen.head.find("x-api-key: thread-" + seen.body.substr(0, 1) + "-key-") != std::string::npos);
  }
}

}  // namespace
}  // namespace strongroom::worker
