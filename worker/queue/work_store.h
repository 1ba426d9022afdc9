// WorkStore: the one thread of a worker that touches the work database. Steps asked for while a commit runs go into the
// next transaction together, so that a hundred requests in flight share one fdatasync.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "worker/queue/queue.h"

namespace strongroom::worker {

class WorkStore {
 public:
  // The constructor takes the connections and starts the threads; `owner` is this worker's name in leases, USAGE_LOG.WORKER_ID and the log.
  WorkStore(std::unique_ptr<sql::Database> database, std::unique_ptr<sql::Database> checkpointer,
            asio::any_io_executor executor, QueueName inbound, std::string owner, base::Micros lease);
  // The destructor runs what is queued, then stops the thread.
  ~WorkStore();
  WorkStore(const WorkStore&) = delete;
  WorkStore& operator=(const WorkStore&) = delete;

  // Each of these waits until its step is durable. Errors are the database's; the whole group failed with it, nothing
  // was written, and the same step may be asked for again.
  asio::awaitable<Result<std::vector<Claimed>>> Claim(std::int64_t most, bool expired_too);
  asio::awaitable<Result<Admission>> Begin(std::int64_t id, const Identity& identity, std::int64_t attempt,
                                           base::Micros deadline);
  asio::awaitable<Result<void>> CallEnded(std::int64_t id);
  asio::awaitable<Result<Settled>> Settle(const Settlement& settlement);
  asio::awaitable<Result<void>> AnswerAgain(std::int64_t id, const Identity& identity);
  asio::awaitable<Result<void>> Drop(std::int64_t id);
  asio::awaitable<Result<void>> Release(std::int64_t id);
  asio::awaitable<Result<void>> Hold(std::int64_t id);
  asio::awaitable<Result<std::int64_t>> Unhold();
  asio::awaitable<Result<std::int64_t>> RenewLeases();
  asio::awaitable<Result<std::string>> LoadText(const std::string& ref, const std::string& customer);
  asio::awaitable<Result<std::int64_t>> TokensOf(const std::string& profile_ref, base::Micros month);
  // Changed is true where another process has committed since the last call: there may be work.
  asio::awaitable<Result<bool>> Changed();

  const std::string& owner() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strongroom::worker
