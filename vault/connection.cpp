#include "vault/connection.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace strongroom::vault {
namespace {

// Requests taken from one connection before the others get their turn.
constexpr int kFramesATurn = 32;
// How long to wait where the arena has no slot for an arriving key.
constexpr std::chrono::milliseconds kSlotPause{1};

}  // namespace

struct Connection::Wire {
  explicit Wire(const asio::any_io_executor& executor) : socket(executor), resume(executor) {}
  asio::local::stream_protocol::socket socket;
  asio::steady_timer resume;
};

Connection::Connection(std::uint64_t id, Peer peer, std::shared_ptr<UidUse> use, Floor& floor)
    : id_(id), peer_(std::move(peer)), use_(std::move(use)), floor_(floor) {
  ++use_->connections;
  set_roles(peer_.roles);
}

Connection::~Connection() { --use_->connections; }

// Only an admin act brings a key in: nobody else may fill the arena.
void Connection::set_roles(std::uint8_t roles) {
  peer_.roles = roles;
  io_.set_most_secret(peer_.Has(Role::kAdmin) ? kMostSecretBytes : 0);
}

Result<void> Connection::Start(const asio::any_io_executor& executor, base::UniqueFd fd) {
  wire_ = std::make_unique<Wire>(executor);
  asio::error_code error;
  wire_->socket.assign(asio::local::stream_protocol(), fd.get(), error);
  if (error) return Fail(Code::kUnavailable, "the event loop refuses the connection; errno", error.value());
  fd.Release();
  const auto run = [](std::shared_ptr<Connection> self) -> asio::awaitable<void> { co_await self->ReadAll(); };
  asio::co_spawn(executor, run(shared_from_this()), asio::detached);
  return {};
}

bool Connection::MayRead() const {
  return !floor_.draining && in_service_ + answers_.size() < floor_.limits.requests_per_connection &&
         use_->in_flight < floor_.limits.requests_per_uid;
}

