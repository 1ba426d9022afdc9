#include "vault/client.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "base/process.h"
#include "vault/frame_io.h"
#include "vault/lease.h"
#include "vault/unix_socket.h"

namespace strongroom::vault {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstPause{10}, kLongestPause{500};
// How long to wait where the arena has no slot for an arriving key: its holders are about to wipe theirs.
constexpr milliseconds kSlotPause{1};
// Frames taken before other coroutines of the executor get a turn.
constexpr int kFramesATurn = 64;
// Keeps a deadline of "never" within what the timer's clock can count.
constexpr base::Micros kLongestWait = 365 * base::kMicrosPerDay;

// Waiter is one suspended Ask or Connected. Its timer is both its deadline and its wake-up, so it resumes exactly once.
struct Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  void Finish(Result<Answer> answer) {
    if (result) return;
    result.emplace(std::move(answer));
    timer.cancel();
  }
  asio::steady_timer timer;
  std::optional<Result<Answer>> result;
  base::Micros asked = base::MonoMicros();  // or when vaultd was there to be asked
};

}  // namespace

struct Client::State : std::enable_shared_from_this<Client::State> {
  State(asio::any_io_executor its_executor, ClientOptions its_options)
      : executor(std::move(its_executor)), options(std::move(its_options)), socket(executor), retry(executor) {}

  void Start();
  bool connected() const { return socket.is_open(); }
  Result<void> Connect();
  void Deny(const Error& error);
  void Lost();
  void TellEpoch(std::int64_t epoch) const;
  void ScheduleFlush();
  void Flush();
  void Take(Frame frame);
  void Close();
  asio::awaitable<void> Run();
  asio::awaitable<bool> ReadAnswers();

  asio::any_io_executor executor;
  ClientOptions options;
  asio::local::stream_protocol::socket socket;
  asio::steady_timer retry;
  FrameIo io{kMostBodyBytes};
  std::unordered_map<std::uint64_t, Waiter*> asking;  // by call
  std::vector<Waiter*> connecting;
  std::function<void(std::int64_t)> on_epoch;
  std::uint64_t next_call = 1;
  bool started = false, closed = false, flush_due = false, write_waits = false;
};

void Client::State::Start() {
  if (std::exchange(started, true)) return;
  const auto run = [](std::shared_ptr<State> self) -> asio::awaitable<void> { co_await self->Run(); };
  asio::co_spawn(executor, run(shared_from_this()), asio::detached);
}

asio::awaitable<void> Client::State::Run() {
  milliseconds pause = kFirstPause;
  while (!closed) {
    const Result<void> opened = Connect();
    bool heard = false;
    if (opened) {
      Flush();
      heard = co_await ReadAnswers();
      Lost();
    } else if (opened.error().code() == Code::kPermissionDenied) {
      Deny(opened.error());
    }
    if (closed) co_return;
    // A vaultd that answers nothing before it closes is treated like one that is away.
    pause = heard ? kFirstPause : pause;
    asio::error_code ignored;
    retry.expires_after(pause);
    co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    pause = std::min(pause * 2, kLongestPause);
  }
}

Result<void> Client::State::Connect() {
  TRY_ASSIGN(base::UniqueFd fd, ConnectTo(options.socket_path, options.server_uid));
  asio::error_code error;
  socket.assign(asio::local::stream_protocol(), fd.get(), error);
  if (error) return Fail(Code::kUnavailable, "the event loop refuses the socket; errno", error.value());
  fd.Release();
  for (const auto& [call, waiter] : asking) waiter->asked = base::MonoMicros();
  for (Waiter* waiter : std::exchange(connecting, {})) waiter->Finish(Answer({}, std::nullopt));
  return {};
}

