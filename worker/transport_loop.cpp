#include "worker/transport_loop.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

namespace strongroom::worker {
namespace {

// One wake-up handles at most this many sockets, so that other work of the thread gets its turn.
constexpr std::size_t kMostEvents = 128;

int Flags(std::uint32_t events) {
  int flags = 0;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) flags |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
  if ((events & EPOLLERR) != 0) flags |= CURL_CSELECT_ERR;
  return flags;
}

std::uint32_t Interest(int what) {
  const std::uint32_t in = what == CURL_POLL_IN || what == CURL_POLL_INOUT ? std::uint32_t{EPOLLIN} : 0;
  return what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? in | EPOLLOUT : in;
}

}  // namespace

struct TransferLoop::Watch {
  Watch(const asio::any_io_executor& executor, int epoll_fd) : events(executor, epoll_fd), timer(executor) {}
  int fd() { return events.native_handle(); }
  asio::posix::stream_descriptor events;
  asio::steady_timer timer;
};

Result<std::shared_ptr<TransferLoop>> TransferLoop::Make(asio::any_io_executor executor,
                                                         std::size_t connections) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0)
    return Fail(Code::kResourceExhausted, "no descriptor left for connections: raise ulimit -n", errno);
  auto watch = std::make_unique<Watch>(executor, fd);
  std::shared_ptr<TransferLoop> loop(new TransferLoop(std::move(watch), connections));
  loop->multi_ = loop->NewMulti();
  if (loop->multi_ == nullptr) return Fail(Code::kResourceExhausted, "libcurl does not start");
  return loop;
}

TransferLoop::TransferLoop(std::unique_ptr<Watch> watch, std::size_t connections)
    : watch_(std::move(watch)), connections_(connections) {}

TransferLoop::~TransferLoop() {
  CHECK(running_.empty());
  CleanUp(multi_);
}

void* TransferLoop::NewMulti() {
  void* const multi = curl_multi_init();
  if (multi == nullptr) return nullptr;
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_));
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, long{CURLPIPE_NOTHING});
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &TransferLoop::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &TransferLoop::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  return multi;
}

// Closing idle connections still calls back, into an object that may be on its way out.
void TransferLoop::CleanUp(void* multi) {
  if (multi == nullptr) return;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, nullptr);
  curl_multi_cleanup(multi);
}

bool TransferLoop::Start(void* easy, Transfer& transfer, Running& running) {
  if (closed_) return false;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  TellOfSockets(easy);
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) return false;
  running = running_.insert(running_.end(), &transfer);
  AwaitEvents();
  return true;
}

void TransferLoop::Stop(void* easy, Running running) {
  curl_multi_remove_handle(multi_, easy);
  running_.erase(running);
  if (!running_.empty()) return;
  // With nothing under way there is nothing to wait for: an io_context without other work may end.
  watch_->events.cancel();
  watch_->timer.cancel();
  timer_at_ = due_ = 0;
  last_end_ = base::MonoMicros();
}

// curl has no word for "close what is idle" but the end of the multi handle that keeps it.
bool TransferLoop::Rest(base::Micros after) {
  if (!running_.empty() || last_end_ == 0 || base::MonoMicros() - last_end_ < after) return false;
  void* const fresh = NewMulti();
  if (fresh == nullptr) return false;
  CleanUp(std::exchange(multi_, fresh));
  last_end_ = 0;
  return true;
}

void TransferLoop::Close() {
  closed_ = true;
  for (Transfer* transfer : running_) transfer->OnEnd(Transfer::kClosed);
}

// curl opens its sockets here and closes them here, so that an idle connection may stay in the epoll set
// between its calls: two system calls less for each.
void TransferLoop::TellOfSockets(void* easy) {
  const auto open = [](void* loop, curlsocktype, curl_sockaddr* to) -> curl_socket_t {
    const int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    if (fd >= 0) static_cast<TransferLoop*>(loop)->At(fd) = Watched{true, false, 0};
    return fd;
  };
  const auto shut = [](void* loop, curl_socket_t fd) -> int {
    static_cast<TransferLoop*>(loop)->At(fd) = Watched();  // closing takes it out of the epoll set
    return close(fd);
  };
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, static_cast<curl_opensocket_callback>(open));
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, static_cast<curl_closesocket_callback>(shut));
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

