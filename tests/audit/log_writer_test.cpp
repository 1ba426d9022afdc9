#include "tests/audit/trail.h"

#include "audit/log_writer.h"

#include <future>
#include <thread>

#ifdef STRONGROOM_SANITIZED
#define STRONGROOM_SLOW true
#else
#define STRONGROOM_SLOW false
#endif

namespace strongroom::audit {
namespace {

Job Plain(std::function<void(Result<Receipt>)> done, std::uint64_t turn = 0, const std::string& actor = "srworker") {
  Job job;
  job.turn = turn;
  job.decide = [actor](sql::Database&, base::Micros) { return Decision{SampleDraft(actor), false}; };
  job.done = std::move(done);
  return job;
}

// Gate holds the writer inside a job, so that what is submitted meanwhile waits.
class Gate {
 public:
  explicit Gate(LogWriter& writer) {
    const auto entered = std::make_shared<std::promise<void>>();
    Job job = Plain([](const Result<Receipt>&) {});
    // The job may outlive the gate: it shares what it needs.
    job.decide = [entered, opened = open_.get_future().share()](sql::Database&, base::Micros) {
      entered->set_value();
      opened.wait();
      return Decision{SampleDraft("gate"), false};
    };
    REQUIRE(writer.Submit(std::move(job)));
    entered->get_future().wait();
  }
  void Open() { open_.set_value(); }

 private:
  std::promise<void> open_;
};

std::int64_t Rows(sql::Database& database) {
  const auto row = database.QueryOne("SELECT COUNT(*) FROM RATE_CARD");
  REQUIRE(row);
  const std::int64_t count = (*row)->Int64(0);
  (*row)->Reset();
  return count;
}

Job InsertRate(bool undo, std::function<void(Result<Receipt>)> done) {
  Job job;
  job.alone = true;
  job.decide = [undo](sql::Database& database, base::Micros now) {
    const auto inserted = database.Execute("INSERT INTO RATE_CARD VALUES ('m', 'p', 1, 2, ?1)", {now});
    Draft draft = SampleDraft("admin");
    draft.action = "rate.set";
    draft.outcome = inserted && !undo ? Outcome::kOk : Outcome::kDenied;
    return Decision{draft, undo};
  };
  job.done = std::move(done);
  return job;
}

}  // namespace

TEST_CASE("an empty trail starts at 0 and verifies, records are chained") {
  const Trail trail;
  const auto writer = trail.StartWriter();
  CHECK(writer->last_seq() == -1);
  CHECK(trail.Verify().head == kNoRecord);
  const auto first = writer->Append(SampleDraft());
  const auto second = writer->Append(SampleDraft());
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->seq == 0);
  CHECK(second->seq == 1);
  CHECK(second->time >= first->time);
  CHECK(writer->last_seq() == 1);
  CHECK(writer->last_time() == second->time);
  const Verdict verdict = trail.Verify();
  CHECK(verdict.records == 2);
  CHECK_FALSE(verdict.fault);
}

TEST_CASE("what waits is committed as one group, in order, and each is told once") {
  const Trail trail;
  std::vector<std::int64_t> told;
  std::vector<std::int64_t> visible;  // rows another connection sees when a job is told
  const auto reader = trail.Open();
  {
    const auto writer = trail.StartWriter();
    Gate gate(*writer);
    for (int i = 0; i < 300; ++i) {
      REQUIRE(writer->Submit(Plain([&](const Result<Receipt>& receipt) {
        told.push_back(receipt ? receipt->seq : -1);
        const auto row = reader->QueryOne("SELECT COUNT(*) FROM AUDIT_LOG");
        visible.push_back((*row)->Int64(0));
        (*row)->Reset();
      })));
    }
    gate.Open();
  }
  REQUIRE(told.size() == 300);
  for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == static_cast<std::int64_t>(i) + 1);
  CHECK(visible[0] == 257);    // the gate's record, then a full group
  CHECK(visible[299] == 301);  // then the rest
  CHECK_FALSE(trail.Verify().fault);
}

