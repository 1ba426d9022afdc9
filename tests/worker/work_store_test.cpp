#include "worker/queue/work_store.h"

#include "tests/worker/work_house.h"

#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace strongroom::worker {
namespace {

constexpr base::Micros kLease = 60 * base::kMicrosPerSecond;

// Watch is what a test sees of, and does to, the store's connection.
struct Watch {
  std::atomic<int> begun{0}, committed{0}, reconnected{0}, checkpoints{0};
  std::atomic<int> commits_to_fail{0};
  std::atomic<bool> bare_in_transaction{false};

  void Shut() {
    const std::lock_guard lock(mutex);
    open = false;
  }
  void Open() {
    {
      const std::lock_guard lock(mutex);
      open = true;
    }
    moved.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex);
    moved.wait(lock, [this] { return open; });
  }

 private:
  std::mutex mutex;
  std::condition_variable moved;
  bool open = true;
};

// WatchedDatabase is a real connection whose transactions are counted, held up at a gate, and made to fail.
class WatchedDatabase final : public sql::Database {
 public:
  WatchedDatabase(std::unique_ptr<sql::Database> real, Watch& watch) : real_(std::move(real)), watch_(watch) {}
  sql::Engine engine() const override { return real_->engine(); }
  Result<sql::Statement*> Prepare(sql::Sql text) override { return real_->Prepare(text); }
  Result<void> Begin() override {
    ++watch_.begun;
    watch_.Pass();
    return real_->Begin();
  }
  Result<void> Commit() override {
    if (watch_.commits_to_fail > 0) {
      --watch_.commits_to_fail;
      return Fail(Code::kUnavailable, "the disk is full");
    }
    const auto done = real_->Commit();
    if (done) ++watch_.committed;
    return done;
  }
  Result<void> Rollback() override { return real_->Rollback(); }
  bool in_transaction() const override { return real_->in_transaction(); }
  Result<void> RunScript(std::string_view script) override { return real_->RunScript(script); }
  Result<void> Reconnect() override {
    ++watch_.reconnected;
    return real_->Reconnect();
  }
  Result<std::int64_t> DataVersion() override {
    if (real_->in_transaction()) watch_.bare_in_transaction = true;
    return real_->DataVersion();
  }
  Result<void> Checkpoint() override {
    ++watch_.checkpoints;
    return real_->Checkpoint();
  }

 private:
  std::unique_ptr<sql::Database> real_;
  Watch& watch_;
};

// Office is a store, the event loop of its callers, and a second connection to look with.
class Office {
 public:
  explicit Office(std::int64_t busy_ms = 10'000, bool checkpoints = false) : guard_(asio::make_work_guard(io_)) {
    store_ = std::make_unique<WorkStore>(
        std::make_unique<WatchedDatabase>(house_.Connect(busy_ms), watch_),
        checkpoints ? std::make_unique<WatchedDatabase>(house_.Connect(busy_ms), watch_) : nullptr, io_.get_executor(),
        kInbound, "a", kLease);
  }
  WorkStore& store() { return *store_; }
  sql::Database& database() { return *database_; }
  const WorkHouse& house() const { return house_; }
  Watch& watch() { return watch_; }
  void Close() { store_.reset(); }

  // Start begins an operation; its outcome stands in *result once Until has seen it.
  template <typename T>
  std::shared_ptr<std::optional<T>> Start(asio::awaitable<T> operation) {
    auto result = std::make_shared<std::optional<T>>();
    asio::co_spawn(io_, std::move(operation), [this, result](std::exception_ptr, T outcome) {
      threads_right_ = threads_right_ && std::this_thread::get_id() == thread_;
      ++ended_;
      result->emplace(std::move(outcome));
    });
    return result;
  }
  void Poll() { io_.poll(); }
  void RunUntilEnded(int count) {
    while (ended_ < count) REQUIRE(io_.run_one_for(std::chrono::seconds(20)) == 1);
    CHECK(threads_right_);
  }
  template <typename T>
  T Await(asio::awaitable<T> operation) {
    const int before = ended_;
    const auto result = Start(std::move(operation));
    RunUntilEnded(before + 1);
    return std::move(**result);
  }
  std::vector<Claimed> Claim(std::int64_t most) {
    auto claimed = Await(store().Claim(most, false));
    REQUIRE(claimed);
    return std::move(*claimed);
  }
  std::vector<Claimed> PutAndClaim(int count) {
    for (int i = 0; i < count; ++i) REQUIRE(Submit(database(), kInbound, "m" + std::to_string(i)));
    auto claimed = Claim(count);
    REQUIRE(claimed.size() == static_cast<std::size_t>(count));
    return claimed;
  }

