#include "provider-sim/server.h"

#include <sys/resource.h>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <unordered_set>
#include <utility>
#include <vector>

#include "provider-sim/http.h"
#include "provider-sim/stream.h"

namespace strongroom::sim {
namespace {

using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using State = Progress::State;

// Seconds, counted by the sweeper.
constexpr std::uint64_t kHandshakeSeconds = 10;
constexpr std::uint64_t kIdleSeconds = 300;
constexpr std::uint64_t kRequestSeconds = 60;
constexpr std::uint64_t kSilenceSeconds = 120;
constexpr std::uint64_t kLingerSeconds = 2;
constexpr std::uint64_t kNever = UINT64_MAX;
constexpr std::size_t kReadSize = 64UL * 1024;
constexpr std::size_t kKeptBuffer = 256UL * 1024;

class Session;

// Shared is what all sessions of a loop share.
struct Shared {
  Simulator simulator;
  TlsContext tls;
  std::unordered_set<Session*> sessions;
  std::uint64_t now = 0;  // seconds since start
  std::vector<char> scratch = std::vector<char>(kReadSize);
};

// Session is one connection; it lives in its coroutine's frame.
class Session {
 public:
  Session(tcp::socket socket, Shared& shared)
      : socket_(std::move(socket)), stream_(socket_.native_handle(), shared.tls.get()), shared_(shared) {
    shared_.sessions.insert(this);
    Allow(kHandshakeSeconds);
  }
  ~Session() { shared_.sessions.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  awaitable<void> Run();

  // EndIfLate wakes a session that is past its deadline. It shuts the socket down and does not close it, so
  // that the descriptor's number cannot become another connection's under the coroutine's hands.
  void EndIfLate() {
    if (shared_.now < deadline_) return;
    std::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
  }

 private:
  awaitable<bool> Wait(State state);
  awaitable<bool> Handshake();
  awaitable<bool> Fill();
  awaitable<bool> Send(std::string_view bytes);
  awaitable<bool> ServeOne();
  awaitable<bool> Deliver(Reply reply, bool keep_alive);
  awaitable<void> Refuse(HttpRefusal refusal);
  awaitable<void> Linger(std::uint64_t seconds);

  void Allow(std::uint64_t seconds) { deadline_ = seconds == kNever ? kNever : shared_.now + seconds + 1; }

  tcp::socket socket_;
  Stream stream_;
  Shared& shared_;
  std::uint64_t deadline_ = kNever;
  std::string in_;
  std::string out_;
};

awaitable<bool> Session::Wait(State state) {
  if (state == State::kEnd) co_return false;
  const auto what = state == State::kWantWrite ? tcp::socket::wait_write : tcp::socket::wait_read;
  std::error_code error;
  co_await socket_.async_wait(what, redirect_error(use_awaitable, error));
  co_return !error;
}

awaitable<bool> Session::Handshake() {
  while (true) {
    const Progress progress = stream_.Handshake();
    if (progress.state == State::kDone) break;
    const bool ready = co_await Wait(progress.state);
    if (!ready) co_return false;
  }
  if (shared_.tls) shared_.simulator.calls().Shook();
  co_return true;
}

// Fill appends what has come to in_. Most often the next request is not here yet: wait first, then read once.
awaitable<bool> Session::Fill() {
  State wanted = stream_.HasBuffered() ? State::kDone : State::kWantRead;
  while (true) {
    if (wanted != State::kDone) {
      const bool ready = co_await Wait(wanted);
      if (!ready) co_return false;
    }
    const Progress progress = stream_.Read(shared_.scratch);
    if (progress.state == State::kDone) {
      in_.append(shared_.scratch.data(), progress.bytes);
      co_return true;
    }
    wanted = progress.state;
  }
}

awaitable<bool> Session::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const Progress progress = stream_.Write(bytes);
    if (progress.state == State::kDone) {
      bytes.remove_prefix(progress.bytes);
      continue;
    }
    const bool ready = co_await Wait(progress.state);
    if (!ready) co_return false;
  }
  co_return true;
}

// Linger reads and drops what the client still sends: closing with unread bytes would reset the connection
// and take the answer away from it.
awaitable<void> Session::Linger(std::uint64_t seconds) {
  Allow(seconds);
  bool more = true;
  while (more) {
    in_.clear();
    more = co_await Fill();
  }
}

awaitable<void> Session::Refuse(HttpRefusal refusal) {
  const std::string body =
      std::string("{\"error\":{\"message\":\"") + std::string(refusal.why.view()) + "\"}}";
  shared_.simulator.calls().Answered(std::to_string(refusal.status));
  Reply reply;
  reply.status = refusal.status;
  reply.body = body;
  co_await Deliver(std::move(reply), false);
}

awaitable<bool> Session::Deliver(Reply reply, bool keep_alive) {
  if (reply.delay_ms > 0) {
    Allow(kNever);
    asio::steady_timer timer(socket_.get_executor());
    timer.expires_after(std::chrono::milliseconds(reply.delay_ms));
    std::error_code error;
    co_await timer.async_wait(redirect_error(use_awaitable, error));
  }
  if (reply.delivery == Delivery::kCut) co_return false;
  if (reply.delivery == Delivery::kSilence) {
    co_await Linger(kSilenceSeconds);
    co_return false;
  }
  Allow(kRequestSeconds);
  Response response;
  response.status = reply.status;
  response.content_type = reply.content_type;
  response.headers = reply.headers;
  response.body = reply.body;
  response.keep_alive = keep_alive;
  out_.clear();
  AppendResponse(out_, response);
  if (reply.delivery == Delivery::kHalf) out_.resize(out_.size() - (reply.body.size() + 1) / 2);
  // Behind the body go the blank line and the last header's own end.
  if (reply.delivery == Delivery::kHead) out_.resize(out_.size() - reply.body.size() - std::string_view("\r\n\r\n").size());
  const bool sent = co_await Send(out_);
  if (!sent || reply.delivery == Delivery::kHalf || reply.delivery == Delivery::kHead) co_return false;
  if (keep_alive) co_return true;
  stream_.FinishWriting();
  co_await Linger(kLingerSeconds);
  co_return false;
}

awaitable<bool> Session::ServeOne() {
  Allow(in_.empty() ? kIdleSeconds : kRequestSeconds);
  bool continued = false;
  std::size_t needed = 0;
  while (true) {
    if (!in_.empty() && in_.size() >= needed) {
      auto parsed = ParseHead(in_);
      if (!parsed) {
        co_await Refuse(parsed.error());
        co_return false;
      }
      if (const std::optional<Head>& head = *parsed) {
        if (head->body_length > kMaxBody) {
          Reply reply = shared_.simulator.TooLarge(*head);
          co_await Deliver(std::move(reply), false);
          co_return false;
        }
        needed = head->head_length + head->body_length;
        if (in_.size() >= needed) {
          const bool keep_alive = head->keep_alive;
          const std::string_view body = std::string_view(in_).substr(head->head_length, head->body_length);
          Reply reply = shared_.simulator.Answer(*head, body);
          in_.erase(0, needed);
          if (in_.empty() && in_.capacity() > kKeptBuffer) in_ = std::string();
          co_return co_await Deliver(std::move(reply), keep_alive);
        }
        if (head->expects_continue && !std::exchange(continued, true)) {
          const bool sent = co_await Send("HTTP/1.1 100 Continue\r\n\r\n");
          if (!sent) co_return false;
        }
      }
    }
    const bool first = in_.empty();
    const bool more = co_await Fill();
    if (!more) co_return false;
    // The time for a whole request runs from its first byte, however slowly the rest drips in.
    if (first) Allow(kRequestSeconds);
  }
}

awaitable<void> Session::Run() {
  bool alive = co_await Handshake();
  while (alive) alive = co_await ServeOne();
}

awaitable<void> Serve(tcp::socket socket, Shared& shared) {
  Session session(std::move(socket), shared);
  co_await session.Run();
}

awaitable<void> Accept(tcp::acceptor& acceptor, Shared& shared) {
  while (acceptor.is_open()) {
    std::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(redirect_error(use_awaitable, error));
    if (error) {
      // Out of descriptors, most likely: let some connections end first.
      asio::steady_timer pause(acceptor.get_executor());
      pause.expires_after(std::chrono::milliseconds(20));
      co_await pause.async_wait(redirect_error(use_awaitable, error));
      continue;
    }
    std::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    shared.simulator.calls().Connected();
    const auto executor = socket.get_executor();
    asio::co_spawn(executor, Serve(std::move(socket), shared), asio::detached);
  }
}

// Sweep counts the seconds and ends the sessions that are late: one timer for all instead of one a request.
awaitable<void> Sweep(Shared& shared) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (true) {
    timer.expires_after(std::chrono::seconds(1));
    std::error_code error;
    co_await timer.async_wait(redirect_error(use_awaitable, error));
    ++shared.now;
    for (Session* session : shared.sessions) session->EndIfLate();
  }
}