int TransferLoop::OnSocket(void*, int fd, int what, void* loop, void*) {
  auto* const self = static_cast<TransferLoop*>(loop);
  Watched& socket = self->At(fd);
  socket.wanted = what != CURL_POLL_REMOVE;
  if (socket.wanted) self->WatchFor(fd, Interest(what));
  // The resolver's own sockets come and go without a word.
  if (!socket.wanted && !socket.told) self->Unwatch(fd);
  return 0;
}

TransferLoop::Watched& TransferLoop::At(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= sockets_.size()) sockets_.resize(index + 1);
  return sockets_[index];
}

void TransferLoop::WatchFor(int fd, std::uint32_t events) {
  Watched& socket = At(fd);
  if (socket.told && socket.events == events) return;
  epoll_event event{};
  event.data.fd = fd;
  event.events = events;
  const int first = socket.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  const int other = socket.events == 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(watch_->fd(), first, fd, &event) != 0) epoll_ctl(watch_->fd(), other, fd, &event);
  socket.events = events;
}

void TransferLoop::Unwatch(int fd) {
  if (At(fd).events != 0) epoll_ctl(watch_->fd(), EPOLL_CTL_DEL, fd, nullptr);
  At(fd).events = 0;
}

// curl moves its timer several times a call. Asio's is touched only where it would come too late; one that
// comes too early finds that and waits again. "At once", which every new transfer asks for, needs no timer.
int TransferLoop::OnTimer(void*, long milliseconds, void* loop) {
  auto* const self = static_cast<TransferLoop*>(loop);
  if (milliseconds == 0) {
    self->ActSoon();
    return 0;
  }
  self->due_ = milliseconds < 0 ? 0 : base::MonoMicros() + milliseconds * base::kMicrosPerMilli;
  if (self->due_ != 0 && (self->timer_at_ == 0 || self->due_ < self->timer_at_)) self->AwaitTimer();
  return 0;
}

void TransferLoop::ActSoon() {
  due_ = 0;
  if (std::exchange(acting_soon_, true)) return;
  asio::post(watch_->timer.get_executor(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->acting_soon_ = false;
    self->Act(CURL_SOCKET_TIMEOUT, 0);
    self->Reap();
  });
}

void TransferLoop::AwaitTimer() {
  timer_at_ = due_;
  watch_->timer.expires_after(
      std::chrono::microseconds(std::max<base::Micros>(0, due_ - base::MonoMicros())));
  watch_->timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!error && self != nullptr) self->OnDue();
  });
}

void TransferLoop::OnDue() {
  timer_at_ = 0;
  if (due_ == 0) return;
  if (base::MonoMicros() < due_) {
    AwaitTimer();
    return;
  }
  due_ = 0;
  Act(CURL_SOCKET_TIMEOUT, 0);
  Reap();
}

void TransferLoop::AwaitEvents() {
  if (awaiting_events_ || running_.empty()) return;
  awaiting_events_ = true;
  watch_->events.async_wait(asio::posix::stream_descriptor::wait_read,
                            [weak = weak_from_this()](const asio::error_code& error) {
                              const auto self = weak.lock();
                              if (self == nullptr) return;
                              self->awaiting_events_ = false;
                              if (!error) self->OnEvents();
                              self->AwaitEvents();
                            });
}

void TransferLoop::OnEvents() {
  std::array<epoll_event, kMostEvents> events;
  const int count = epoll_wait(watch_->fd(), events.data(), static_cast<int>(events.size()), 0);
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
    const int fd = events[i].data.fd;
    // An idle connection that has something to say: curl looks for itself before it is used again.
    if (!At(fd).wanted) {
      Unwatch(fd);
      continue;
    }
    Act(fd, Flags(events[i].events));
  }
  Reap();
}

void TransferLoop::Act(int fd, int flags) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, flags, &running);
}

void TransferLoop::Reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->OnEnd(message->data.result);
  }
}

}  // namespace strongroom::worker
