#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "tests/vault/socket_house.h"
#include "vault/unix_socket.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

Bytes Text(std::string_view text) { return Bytes(text.begin(), text.end()); }

asio::awaitable<Result<Answer>> AskFor(Client& client, std::uint8_t operation, std::string text,
                                       std::int64_t millis = 10'000) {
  Bytes body = Text(text);
  co_return co_await client.Ask(Operation{operation}, std::move(body), In(millis));
}

// AskMany has `count` calls in flight at once and waits for all; it counts the answers that were exactly right.
asio::awaitable<int> AskMany(Client& client, std::uint8_t operation, int count) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer all(executor);
  all.expires_at(asio::steady_timer::time_point::max());
  int left = count, right = 0;
  const auto one = [&](int number) -> asio::awaitable<void> {
    const std::string text = "key-" + std::to_string(number) + std::string(static_cast<std::size_t>(number % 300), 'k');
    const Result<Answer> answer = co_await AskFor(client, operation, text);
    bool exact = answer && answer->body == Text(text);
    if (operation == kRelease) exact = exact && answer->secret && SecretProbe::Copy(answer->secret->View()) == Text(text);
    if (exact) ++right;
    if (--left == 0) all.cancel();
  };
  for (int i = 0; i < count; ++i) asio::co_spawn(executor, one(i), asio::detached);
  asio::error_code ignored;
  co_await all.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return right;
}

}  // namespace

TEST_CASE("a thousand pipelined calls each get their own answer") {
  SocketHouse house;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    const int echoed = co_await AskMany(client, kEcho, 1000);
    REQUIRE(echoed == 1000);
    const int later = co_await AskMany(client, kEchoLater, 1000);
    REQUIRE(later == 1000);
  });
}

TEST_CASE("a thousand keys cross exactly, each opened once") {
  SocketHouse house;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    const int right = co_await AskMany(client, kRelease, 1000);
    REQUIRE(right == 1000);
  });
  REQUIRE(house.handler().opened == 1000);
}

TEST_CASE("refusals arrive as their row of the table") {
  SocketHouse house;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    const auto revoked = co_await AskFor(client, kRefuse, "");
    REQUIRE(!revoked);
    REQUIRE(RefusalOf(revoked.error()) == Refusal::kKeyRevoked);
    REQUIRE(revoked.error().code() == Code::kRefused);
    const auto tampered = co_await AskFor(client, kWontOpen, "");
    REQUIRE(!tampered);
    REQUIRE(RefusalOf(tampered.error()) == Refusal::kKeyTampered);
    const auto unknown = co_await AskFor(client, 99, "");
    REQUIRE(RefusalOf(unknown.error()) == Refusal::kUnknownOperation);
  });
}

TEST_CASE("a deadline ends a call, and its late answer is dropped") {
  SocketHouse house;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    const auto late = co_await AskFor(client, kHold, "x", 50);
    REQUIRE(late.error().code() == Code::kDeadlineExceeded);
    house.handler().LetGo();
    const int right = co_await AskMany(client, kEchoLater, 100);
    REQUIRE(right == 100);
    const auto past = co_await AskFor(client, kEcho, "x", -1);
    REQUIRE(past.error().code() == Code::kDeadlineExceeded);
    const auto far = co_await client.Ask(Operation{kEcho}, Bytes(), INT64_MAX);
    REQUIRE(far.has_value());
  });
}