 private:
  WorkHouse house_;
  Watch watch_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::unique_ptr<sql::Database> database_ = house_.Connect();
  std::unique_ptr<WorkStore> store_;
  int ended_ = 0;
  bool threads_right_ = true;
  const std::thread::id thread_ = std::this_thread::get_id();
};

Settlement SettlementOf(const Claimed& claimed, const std::string& request_id) {
  Settlement settlement;
  settlement.id = claimed.id;
  settlement.owner = "a";
  settlement.reply_to = kReplies;
  settlement.reply = "reply to " + request_id;
  settlement.identity = IdentityOf(request_id);
  return settlement;
}

std::vector<Settlement> SettlementsOf(const std::vector<Claimed>& claimed) {
  std::vector<Settlement> settlements;
  for (std::size_t i = 0; i < claimed.size(); ++i) settlements.push_back(SettlementOf(claimed[i], "r" + std::to_string(i)));
  return settlements;
}

std::int64_t Replies(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM REPLY_MESSAGE"); }

}  // namespace

TEST_CASE("work store: a message's whole life, each step durable when its caller goes on") {
  Office office;
  CHECK(office.store().owner() == "a");
  const auto claimed = office.PutAndClaim(2);
  CHECK(claimed[0].message == "m0");
  const Identity identity = IdentityOf("r");
  CHECK(office.Await(office.store().Begin(claimed[0].id, identity, 1, 77)).value() == Admission::kBegun);
  CHECK(Number(office.database(), "SELECT DEADLINE FROM QUEUE_MESSAGE WHERE CALL_BEGUN_AT > 0") == 77);
  CHECK(office.Await(office.store().Begin(claimed[1].id, identity, 1, 77)).value() == Admission::kUnderWay);
  REQUIRE(office.Await(office.store().Drop(claimed[1].id)));
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 1);
  REQUIRE(office.Await(office.store().CallEnded(claimed[0].id)));
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE CALL_BEGUN_AT IS NULL") == 1);
  CHECK(office.Await(office.store().RenewLeases()).value() == 1);
  const Settlement settlement = SettlementOf(claimed[0], "r");
  CHECK(office.Await(office.store().Settle(settlement)).value() == Settled::kSettled);
  CHECK(office.Await(office.store().Settle(settlement)).value() == Settled::kLostLease);
  const auto again = office.PutAndClaim(2);
  CHECK(office.Await(office.store().Begin(again[0].id, identity, 1, 77)).value() == Admission::kAnswered);
  REQUIRE(office.Await(office.store().AnswerAgain(again[0].id, identity)));
  REQUIRE(office.Await(office.store().Release(again[1].id)));
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 1);
  CHECK(Replies(office.database()) == 1);
}

TEST_CASE("work store: a claim takes what has expired first, and never more than asked for") {
  Office office;
  for (int i = 0; i < 4; ++i) REQUIRE(Submit(office.database(), kInbound, "m" + std::to_string(i)));
  REQUIRE(ClaimWaiting(office.database(), kInbound, "dead", 1, 2, 2));
  REQUIRE(office.Await(office.store().Claim(1, false)).value().at(0).message == "m2");
  const auto claimed = office.Await(office.store().Claim(3, true));
  REQUIRE(claimed);
  REQUIRE(claimed->size() == 3);
  CHECK((*claimed)[0].claims == 2);
  CHECK((*claimed)[1].claims == 2);
  CHECK((*claimed)[2].message == "m3");
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER = 'a'") == 4);
}