TEST_CASE("one turn's flood does not delay another turn") {
  const Trail trail;
  std::int64_t quiet_seq = -1;
  {
    LogWriter::Options options;
    options.most_group = 8;
    const auto writer = trail.StartWriter(options);
    Gate gate(*writer);
    for (int i = 0; i < 1000; ++i) REQUIRE(writer->Submit(Plain([](const Result<Receipt>&) {}, 1, "flood")));
    REQUIRE(writer->Submit(Plain([&](const Result<Receipt>& receipt) { quiet_seq = receipt->seq; }, 2, "quiet")));
    gate.Open();
  }
  CHECK(quiet_seq <= 3);
  CHECK(trail.Verify().records == 1002);
}

TEST_CASE("an alone job's changes commit with its record") {
  const Trail trail;
  const auto writer = trail.StartWriter();
  std::promise<Result<Receipt>> told;
  REQUIRE(writer->Submit(InsertRate(false, [&](Result<Receipt> receipt) { told.set_value(receipt); })));
  REQUIRE(told.get_future().get());
  CHECK(Rows(*trail.Open()) == 1);
}

TEST_CASE("undo rolls the changes back and keeps the record") {
  const Trail trail;
  const auto writer = trail.StartWriter();
  std::promise<Result<Receipt>> told;
  REQUIRE(writer->Submit(InsertRate(true, [&](Result<Receipt> receipt) { told.set_value(receipt); })));
  const auto receipt = told.get_future().get();
  REQUIRE(receipt);
  CHECK(Rows(*trail.Open()) == 0);
  Filter filter;
  filter.action = "rate.set";
  const auto found = trail.Search(filter);
  REQUIRE(found.size() == 1);
  CHECK(found[0].place.seq == receipt->seq);
  CHECK(found[0].draft.outcome == Outcome::kDenied);
}

TEST_CASE("a refused write of an alone job can be undone and recorded") {
  const Trail trail;
  const auto writer = trail.StartWriter();
  std::promise<Result<Receipt>> told;
  std::atomic<bool> refused = false;
  Job job = InsertRate(true, [&](Result<Receipt> receipt) { told.set_value(receipt); });
  job.decide = [&](sql::Database& database, base::Micros) {
    refused = !database.Execute("INSERT INTO RATE_CARD (MODEL) VALUES (NULL)");
    return Decision{SampleDraft(), true};
  };
  REQUIRE(writer->Submit(std::move(job)));
  CHECK(told.get_future().get());
  CHECK(refused);
  CHECK(writer->Append(SampleDraft()));
  CHECK(trail.Verify().records == 2);
}

TEST_CASE("a restart continues the chain") {
  const Trail trail;
  trail.Fill(10);
  const auto before = trail.Verify();
  const auto writer = trail.StartWriter();
  CHECK(writer->last_seq() == 9);
  CHECK(writer->last_time() == before.last_time);
  REQUIRE(writer->Append(SampleDraft()));
  const auto after = trail.Verify();
  CHECK(after.records == 11);
  CHECK_FALSE(after.fault);
}

TEST_CASE("vault time never goes back") {
  const Trail trail;
  const base::Micros future = base::WallMicros() + base::kMicrosPerDay;
  Place place{"vault/node-1", "boot-0", 0, std::string(kNoRecord), future, 0};
  const std::string bytes = Serialize(SampleDraft(), place);
  REQUIRE(trail.Open()->Execute(
      "INSERT INTO AUDIT_LOG VALUES (0, ?1, ?2, 'key.resolve', 'ok', 'srworker', 'ACME', 'ACME/anthropic/default/1', "
      "'0b9f2c1e-7a54-4d57-9a50-6a5f0f7d3c11')",
      {base::AsBytes(bytes), future}));
  const Hash root = HashLeaf(bytes);
  REQUIRE(trail.Open()->Execute("INSERT INTO AUDIT_HEAD VALUES (1, ?1)", {ByteView(root)}));
  const auto receipt = trail.StartWriter()->Append(SampleDraft());
  REQUIRE(receipt);
  CHECK(receipt->time == future);
  CHECK_FALSE(trail.Verify().fault);
}