std::error_code Listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  std::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4096, error);
  return error;
}

void AllowManyDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

// Loop's members are destroyed in reverse: the context, and with it every session, before what they share.
struct Server::Loop {
  explicit Loop(Simulator simulator) : shared{std::move(simulator), nullptr, {}} {}

  Shared shared;
  asio::io_context context{1};
  tcp::acceptor v4{context};
  tcp::acceptor v6{context};
  std::uint16_t port = 0;
};

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  TRY_ASSIGN(Simulator simulator, Simulator::Make(options.simulator));
  auto loop = std::make_unique<Loop>(std::move(simulator));
  if (!options.tls_dir.empty()) {
    TRY_ASSIGN(const CertificatePaths paths, EnsureCertificates(options.tls_dir));
    TRY_ASSIGN(loop->shared.tls, MakeTlsContext(paths));
  }
  AllowManyDescriptors();
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto error = Listen(loop->v4, {asio::ip::address_v4::loopback(), options.port})) {
    return Fail(Code::kUnavailable, "cannot listen on the port on 127.0.0.1", error.value());
  }
  std::error_code ignored;
  loop->port = loop->v4.local_endpoint(ignored).port();
  // A machine without IPv6 is served on 127.0.0.1 alone.
  if (Listen(loop->v6, {asio::ip::address_v6::loopback(), loop->port})) loop->v6.close(ignored);
  return std::unique_ptr<Server>(new Server(std::move(loop)));
}

std::string Server::Url() const {
  return (loop_->shared.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(loop_->port);
}

std::uint16_t Server::port() const {
  return loop_->port;
}

void Server::Run() {
  asio::signal_set signals(loop_->context, SIGTERM, SIGINT);
  signals.async_wait([this](const std::error_code& error, int) {
    if (!error) loop_->context.stop();
  });
  asio::co_spawn(loop_->context, Accept(loop_->v4, loop_->shared), asio::detached);
  asio::co_spawn(loop_->context, Accept(loop_->v6, loop_->shared), asio::detached);
  asio::co_spawn(loop_->context, Sweep(loop_->shared), asio::detached);
  loop_->context.run();
}

void Server::Stop() {
  loop_->context.stop();
}

int RunProgram(const ServerOptions& options) {
  const auto server = Server::Start(options);
  if (!server) {
    std::fprintf(stderr, "provider-sim: %s\n", server.error().Message().c_str());
    return 1;
  }
  std::printf("provider-sim listening on %s\n", (*server)->Url().c_str());
  std::fflush(stdout);
  (*server)->Run();
  return 0;
}

}  // namespace strongroom::sim
