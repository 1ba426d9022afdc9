// Connection: one peer of vaultd. It reads requests while the peer is within its limits, and writes answers; a key is
// opened only when its frame is the next to go.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/files.h"
#include "vault/frame_io.h"
#include "vault/mailbox.h"
#include "vault/server.h"

namespace strongroom::vault {

class Connection;

// UidUse is what one uid has in use on all its connections together. Connections that wait for room queue up here, so
// that each has its turn.
struct UidUse {
  std::size_t in_flight = 0;
  std::size_t connections = 0;
  std::deque<std::weak_ptr<Connection>> waiting;
};

// Floor is what all connections of a server have in common; it outlives them.
struct Floor {
  Floor(RequestHandler& its_handler, const ServerLimits& its_limits) : handler(its_handler), limits(its_limits) {}
  RequestHandler& handler;
  ServerLimits limits;
  std::shared_ptr<Mailbox> mailbox;
  std::function<void()> on_close;  // a connection has closed
  bool draining = false;           // nothing more is read
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::uint64_t id, Peer peer, std::shared_ptr<UidUse> use, Floor& floor);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Start takes the socket and begins to read. kUnavailable where the event loop cannot.
  Result<void> Start(const asio::any_io_executor& executor, base::UniqueFd fd);
  // Answer queues the answer of a call; Flush writes what is queued, as far as the peer takes it.
  void Answer(std::uint64_t call, Result<Reply>&& reply);
  // Notice queues an epoch notice; of several not yet written, the latest.
  void Notice(std::int64_t epoch) { notice_ = epoch; }
  void Flush();
  // Resume lets a paused reader look again whether there is room.
  void Resume();
  // Inspect closes the connection where a frame from the peer, or a write to it, is not whole after the limit.
  void Inspect(base::Micros now);
  void Close();

  std::uint64_t id() const { return id_; }
  const Peer& peer() const { return peer_; }
  void set_roles(std::uint8_t roles);
  // gone: closed, and no request of it is with the handler any more.
  bool gone() const { return closed_ && in_service_ == 0; }
  bool closed() const { return closed_; }
  // busy: a request is with the handler, or an answer is not yet written.
  bool busy() const { return in_service_ > 0 || (!closed_ && (!answers_.empty() || io_.queued() > 0)); }

 private:
  struct Wire;
  struct Waiting {
    Waiting(std::uint64_t its_call, Result<Reply>&& its_reply) : call(its_call), reply(std::move(its_reply)) {}
    std::uint64_t call;
    Result<Reply> reply;
  };

  asio::awaitable<void> ReadAll();
  asio::awaitable<void> Pause();
  bool MayRead() const;
  bool Accept(Frame frame);
  void Fill();
  Frame Open(Waiting waiting);
  void GiveBack(std::size_t requests);
  void WakeNext();
  void Refuse(base::Literal why);
  void RefuseSecret();

  const std::uint64_t id_;
  Peer peer_;
  const std::shared_ptr<UidUse> use_;
  Floor& floor_;
  std::unique_ptr<Wire> wire_;
  FrameIo io_{kMostRequestBytes};
  std::deque<Waiting> answers_;
  std::optional<std::int64_t> notice_;
  std::size_t in_service_ = 0;
  bool closed_ = false, paused_ = false, queued_ = false, write_waits_ = false;

  // What Inspect saw last: where a half-done frame still stands at the same count, the peer has stalled since.
  std::uint64_t frames_read_ = 0, seen_read_ = 0, fills_ = 0, seen_fills_ = 0;
  base::Micros read_since_ = 0, sent_since_ = 0;
};

}  // namespace strongroom::vault
