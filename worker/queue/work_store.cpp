#include "worker/queue/work_store.h"

#include <unistd.h>

#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"

namespace strongroom::worker {
namespace {

constexpr std::size_t kMostGroup = 256;
constexpr auto kCheckpointEvery = std::chrono::milliseconds(200);
// How long the first step of a group waits for company: a commit costs as much CPU as twenty steps, and a call to a
// provider takes a thousand times as long.
constexpr auto kGatherFor = std::chrono::microseconds(1500);
constexpr std::size_t kGatherSteps = 64;
// Where no worker was told that a key goes on, what waits for it is looked at again after so long.
constexpr base::Micros kMostHold = 10 * 60 * base::kMicrosPerSecond;

// Step is one function to run inside a transaction. It may run a second time, alone, after the group it was in failed.
class Step {
 public:
  explicit Step(bool is_bare) : bare(is_bare) {}
  virtual ~Step() = default;
  virtual Result<void> Run(sql::Database& database) = 0;
  virtual void Fail(const Error& error) = 0;
  virtual void Resume() = 0;  // on the executor's thread
  const bool bare;            // reads outside any transaction
};
using Group = std::vector<std::unique_ptr<Step>>;

// StepOf lends work and outcome from the frame of the coroutine that waits for it, and holds what resumes that.
template <typename T, typename Work, typename Handler>
class StepOf : public Step {
 public:
  StepOf(Work& work, std::optional<Result<T>>& outcome, Handler handler, bool is_bare)
      : Step(is_bare), work_(work), outcome_(outcome), handler_(std::move(handler)) {}
  Result<void> Run(sql::Database& database) override {
    outcome_.emplace(work_(database));
    if (!outcome_->has_value()) return base::Fail(outcome_->error());
    return {};
  }
  void Fail(const Error& error) override { outcome_.emplace(base::Fail(error)); }
  void Resume() override { std::move(handler_)(); }

 private:
  Work& work_;
  std::optional<Result<T>>& outcome_;
  Handler handler_;
};

}  // namespace

struct WorkStore::State {
  State(std::unique_ptr<sql::Database> db, std::unique_ptr<sql::Database> checkpoint_db, asio::any_io_executor on,
        QueueName queue, std::string name, base::Micros lease_length)
      : database(std::move(db)),
        checkpointer(std::move(checkpoint_db)),
        executor(std::move(on)),
        inbound(std::move(queue)),
        owner(std::move(name)),
        lease(lease_length) {
    writer = std::thread([this] { WriteLoop(); });
    if (checkpointer) checkpoints = std::thread([this] { CheckpointLoop(); });
  }

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    writer.join();
    if (checkpoints.joinable()) checkpoints.join();
  }

  void Push(std::unique_ptr<Step> step) {
    std::size_t now_waiting = 0;
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(step));
      now_waiting = waiting.size();
    }
    // In between, the writer is gathering: waking it for each step would cost more than the step.
    if (now_waiting == 1 || now_waiting == kGatherSteps) wake.notify_all();
  }

  void WriteLoop() {
    while (true) {
      Group group;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return stopping || !waiting.empty(); });
        if (waiting.empty()) return;
        wake.wait_for(lock, kGatherFor, [this] { return stopping || waiting.size() >= kGatherSteps; });
        const std::size_t count = std::min(waiting.size(), kMostGroup);
        group.assign(std::make_move_iterator(waiting.begin()),
                     std::make_move_iterator(waiting.begin() + static_cast<std::ptrdiff_t>(count)));
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
      }
      RunGroup(group);
      // One post resumes the whole group: a wake-up of the event loop costs more than a step.
      asio::post(executor, [finished = std::move(group)] {
        for (const std::unique_ptr<Step>& step : finished) step->Resume();
      });
    }
  }

  void RunGroup(const Group& group) {
    std::vector<Step*> writes;
    for (const std::unique_ptr<Step>& step : group) {
      if (!step->bare) writes.push_back(step.get());
      else if (const Result<void> read = step->Run(*database); !read) step->Fail(read.error());
    }
    if (writes.empty()) return;
    Result<void> done = RunTogether(writes);
    if (done) return;
    for (Step* step : writes) {
      // Alone each step meets its own error, and a good one is not lost to a bad neighbour.
      if (writes.size() > 1) done = RunTogether({step});
      if (!done) step->Fail(done.error());
    }
    if (!done && done.error().code() == Code::kUnavailable) {
      base::LogError("work_database_unavailable", done.error());
      if (const Result<void> again = database->Reconnect(); !again) base::LogError("work_database_reconnect", again.error());
    }
  }

  Result<void> RunTogether(const std::vector<Step*>& steps) {
    TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(*database));
    for (Step* step : steps) TRY(step->Run(*database));
    TRY(transaction.Commit());
    written.store(true);
    return {};
  }

  void CheckpointLoop() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      // A plain wait_for with no predicate: any wake-up is harmless, `written` decides.
      wake_checkpoint.wait_for(lock, kCheckpointEvery);
      if (!written.exchange(false)) continue;
      lock.unlock();
      if (const Result<void> moved = checkpointer->Checkpoint(); !moved) base::LogError("checkpoint", moved.error());
      lock.lock();
    }
  }

  std::unique_ptr<sql::Database> database, checkpointer;
  asio::any_io_executor executor;
  QueueName inbound;
  std::string owner;
  base::Micros lease;
  std::int64_t data_version = -1;  // the writer thread's own

  std::mutex mutex;
  std::condition_variable wake, wake_checkpoint;
  Group waiting;
  bool stopping = false;
  std::atomic<bool> written{false};
  std::thread writer, checkpoints;

  // Perform runs `work` on the writer's thread and resumes the coroutine once its group has committed.
  template <typename T, typename Work>
  asio::awaitable<Result<T>> Perform(Work work, bool bare = false) {
    std::optional<Result<T>> outcome;
    auto initiate = [this, &outcome, &work, bare](auto handler) {
      using Handler = decltype(handler);
      Push(std::make_unique<StepOf<T, Work, Handler>>(work, outcome, std::move(handler), bare));
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(initiate, asio::use_awaitable);
    co_return std::move(*outcome);
  }
};