TEST_CASE("work store: what is asked for while a commit runs shares the next one") {
  Office office;
  const auto claimed = office.PutAndClaim(100);
  const auto settlements = SettlementsOf(claimed);
  const int before = office.watch().committed;
  const int begun = office.watch().begun;
  office.watch().Shut();
  std::vector<std::shared_ptr<std::optional<Result<Settled>>>> results;
  results.push_back(office.Start(office.store().Settle(settlements[0])));
  office.Poll();
  REQUIRE(Eventually([&] { return office.watch().begun > begun; }));
  for (std::size_t i = 1; i < settlements.size(); ++i) {
    results.push_back(office.Start(office.store().Settle(settlements[i])));
  }
  office.Poll();
  office.watch().Open();
  office.RunUntilEnded(101);
  for (const auto& result : results) CHECK((*result)->value() == Settled::kSettled);
  CHECK(office.watch().committed - before == 2);
  CHECK(Replies(office.database()) == 100);
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 0);
}

TEST_CASE("work store: more steps than one transaction takes all get done") {
  Office office;
  const auto claimed = office.PutAndClaim(700);
  const auto settlements = SettlementsOf(claimed);
  office.watch().Shut();
  for (const Settlement& settlement : settlements) office.Start(office.store().Settle(settlement));
  office.Poll();
  office.watch().Open();
  office.RunUntilEnded(701);
  CHECK(Replies(office.database()) == 700);
}

TEST_CASE("work store: one step alone does not wait for company that never comes") {
  Office office;
  const auto claimed = office.PutAndClaim(1);
  const Settlement settlement = SettlementOf(claimed[0], "r");
  CHECK(office.Await(office.store().Settle(settlement)).value() == Settled::kSettled);
}

TEST_CASE("work store: a step that fails does not take its neighbours with it") {
  Office office;
  REQUIRE(office.database().Execute("CREATE TRIGGER T BEFORE INSERT ON REPLY_MESSAGE WHEN NEW.REQUEST_ID = 'r3' "
                                    "BEGIN SELECT RAISE(ABORT, 'no'); END"));
  const auto settlements = SettlementsOf(office.PutAndClaim(8));
  const int begun = office.watch().begun;
  office.watch().Shut();
  office.Start(office.store().RenewLeases());
  office.Poll();
  REQUIRE(Eventually([&] { return office.watch().begun > begun; }));
  std::vector<std::shared_ptr<std::optional<Result<Settled>>>> results;
  for (const Settlement& one : settlements) results.push_back(office.Start(office.store().Settle(one)));
  office.Poll();
  office.watch().Open();
  office.RunUntilEnded(10);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i != 3) CHECK((*results[i])->value() == Settled::kSettled);
  }
  REQUIRE_FALSE((*results[3])->has_value());
  CHECK((*results[3])->error().code() == Code::kRefused);
  CHECK(Replies(office.database()) == 7);
  CHECK(Number(office.database(), "SELECT MESSAGE_ID FROM QUEUE_MESSAGE") == settlements[3].id);
  REQUIRE(office.database().Execute("DROP TRIGGER T"));
  CHECK(office.Await(office.store().Settle(settlements[3])).value() == Settled::kSettled);
}