TEST_CASE("a socket of another owner is refused before a byte is sent") {
  SocketHouse house;
  ClientOptions options = house.options();
  options.server_uid = geteuid() + 1;
  WithClient(options, [&](Client& client) -> asio::awaitable<void> {
    const auto answer = co_await AskFor(client, kEcho, "x");
    REQUIRE(answer.error().code() == Code::kPermissionDenied);
    const auto connected = co_await client.Connected(In(10'000));
    REQUIRE(connected.error().code() == Code::kPermissionDenied);
  });
  const auto once = AskOnce(options, Operation{kEcho}, {}, base::kMicrosPerSecond);
  REQUIRE(once.error().code() == Code::kPermissionDenied);
  REQUIRE(house.handler().handled == 0);
}

TEST_CASE("a request waits for a vaultd that is away, and a sent one is not sent twice") {
  SocketHouse house;
  std::vector<std::int64_t> epochs;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    client.OnEpoch([&](std::int64_t epoch) { epochs.push_back(epoch); });
    const auto connected = co_await client.Connected(In(10'000));
    REQUIRE(connected.has_value());
    // One call is with vaultd when it goes; it must end, and must not be repeated.
    std::optional<Code> ended;
    const auto executor = co_await asio::this_coro::executor;
    const auto held = [&]() -> asio::awaitable<void> {
      const auto answer = co_await AskFor(client, kHold, "sent");
      ended = answer ? Code::kInternal : answer.error().code();
    };
    asio::co_spawn(executor, held(), asio::detached);
    while (house.handler().held() == 0) co_await asio::post(asio::use_awaitable);
    std::thread stopper([&] { house.StopServer(); });
    while (std::filesystem::exists(house.path())) co_await asio::post(asio::use_awaitable);
    const auto away = co_await AskFor(client, kEcho, "x", 30);
    REQUIRE(away.error().code() == Code::kDeadlineExceeded);
    house.handler().LetGo();
    stopper.join();
    house.StartServer();
    const auto back = co_await AskFor(client, kEcho, "back");
    REQUIRE(back.has_value());
    while (!ended) co_await asio::post(asio::use_awaitable);
  });
  REQUIRE(house.handler().handled == 2);
  REQUIRE(epochs == std::vector<std::int64_t>{-1});
}

TEST_CASE("a lost connection ends what was sent with kUnavailable") {
  ServerLimits limits;
  limits.drain_ms = 1;
  SocketHouse house(limits);
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    const auto executor = co_await asio::this_coro::executor;
    std::thread stopper;
    const auto stop = [&]() -> asio::awaitable<void> {
      while (house.handler().held() == 0) co_await asio::post(asio::use_awaitable);
      stopper = std::thread([&] { house.StopServer(); });
    };
    asio::co_spawn(executor, stop(), asio::detached);
    const auto answer = co_await AskFor(client, kHold, "x");
    REQUIRE(answer.error().code() == Code::kUnavailable);
    stopper.join();
  });
}

TEST_CASE("epoch notices reach workers") {
  SocketHouse house;
  std::vector<std::int64_t> epochs;
  WithClient(house.options(), [&](Client& client) -> asio::awaitable<void> {
    client.OnEpoch([&](std::int64_t epoch) { epochs.push_back(epoch); });
    const auto first = co_await AskFor(client, kEcho, "x");
    REQUIRE(first.has_value());
    house.handler().MoveEpoch(41);
    while (epochs.empty()) co_await asio::post(asio::use_awaitable);
    house.handler().MoveEpoch(42);
    while (epochs.size() < 2) co_await asio::post(asio::use_awaitable);
  });
  REQUIRE(epochs == std::vector<std::int64_t>{41, 42});
}

TEST_CASE("closing ends every waiting call, destroying a waiting caller is safe") {
  SocketHouse house;
  {
    asio::io_context context(1);
    Client client(context.get_executor(), house.options());
    std::optional<Code> ended;
    const auto ask = [&]() -> asio::awaitable<void> {
      const auto answer = co_await AskFor(client, kHold, "x");
      ended = answer ? Code::kInternal : answer.error().code();
    };
    asio::co_spawn(context, ask(), asio::detached);
    REQUIRE(Eventually([&] {
      context.poll();
      return house.handler().held() == 1;
    }));
    client.Close();
    context.run();
    REQUIRE(ended == Code::kUnavailable);
  }
  auto context = std::make_unique<asio::io_context>(1);
  auto client = std::make_unique<Client>(context->get_executor(), house.options());
  const auto ask = [&]() -> asio::awaitable<void> { co_await AskFor(*client, kHold, "x"); };
  asio::co_spawn(*context, ask(), asio::detached);
  REQUIRE(Eventually([&] {
    context->poll();
    return house.handler().held() == 2;
  }));
  client.reset();
  context.reset();
}

TEST_CASE("asking once says at once that nobody is there") {
  ClientOptions options;
  options.socket_path = (std::filesystem::temp_directory_path() / "no-such-vaultd.sock").string();
  options.server_uid = geteuid();
  const auto answer = AskOnce(options, Operation{kEcho}, {}, base::kMicrosPerSecond);
  REQUIRE(answer.error().code() == Code::kUnavailable);
  REQUIRE(answer.error().number() == ENOENT);
  SocketHouse house;
  const auto late = AskOnce(house.options(), Operation{kHold}, {}, 50 * base::kMicrosPerMilli);
  REQUIRE(late.error().code() == Code::kDeadlineExceeded);
  const auto long_request = AskOnce(house.options(), Operation{kEcho}, Bytes(kMostRequestBytes + 1), base::kMicrosPerSecond);
  REQUIRE(long_request.error().code() == Code::kInvalidArgument);
  const auto long_answer = AskOnce(house.options(), Operation{kLong}, {}, 5 * base::kMicrosPerSecond);
  REQUIRE(long_answer);
  REQUIRE(long_answer->body == Bytes(256 << 10, 7));
}

}  // namespace strongroom::vault