WorkStore::WorkStore(std::unique_ptr<sql::Database> database, std::unique_ptr<sql::Database> checkpointer,
                     asio::any_io_executor executor, QueueName inbound, std::string owner, base::Micros lease)
    : state_(std::make_unique<State>(std::move(database), std::move(checkpointer), std::move(executor),
                                     std::move(inbound), std::move(owner), lease)) {}
WorkStore::~WorkStore() = default;

const std::string& WorkStore::owner() const { return state_->owner; }

asio::awaitable<Result<std::vector<Claimed>>> WorkStore::Claim(std::int64_t most, bool expired_too) {
  auto work = [this, most, expired_too](sql::Database& db) -> Result<std::vector<Claimed>> {
    const base::Micros now = base::WallMicros();
    std::vector<Claimed> claimed;
    if (expired_too) {
      TRY_ASSIGN(claimed, ClaimExpired(db, state_->inbound, state_->owner, now, now + state_->lease, most));
    }
    const auto room = most - static_cast<std::int64_t>(claimed.size());
    if (room <= 0) return claimed;
    TRY_ASSIGN(std::vector<Claimed> fresh,
               ClaimWaiting(db, state_->inbound, state_->owner, now, now + state_->lease, room));
    for (Claimed& one : fresh) claimed.push_back(std::move(one));
    return claimed;
  };
  return state_->Perform<std::vector<Claimed>>(std::move(work));
}

asio::awaitable<Result<Admission>> WorkStore::Begin(std::int64_t id, const Identity& identity, std::int64_t attempt,
                                                    base::Micros deadline) {
  auto work = [this, id, &identity, attempt, deadline](sql::Database& db) {
    return worker::Begin(db, id, state_->owner, identity, attempt, base::WallMicros(), deadline);
  };
  return state_->Perform<Admission>(std::move(work));
}

asio::awaitable<Result<void>> WorkStore::CallEnded(std::int64_t id) {
  auto work = [this, id](sql::Database& db) {
    return worker::CallEnded(db, id, state_->owner);
  };
  return state_->Perform<void>(std::move(work));
}

asio::awaitable<Result<Settled>> WorkStore::Settle(const Settlement& settlement) {
  auto work = [this, &settlement](sql::Database& db) {
    return worker::Settle(db, settlement, getpid(), state_->owner, base::WallMicros());
  };
  return state_->Perform<Settled>(std::move(work));
}

asio::awaitable<Result<void>> WorkStore::AnswerAgain(std::int64_t id, const Identity& identity) {
  auto work = [this, id, &identity](sql::Database& db) {
    return worker::AnswerAgain(db, id, state_->owner, identity);
  };
  return state_->Perform<void>(std::move(work));
}

asio::awaitable<Result<void>> WorkStore::Drop(std::int64_t id) {
  auto work = [this, id](sql::Database& db) {
    return worker::Drop(db, id, state_->owner);
  };
  return state_->Perform<void>(std::move(work));
}

asio::awaitable<Result<void>> WorkStore::Release(std::int64_t id) {
  auto work = [this, id](sql::Database& db) {
    return worker::Release(db, id, state_->owner);
  };
  return state_->Perform<void>(std::move(work));
}

asio::awaitable<Result<void>> WorkStore::Hold(std::int64_t id) {
  auto work = [this, id](sql::Database& db) {
    return worker::Hold(db, id, state_->owner, base::WallMicros() + kMostHold);
  };
  return state_->Perform<void>(std::move(work));
}

asio::awaitable<Result<std::int64_t>> WorkStore::Unhold() {
  auto work = [this](sql::Database& db) {
    return worker::Unhold(db, state_->inbound);
  };
  return state_->Perform<std::int64_t>(std::move(work));
}

asio::awaitable<Result<std::int64_t>> WorkStore::RenewLeases() {
  auto work = [this](sql::Database& db) {
    return worker::RenewLeases(db, state_->owner, base::WallMicros() + state_->lease);
  };
  return state_->Perform<std::int64_t>(std::move(work));
}

asio::awaitable<Result<std::string>> WorkStore::LoadText(const std::string& ref, const std::string& customer) {
  auto work = [&ref, &customer](sql::Database& db) {
    return worker::LoadText(db, ref, customer);
  };
  return state_->Perform<std::string>(std::move(work), true);
}

asio::awaitable<Result<std::int64_t>> WorkStore::TokensOf(const std::string& profile_ref, base::Micros month) {
  auto work = [&profile_ref, month](sql::Database& db) {
    return worker::TokensOf(db, profile_ref, month);
  };
  return state_->Perform<std::int64_t>(std::move(work), true);
}

asio::awaitable<Result<bool>> WorkStore::Changed() {
  auto work = [this](sql::Database& db) -> Result<bool> {
    TRY_ASSIGN(const std::int64_t version, db.DataVersion());
    // An engine that cannot tell says 0: then there may always be work.
    return version == 0 || std::exchange(state_->data_version, version) != version;
  };
  return state_->Perform<bool>(std::move(work), true);
}

}  // namespace strongroom::worker
