#include "audit/wal_keeper.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace strongroom::audit {

WalKeeper::WalKeeper(std::unique_ptr<sql::Database> database, base::Micros every)
    : database_(std::move(database)), every_(every) {
  if (database_ != nullptr) thread_ = std::thread([this] { Run(); });
}

WalKeeper::~WalKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WalKeeper::Committed(std::size_t bytes) {
  if (database_ == nullptr) return;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = !std::exchange(written_, true);
    busy_bytes_ += bytes;
  }
  if (first) wake_.notify_all();
}

void WalKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || written_) {
    wake_.wait(lock, [this] { return stopping_ || written_; });
    wake_.wait_for(lock, std::chrono::microseconds(every_), [this] { return stopping_; });
    if (!std::exchange(written_, false)) continue;
    lock.unlock();
    Checkpoint();
    lock.lock();
    if (!written_) busy_bytes_ = 0;
    if (busy_bytes_ < kMostBusyBytes) continue;
    busy_bytes_ = 0;
    lock.unlock();
    {
      const auto quiet = HoldForWriting();
      Checkpoint();
    }
    lock.lock();
  }
}

void WalKeeper::Checkpoint() {
  const auto done = database_->Checkpoint();
  // A checkpoint that fails loses nothing: the log keeps every record until one succeeds. One line a failure, not
  // one every 200 ms.
  if (done) {
    failing_ = false;
    return;
  }
  if (!std::exchange(failing_, true)) base::LogError("trail_checkpoint_failed", done.error());
  if (const auto again = database_->Reconnect(); !again) return;
}

}  // namespace strongroom::audit
