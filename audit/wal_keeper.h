// WalKeeper: the thread that moves SQLite's write-ahead log into the database, so that no commit has to.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "sql/database.h"

namespace strongroom::audit {

// WalKeeper checkpoints every `every` µs while something is written; without a database it has nothing to do. A checkpoint beside a busy writer never reaches
// the log's end, and only at its end does SQLite start the log anew: so after kMostBusyBytes the writer is held up for
// the last stretch of one, and the log stays bounded under any load.
class WalKeeper {
 public:
  static constexpr std::size_t kMostBusyBytes = 8 * 1024 * 1024;

  WalKeeper(std::unique_ptr<sql::Database> database, base::Micros every);
  ~WalKeeper();
  WalKeeper(const WalKeeper&) = delete;
  WalKeeper& operator=(const WalKeeper&) = delete;

  // The writer holds the lock during each transaction, and tells how many bytes of records it committed.
  [[nodiscard]] std::unique_lock<std::mutex> HoldForWriting() { return std::unique_lock(writing_); }
  void Committed(std::size_t bytes);

 private:
  void Run();
  void Checkpoint();

  const std::unique_ptr<sql::Database> database_;
  const base::Micros every_;
  std::mutex writing_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool written_ = false;
  bool stopping_ = false;
  std::size_t busy_bytes_ = 0;
  bool failing_ = false;  // the thread's own
  std::thread thread_;
};

}  // namespace strongroom::audit