TEST_CASE("work store: a commit that fails has written nothing, and the step may be asked for again") {
  Office office;
  const auto claimed = office.PutAndClaim(1);
  const Settlement settlement = SettlementOf(claimed[0], "r");
  office.watch().commits_to_fail = 1;
  const auto failed = office.Await(office.store().Settle(settlement));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Code::kUnavailable);
  CHECK(Replies(office.database()) == 0);
  CHECK(Number(office.database(), "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 1);
  CHECK(office.Await(office.store().Settle(settlement)).value() == Settled::kSettled);
  CHECK(office.watch().reconnected == 1);
}

TEST_CASE("work store: a group whose commit fails is tried one by one") {
  Office office;
  const auto settlements = SettlementsOf(office.PutAndClaim(5));
  const int begun = office.watch().begun;
  office.watch().Shut();
  office.Start(office.store().RenewLeases());
  office.Poll();
  REQUIRE(Eventually([&] { return office.watch().begun > begun; }));
  office.watch().commits_to_fail = 2;  // the renewal's own, and the group's
  std::vector<std::shared_ptr<std::optional<Result<Settled>>>> results;
  for (const Settlement& one : settlements) results.push_back(office.Start(office.store().Settle(one)));
  office.Poll();
  office.watch().Open();
  office.RunUntilEnded(7);
  for (const auto& result : results) CHECK((*result)->value() == Settled::kSettled);
  CHECK(Replies(office.database()) == 5);
}

TEST_CASE("work store: a database that another writer holds is an error, and works again afterwards") {
  Office office(50);
  REQUIRE(Submit(office.database(), kInbound, "m"));
  {
    auto held = sql::Transaction::Start(office.database());
    REQUIRE(held);
    const auto refused = office.Await(office.store().Claim(1, true));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kUnavailable);
    // Reading needs no transaction, and goes on.
    CHECK(office.Await(office.store().Changed()));
    const std::string ref = "prompt/ACME/1", customer = "ACME";
    CHECK(office.Await(office.store().LoadText(ref, customer)).error().code() == Code::kNotFound);
  }
  CHECK(office.Claim(1).size() == 1);
}

TEST_CASE("work store: readings stand outside transactions, and tell foreign commits from our own") {
  Office office;
  CHECK(office.Await(office.store().Changed()).value());
  CHECK_FALSE(office.Await(office.store().Changed()).value());
  REQUIRE(Submit(office.database(), kInbound, "m"));
  CHECK(office.Await(office.store().Changed()).value());
  CHECK(office.Claim(1).size() == 1);
  CHECK_FALSE(office.Await(office.store().Changed()).value());
  REQUIRE(StoreText(office.database(), {"prompt/ACME/1", "ACME", "long text"}, 1));
  const int begun = office.watch().begun;
  const std::string ref = "prompt/ACME/1", customer = "ACME", foreign = "BETA";
  CHECK(office.Await(office.store().LoadText(ref, customer)).value() == "long text");
  CHECK(office.Await(office.store().LoadText(ref, foreign)).error().code() == Code::kNotFound);
  CHECK(office.watch().begun == begun);
  CHECK_FALSE(office.watch().bare_in_transaction);
}

TEST_CASE("work store: the destructor runs what is queued, and its callers still get their answers") {
  Office office;
  const auto settlements = SettlementsOf(office.PutAndClaim(50));
  office.watch().Shut();
  std::vector<std::shared_ptr<std::optional<Result<Settled>>>> results;
  for (const Settlement& one : settlements) results.push_back(office.Start(office.store().Settle(one)));
  office.Poll();
  std::thread opener([&] { office.watch().Open(); });
  office.Close();
  opener.join();
  CHECK(Replies(office.database()) == 50);
  office.RunUntilEnded(51);
  for (const auto& result : results) CHECK((*result)->value() == Settled::kSettled);
}

TEST_CASE("work store: an event loop that ends first leaves no step behind") {
  // Finished steps wait for a loop that nobody runs any more; they and the coroutines they hold go with it.
  Office office;
  const auto settlements = SettlementsOf(office.PutAndClaim(5));
  for (const Settlement& one : settlements) office.Start(office.store().Settle(one));
  office.Poll();
  REQUIRE(Eventually([&] { return Replies(office.database()) == 5; }));
  office.Close();
}

TEST_CASE("work store: checkpoints are made on a thread and a connection of their own") {
  Office office(10'000, true);
  CHECK(office.PutAndClaim(3).size() == 3);
  CHECK(Eventually([&] { return office.watch().checkpoints > 0; }));
}

}  // namespace strongroom::worker