TEST_CASE("a trail whose tail is not what was written is not written on") {
  const Trail trail;
  trail.Fill(3);
  SECTION("bytes") { REQUIRE(trail.Open()->Execute("UPDATE AUDIT_LOG SET RECORD = x'00' WHERE SEQ = 2")); }
  SECTION("seq") { REQUIRE(trail.Open()->Execute("UPDATE AUDIT_LOG SET SEQ = 5 WHERE SEQ = 2")); }
  const auto writer = LogWriter::Start(trail.Open(), trail.Open(), "vault/node-1", "boot-2", LogWriter::Options());
  REQUIRE_FALSE(writer);
  CHECK(writer.error().code() == Code::kCorrupt);
}

TEST_CASE("a trail of another log is not written on, and names must be plain") {
  const Trail trail;
  trail.Fill(1);
  const auto other = LogWriter::Start(trail.Open(), trail.Open(), "other", "boot", LogWriter::Options());
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == Code::kCorrupt);
  const auto spaced = LogWriter::Start(trail.Open(), trail.Open(), "a b", "boot", LogWriter::Options());
  REQUIRE_FALSE(spaced);
  CHECK(spaced.error().code() == Code::kInvalidArgument);
}

TEST_CASE("the queue is bounded") {
  const Trail trail;
  LogWriter::Options options;
  options.most_waiting = 10;
  const auto writer = trail.StartWriter(options);
  Gate gate(*writer);
  std::atomic<int> told = 0;
  for (int i = 0; i < 10; ++i) REQUIRE(writer->Submit(Plain([&](const Result<Receipt>&) { ++told; })));
  const auto refused = writer->Submit(Plain([&](const Result<Receipt>&) { ++told; }));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kUnavailable);
  gate.Open();
  CHECK(Until([&] { return told == 10; }));
  CHECK(writer->Append(SampleDraft()));
  CHECK(told == 10);
}

TEST_CASE("many threads write one unbroken chain") {
  const Trail trail;
  {
    const auto writer = trail.StartWriter();
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (std::uint64_t t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          if (!writer->Append(SampleDraft())) ++failures;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(failures == 0);
  }
  const auto verdict = trail.Verify();
  CHECK(verdict.records == 400);
  CHECK_FALSE(verdict.fault);
}

TEST_CASE("rubbish in a draft is recorded, and its columns agree with the record") {
  const Trail trail;
  Draft draft = SampleDraft(std::string("bad\xff\0name", 9));
  draft.customer = std::string(5000, '\x02');
  draft.request_id = "";
  REQUIRE(trail.StartWriter()->Append(draft));
  const auto verdict = trail.Verify();
  CHECK(verdict.records == 1);
  CHECK_FALSE(verdict.fault);
}

TEST_CASE("the write-ahead log stays bounded under a load that never pauses") {
  const Trail trail;
  const auto wal = trail.directory() / "vault.db-wal";
  constexpr int kRecords = STRONGROOM_SLOW ? 10'000 : 120'000;
  std::uintmax_t largest = 0;
  std::atomic<int> left = kRecords;
  std::function<void()> next;  // outlives the writer, whose jobs call it
  {
    const auto writer = trail.StartWriter();
    next = [&] {
      if (left-- <= 0) return;
      Job job = Plain([&](const Result<Receipt>&) { next(); });
      job.decide = [](sql::Database&, base::Micros) {
        Draft draft = SampleDraft();
        draft.reason = std::string(1500, 'r');
        return Decision{std::move(draft), false};
      };
      static_cast<void>(writer->Submit(std::move(job)));
    };
    for (int i = 0; i < 256; ++i) next();
    CHECK(Until([&] {
      if (std::filesystem::exists(wal)) largest = std::max(largest, std::filesystem::file_size(wal));
      return left <= -256;
    }, 60));
  }
  // The keeper counts records, 8 MiB at a time; the log holds pages, and the fewer records a slow machine puts into one
  // commit, the more often the same pages are in it. Without the keeper the log grows by more than this for the whole run.
  CAPTURE(largest);
  CHECK(largest < 20 * WalKeeper::kMostBusyBytes);
}

}  // namespace strongroom::audit
