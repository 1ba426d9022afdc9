#include "vault/anteroom.h"

#include <utility>

namespace strongroom::vault {

bool Anteroom::Enter(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (closed_ || std::exchange(taken_, true)) return false;
  work_ = std::move(work);
  stop_ = std::stop_source();
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  wake_.notify_one();
  return true;
}

void Anteroom::Leave() {
  const std::lock_guard lock(mutex_);
  taken_ = false;
}

std::stop_token Anteroom::stop() const {
  const std::lock_guard lock(mutex_);
  return stop_.get_token();
}

void Anteroom::Interrupt() {
  std::stop_source stop;
  {
    const std::lock_guard lock(mutex_);
    stop = stop_;
  }
  stop.request_stop();
}

void Anteroom::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake_.notify_one();
  }
  Interrupt();
  if (thread_.joinable()) thread_.join();
}

void Anteroom::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closed_ || work_; });
    if (!work_) return;
    const std::function<void()> work = std::exchange(work_, nullptr);
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace strongroom::vault