// ReadAnswers takes frames until the connection ends, and returns whether there was any.
asio::awaitable<bool> Client::State::ReadAnswers() {
  bool heard = false;
  asio::error_code error;
  for (int taken = 0; socket.is_open(); ++taken) {
    Result<std::optional<Frame>> frame = io.Read(socket.native_handle());
    if (!frame && frame.error().code() == Code::kResourceExhausted) {
      retry.expires_after(kSlotPause);
      co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (!frame) co_return heard;
    if (!*frame) {
      taken = 0;
      co_await socket.async_wait(asio::socket_base::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return heard;
      continue;
    }
    heard = true;
    Take(std::move(**frame));
    if (taken % kFramesATurn == kFramesATurn - 1) co_await asio::post(executor, asio::use_awaitable);
  }
  co_return heard;
}

void Client::State::Take(Frame frame) {
  if (frame.kind == kAnswerEpoch) {
    const Result<std::int64_t> epoch = DecodeNumber(frame.body);
    if (epoch) TellEpoch(*epoch);
    return;
  }
  const auto found = asking.find(frame.call);
  if (found == asking.end()) return;  // its caller gave up: the frame's secret is wiped here
  Waiter* waiter = found->second;
  asking.erase(found);
  if (frame.kind == kAnswerDone && frame.secret && base::MonoMicros() - waiter->asked >= Lease::kLength) {
    waiter->Finish(LateKey());
  } else if (frame.kind == kAnswerDone) {
    waiter->Finish(Answer(std::move(frame.body), std::move(frame.secret)));
  } else if (frame.kind == kAnswerRefused) {
    waiter->Finish(std::unexpected(DecodeRefusal(frame.body)));
  } else {
    waiter->Finish(Fail(Code::kCorrupt, "vaultd sent an answer of an unknown kind: restart both from one build"));
  }
}

void Client::State::ScheduleFlush() {
  if (!connected() || write_waits || std::exchange(flush_due, true)) return;
  // Later in the same turn of the loop, so that requests of many coroutines leave in one write.
  asio::post(executor, [self = shared_from_this()] {
    self->flush_due = false;
    self->Flush();
  });
}

void Client::State::Flush() {
  if (!connected() || write_waits) return;
  const Result<bool> written = io.Write(socket.native_handle());
  if (written && *written) return;
  if (!written) {
    // The reader sees the end too, after the answers that still came: it alone declares the connection lost.
    asio::error_code ignored;
    socket.shutdown(asio::socket_base::shutdown_send, ignored);
    return;
  }
  write_waits = true;
  socket.async_wait(asio::socket_base::wait_write, [self = shared_from_this()](asio::error_code error) {
    if (error == asio::error::operation_aborted) return;  // Lost has reset the flag
    self->write_waits = false;
    self->Flush();
  });
}

// Deny ends every waiting call: what stands at the socket's path is not our vaultd.
void Client::State::Deny(const Error& error) {
  io.Clear();
  for (const auto& [call, waiter] : std::exchange(asking, {})) waiter->Finish(std::unexpected(error));
  for (Waiter* waiter : std::exchange(connecting, {})) waiter->Finish(std::unexpected(error));
}

// Lost ends the calls that were sent, since nobody knows what became of them; those not yet sent stay queued.
void Client::State::Lost() {
  asio::error_code ignored;
  socket.close(ignored);
  write_waits = false;
  const std::uint64_t first_unsent = io.FirstUnsent();
  io.Restart();
  std::erase_if(asking, [first_unsent](const auto& entry) {
    if (entry.first >= first_unsent) return false;
    entry.second->Finish(Fail(Code::kUnavailable, "the connection to vaultd was lost before its answer came"));
    return true;
  });
  TellEpoch(-1);
}

void Client::State::TellEpoch(std::int64_t epoch) const {
  const auto handler = on_epoch;  // a copy: the handler may close the client, which forgets it
  if (handler) handler(epoch);
}

void Client::State::Close() {
  closed = true;
  on_epoch = nullptr;
  asio::error_code ignored;
  socket.close(ignored);
  retry.cancel();
  Deny(Error(Code::kUnavailable, "the client was closed"));
}

Client::Client(asio::any_io_executor executor, ClientOptions options)
    : state_(std::make_shared<State>(std::move(executor), std::move(options))) {}

Client::~Client() { Close(); }

void Client::OnEpoch(std::function<void(std::int64_t)> handler) { state_->on_epoch = std::move(handler); }

void Client::Close() { state_->Close(); }

namespace {

// Leaving takes a waiter off the client's books however its coroutine ends, also when it is destroyed while it waits.
template <typename Action>
class Leaving {
 public:
  explicit Leaving(Action action) : action_(std::move(action)) {}
  ~Leaving() { action_(); }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;

 private:
  Action action_;
};

asio::awaitable<Result<Answer>> WaitFor(Waiter& waiter, base::Micros deadline) {
  asio::error_code error;
  const base::Micros left = std::min(deadline - base::MonoMicros(), kLongestWait);
  waiter.timer.expires_after(std::chrono::microseconds(left));
  // Starting the client may have finished the call already, before there was a wait to cancel.
  if (!waiter.result) co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (waiter.result) co_return std::move(*waiter.result);
  if (error) co_return Fail(Code::kUnavailable, "the call to vaultd was cancelled");
  co_return Fail(Code::kDeadlineExceeded, "no answer from vaultd in time: is it running, and is it overloaded?");
}

}  // namespace

asio::awaitable<Result<Answer>> Client::Ask(Operation operation, Bytes body, base::Micros deadline,
                                            std::optional<SecretValue> secret) {
  const std::shared_ptr<State> state = state_;  // outlives the Client while this waits
  if (state->closed) co_return Fail(Code::kUnavailable, "the client was closed");
  if (deadline <= base::MonoMicros()) co_return Fail(Code::kDeadlineExceeded, "the deadline had passed already");
  if (body.size() > kMostRequestBytes) co_return Fail(Code::kInvalidArgument, "the request is too long for vaultd");
  Waiter waiter(state->executor);
  const std::uint64_t call = state->next_call++;
  state->asking.emplace(call, &waiter);
  const Leaving leaving([&state, call] {
    if (state->asking.erase(call) > 0) state->io.Drop(call);
  });
  state->io.Queue(Frame(static_cast<std::uint8_t>(operation), call, std::move(body), std::move(secret)));
  state->Start();
  state->ScheduleFlush();
  co_return co_await WaitFor(waiter, deadline);
}

asio::awaitable<Result<void>> Client::Connected(base::Micros deadline) {
  const std::shared_ptr<State> state = state_;
  if (state->closed) co_return Fail(Code::kUnavailable, "the client was closed");
  if (state->connected()) co_return Result<void>();
  Waiter waiter(state->executor);
  state->connecting.push_back(&waiter);
  const Leaving leaving([&state, &waiter] { std::erase(state->connecting, &waiter); });
  state->Start();
  const Result<Answer> answer = co_await WaitFor(waiter, deadline);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

std::unexpected<Error> LateKey() {
  return Fail(Code::kUnavailable, "the key came later after it was asked for than a lease lasts, and was not taken");
}

Result<ClientOptions> ClientOptionsFrom(const base::Config& config) {
  ClientOptions options;
  options.socket_path = config.vault.socket;
  TRY_ASSIGN(options.server_uid, base::FindUser(config.vault.user));
  return options;
}

}  // namespace strongroom::vault
