// TransferLoop: libcurl's multi interface on an Asio executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace strongroom::worker {

// Transfer is what a running handle's CURLOPT_PRIVATE points to.
class Transfer {
 public:
  virtual ~Transfer() = default;
  // OnEnd comes once, with curl's CURLcode, or kClosed. It must not call the loop.
  virtual void OnEnd(int code) = 0;
  static constexpr int kClosed = -1;
};

// TransferLoop keeps all curl sockets in one epoll set of its own, of which Asio watches the one descriptor:
// a batch of events costs Asio one wait, and sockets stay curl's to close. Belongs to one thread.
class TransferLoop : public std::enable_shared_from_this<TransferLoop> {
 public:
  // Make keeps up to `connections` idle connections. kResourceExhausted where there is no descriptor left.
  static Result<std::shared_ptr<TransferLoop>> Make(asio::any_io_executor executor, std::size_t connections);
  ~TransferLoop();
  TransferLoop(const TransferLoop&) = delete;
  TransferLoop& operator=(const TransferLoop&) = delete;

  using Running = std::list<Transfer*>::iterator;
  // Start begins a transfer; false where curl refuses it or the loop is closed.
  bool Start(void* easy, Transfer& transfer, Running& running);
  // Stop takes the handle out, ended or not. Every Start is followed by one Stop before handle or transfer
  // go.
  void Stop(void* easy, Running running);
  // Rest closes the idle connections if nothing has been under way for `after`; says whether it did so.
  bool Rest(base::Micros after);
  // Close ends every transfer with kClosed and starts no more.
  void Close();

 private:
  struct Watch;
  TransferLoop(std::unique_ptr<Watch> watch, std::size_t connections);
  // NewMulti is null where curl has none.
  void* NewMulti();
  static void CleanUp(void* multi);
  static int OnSocket(void* easy, int fd, int what, void* loop, void* known);
  static int OnTimer(void* multi, long milliseconds, void* loop);

  // Watched is one socket: whether curl tells us when it closes it, what epoll reports of it, and whether
  // curl cares.
  struct Watched {
    bool told = false, wanted = false;
    std::uint32_t events = 0;
  };
  void TellOfSockets(void* easy);
  Watched& At(int fd);
  void WatchFor(int fd, std::uint32_t events);
  void Unwatch(int fd);
  void AwaitEvents();
  void OnEvents();
  void ActSoon();
  void AwaitTimer();
  void OnDue();
  void Act(int fd, int flags);
  void Reap();

  std::unique_ptr<Watch> watch_;
  const std::size_t connections_;
  void* multi_ = nullptr;
  std::list<Transfer*> running_;
  std::vector<Watched> sockets_;         // by descriptor
  base::Micros due_ = 0, timer_at_ = 0;  // MonoMicros; 0 for none
  base::Micros last_end_ = 0;            // MonoMicros of the last transfer's end; 0 where no connection is kept
  bool awaiting_events_ = false, acting_soon_ = false, closed_ = false;
};

}  // namespace strongroom::worker