asio::awaitable<void> Connection::ReadAll() {
  asio::error_code error;
  for (int taken = 0; !closed_;) {
    if (!MayRead()) {
      co_await Pause();
      continue;
    }
    Result<std::optional<Frame>> frame = io_.Read(wire_->socket.native_handle());
    if (!frame && frame.error().code() == Code::kResourceExhausted) {
      wire_->resume.expires_after(kSlotPause);
      co_await wire_->resume.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (!frame) {
      if (frame.error().code() == Code::kCorrupt) Refuse("it does not speak this protocol");
      if (frame.error().code() == Code::kPermissionDenied) RefuseSecret();
      break;
    }
    if (!*frame) {
      taken = 0;
      WakeNext();  // what room there is, this connection does not need now
      co_await wire_->socket.async_wait(asio::socket_base::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      continue;
    }
    if (!Accept(std::move(**frame))) break;
    if (++taken % kFramesATurn == 0) co_await asio::post(asio::use_awaitable);
  }
  Close();
}

asio::awaitable<void> Connection::Pause() {
  if (use_->in_flight >= floor_.limits.requests_per_uid && !std::exchange(queued_, true)) {
    use_->waiting.push_back(weak_from_this());
  }
  paused_ = true;
  asio::error_code ignored;
  wire_->resume.expires_at(asio::steady_timer::time_point::max());
  co_await wire_->resume.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  paused_ = false;
}

void Connection::Resume() {
  if (paused_ && wire_) wire_->resume.cancel();
}

// Accept hands one request to the handler; false ends the connection.
bool Connection::Accept(Frame frame) {
  ++frames_read_;
  // Its header came while the peer was still an admin.
  if (frame.secret && !peer_.Has(Role::kAdmin)) {
    RefuseSecret();
    return false;
  }
  ++in_service_;
  ++use_->in_flight;
  const auto done = [mailbox = floor_.mailbox, id = id_, call = frame.call](Result<Reply> reply) {
    mailbox->Put(Mailbox::Item(id, call, std::move(reply)));
  };
  floor_.handler.Handle(peer_, frame.kind, std::move(frame.body), std::move(frame.secret), done);
  return true;
}

void Connection::Answer(std::uint64_t call, Result<Reply>&& reply) {
  CHECK(in_service_ > 0);
  --in_service_;
  if (closed_) {
    GiveBack(1);  // its peer is gone: the key, if any, is never opened
    return;
  }
  answers_.emplace_back(call, std::move(reply));
}

// GiveBack ends requests of the uid, and lets as many of its paused connections look again.
void Connection::GiveBack(std::size_t requests) {
  use_->in_flight -= requests;
  for (; requests > 0 && !use_->waiting.empty(); --requests) WakeNext();
}

// WakeNext resumes the uid's connection that has waited longest, where there is room. Whoever turns out not to need the
// room passes it on, so that none waits while there is some.
void Connection::WakeNext() {
  while (!use_->waiting.empty() && use_->in_flight < floor_.limits.requests_per_uid) {
    const std::shared_ptr<Connection> next = use_->waiting.front().lock();
    use_->waiting.pop_front();
    if (!next) continue;
    next->queued_ = false;
    if (!next->paused_) continue;
    next->Resume();
    return;
  }
}

// Open makes the answer's frame; where the key does not open, the answer is the refusal.
Frame Connection::Open(Waiting waiting) {
  if (!waiting.reply) return Frame(kAnswerRefused, waiting.call, EncodeRefusal(waiting.reply.error()), std::nullopt);
  std::optional<SecretValue> secret;
  if (waiting.reply->open_secret) {
    Result<SecretValue> opened = waiting.reply->open_secret();
    if (!opened) return Frame(kAnswerRefused, waiting.call, EncodeRefusal(opened.error()), std::nullopt);
    secret.emplace(std::move(*opened));
  }
  if (waiting.reply->body.size() > kMostBodyBytes) {
    base::Log(base::Level::kError, "answer_too_long",
              {{"peer", peer_.name}, {"bytes", static_cast<std::int64_t>(waiting.reply->body.size())}});
    return Frame(kAnswerRefused, waiting.call, EncodeRefusal(RefusalError(Refusal::kInternal)), std::nullopt);
  }
  return Frame(kAnswerDone, waiting.call, std::move(waiting.reply->body), std::move(secret));
}

// Fill moves as many answers as one write gathers to the socket's queue, opening their keys. It waits until the ones
// before are out: so each write has its own time, and no more keys lie open than one write holds.
void Connection::Fill() {
  if (notice_) io_.Queue(Frame(kAnswerEpoch, 0, EncodeNumber(*std::exchange(notice_, std::nullopt)), std::nullopt));
  std::size_t moved = 0;
  for (; io_.queued() < FrameIo::kMostGathered && !answers_.empty(); ++moved) {
    Waiting next = std::move(answers_.front());
    answers_.pop_front();
    io_.Queue(Open(std::move(next)));
  }
  ++fills_;
  GiveBack(moved);
}

void Connection::Flush() {
  while (!closed_ && !write_waits_) {
    if (io_.queued() == 0) Fill();
    if (io_.queued() == 0) break;
    const Result<bool> written = io_.Write(wire_->socket.native_handle());
    if (!written) return Close();
    if (*written) continue;
    write_waits_ = true;
    wire_->socket.async_wait(asio::socket_base::wait_write, [self = shared_from_this()](asio::error_code error) {
      self->write_waits_ = false;
      if (!error) self->Flush();
    });
  }
  if (MayRead()) Resume();
}

void Connection::Inspect(base::Micros now) {
  if (closed_) return;
  const base::Micros limit = floor_.limits.stall_ms * base::kMicrosPerMilli;
  const auto stalled = [&](bool halfway, std::uint64_t count, std::uint64_t& seen, base::Micros& since) {
    if (!halfway || count != seen || since == 0) since = now;
    seen = count;
    return now - since >= limit;
  };
  // A frame must arrive whole in that time; a byte now and then does not help.
  if (stalled(io_.half_read() && !paused_, frames_read_, seen_read_, read_since_)) {
    Refuse("it left a frame half-sent");
    return Close();
  }
  // So must everything one write gathered go out: keys lie open in it until then.
  if (stalled(write_waits_, fills_, seen_fills_, sent_since_)) {
    Refuse("it does not read its answers");
    Close();
  }
}

void Connection::Refuse(base::Literal why) {
  base::Log(base::Level::kWarning, "peer_refused",
            {{"peer", peer_.name}, {"uid", static_cast<std::int64_t>(peer_.uid)}, {"peer_pid", peer_.pid}, {"why", why.view()}});
}

// RefuseSecret leaves the refusal on the trail too, as the act that brings a key in: the operation that the frame names was not read, and
// what else carries a secret (a passphrase, a PIN) is as much an admin's.
void Connection::RefuseSecret() {
  Refuse("it sent a secret without being an admin");
  floor_.handler.Handle(peer_, static_cast<std::uint8_t>(Operation::kAddKey), {}, std::nullopt,
                        [](const Result<Reply>&) {});
}

void Connection::Close() {
  if (std::exchange(closed_, true)) return;
  asio::error_code ignored;
  if (wire_) {
    wire_->socket.close(ignored);
    wire_->resume.cancel();
  }
  io_.Clear();
  GiveBack(std::exchange(answers_, {}).size());
  WakeNext();
  floor_.on_close();
}

}  // namespace strongroom::vault
