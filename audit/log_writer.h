// LogWriter: the one thread that writes the vault database. It appends records in groups, one transaction a group,
// and tells each caller only once its record is durable and the trail's new head is too, outside the database. While one group
// commits, the next one gathers; while its head is made durable, the next one is written.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/anchoring.h"
#include "audit/job.h"
#include "audit/record.h"
#include "audit/tree.h"
#include "audit/turn_queue.h"
#include "audit/wal_keeper.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

class LogWriter {
 public:
  // Tick is called on the writer's thread, outside a transaction, whenever the time comes (MonoMicros) that it returned, and
  // behind each job that ran alone. `database` is nullptr while it is away; an error is one of the database's.
  using Tick = std::function<Result<base::Micros>(sql::Database* database)>;

  struct Options {
    std::size_t most_group = 256;     // records a transaction
    std::size_t most_waiting = 16384; // jobs in the queue; past that Submit is kUnavailable
    bool new_log = false;             // an empty table is the beginning of a log, not the loss of one
    base::Micros checkpoint_every = 200 * base::kMicrosPerMilli;  // how often the second thread checkpoints the WAL
    base::Micros most_wait = 10 * base::kMicrosPerSecond;  // for the disk, until acts are refused rather than queued
    std::function<void()> on_full = {};  // where a group failed because the disk is full, on the writer's thread: makes room, and an act that ran alone is tried once more
    Tick tick = {};
    Anchoring::Keep keep_head = {};  // none: heads are not kept
  };

  // Start reads the tail of the trail (kCorrupt where its last record does not parse, stands at another seq than its
  // own, or belongs to another log, and where there is no record in a log that is not new), and starts the threads. `database` is the writer's own connection (opened with checkpoint_elsewhere), `checkpointer`
  // a second one for WAL checkpoints, nullptr where the engine needs none; both are owned from here on. `log` is the log's id, `boot` this process's.
  static Result<std::unique_ptr<LogWriter>> Start(std::unique_ptr<sql::Database> database,
                                                  std::unique_ptr<sql::Database> checkpointer, std::string log,
                                                  std::string boot, Options options);
  // The destructor finishes what is queued, then stops the threads. Where the database is dead it tries once more,
  // then fails what is left.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Submit queues a job from any thread. Where it returns an error, `done` is not called. Where the disk, or the database's server, hangs it is
  // kUnavailable, and what is queued already is told so too, on the caller's thread.
  Result<void> Submit(Job job);
  // Append is Submit for a bare record, waiting for it to be durable; `also` writes rows in the same transaction. Not from
  // the writer's thread.
  Result<Receipt> Append(Draft record, std::function<void(sql::Database&)> also = nullptr);

  // Watch does for what is queued what Submit does, for where nobody submits. To be called now and then, from any thread but the
  // writer's.
  void Watch();

  // healthy is false from the first failed commit until the next good one, and while one takes longer than most_wait.
  bool healthy() const { return healthy_.load() && !hangs(); }
  // last_time is the time of the newest record; vault time never goes below it.
  base::Micros last_time() const { return last_time_.load(); }
  std::int64_t last_seq() const { return last_seq_.load(); }
  // head is that of the last group that was written. On the writer's thread alone, in `done` of a job that ran alone.
  const Head& head() const { return tree_.head(); }

 private:
  // Tail is what the next record is chained to.
  struct Tail {
    std::int64_t seq = -1;
    std::string prev{kNoRecord};
    base::Micros time = 0;
  };

  LogWriter(std::unique_ptr<sql::Database> database, std::unique_ptr<sql::Database> checkpointer, std::string log,
            std::string boot, Options options);
  Result<Tail> ReadTail();
  void Run();
  std::vector<Job> NextGroup();
  void Serve(std::vector<Job> group);
  bool NothingToDo();
  void TellFailed();
  void RunTick();
  Result<std::vector<Receipt>> Write(std::vector<Job>& group);
  Result<std::vector<Receipt>> WriteOnce(std::vector<Job>& group);
  Result<std::vector<Receipt>> WriteTransaction(std::vector<Job>& group, Tail& tail);
  // Insert writes one record; it is fitted already.
  Result<std::size_t> Insert(const Draft& record, base::Micros now, Tail& tail);
  Result<void> Recover();
  Result<void> CheckGrown();
  bool hangs() const;
  void Failed(const Error& error);
  void Succeeded(const Tail& tail);

  const std::unique_ptr<sql::Database> database_;
  const Options options_;
  WalKeeper wal_;

  std::mutex mutex_;  // guards waiting_ and stopping_
  std::condition_variable wake_;
  TurnQueue waiting_;
  bool stopping_ = false;

  Anchoring anchoring_;

  GrowingTree tree_;  // of the records written, with those of the transaction that is open. This and what follows: the writer's thread alone
  Tail tail_;
  Head written_;  // of the records that are known to be committed
  Place place_;  // log and boot for good, the rest of the record at hand
  bool broken_ = false;
  base::Micros backoff_ = 0;
  base::Micros retry_at_ = 0;
  bool tried_last_ = false;
  base::Micros tick_at_ = 0;

  std::atomic<base::Micros> serving_since_{0};  // MonoMicros, 0 while no group is being written
  std::atomic<bool> hang_told_{false};
  std::atomic<bool> healthy_{true};
  std::atomic<base::Micros> last_time_{0};
  std::atomic<std::int64_t> last_seq_{-1};
  std::thread thread_;
};

}  // namespace strongroom::audit
