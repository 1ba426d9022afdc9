// The trail cannot be written: every way that is known to happen. Nobody may be told that a record stands which does
// not; and once the cause is gone, the chain goes on unbroken.
#include "tests/audit/trail.h"

#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>

#include "audit/log_writer.h"

namespace strongroom::audit {
namespace {

void CheckUnavailable(const Result<Receipt>& receipt) {
  REQUIRE_FALSE(receipt);
  CHECK(receipt.error().code() == Code::kUnavailable);
  CHECK(receipt.error().text().starts_with("the trail cannot be written: "));
}

void CheckUnbroken(const Trail& trail, std::int64_t records) {
  const auto verdict = trail.Verify();
  CHECK_FALSE(verdict.fault);
  CHECK(verdict.records == records);
}

// CheckEndsOtherwise: the head that the writer left is of another number of records.
void CheckEndsOtherwise(const Trail& trail, std::int64_t seq, const std::string& kind) {
  const auto verdict = trail.Verify();
  REQUIRE(verdict.fault);
  CHECK(verdict.fault->seq == seq);
  CHECK(verdict.fault->kind == kind);
}

// Tmpfs is a file system of one megabyte, where the test may mount one.
class Tmpfs {
 public:
  Tmpfs() {
    std::string name = (std::filesystem::temp_directory_path() / "strongroom-full-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
    mounted = mount("tmpfs", name.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~Tmpfs() {
    if (mounted) umount2(path.c_str(), MNT_DETACH);
    std::filesystem::remove_all(path);
  }
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;

  std::filesystem::path path;
  bool mounted = false;
};

}  // namespace

TEST_CASE("a lock held by another connection fails the acts, health flips, and later it recovers") {
  const Trail trail;
  const auto writer = trail.StartWriter(LogWriter::Options(), 50);
  REQUIRE(writer->Append(SampleDraft()));
  const auto blocker = trail.Open();
  REQUIRE(blocker->Begin());
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK_FALSE(writer->healthy());
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK(writer->last_seq() == 0);
  REQUIRE(blocker->Rollback());
  const auto receipt = writer->Append(SampleDraft());
  REQUIRE(receipt);
  CHECK(receipt->seq == 1);
  CHECK(writer->healthy());
  CheckUnbroken(trail, 2);
}

TEST_CASE("every job of a failed group is told, once each, and decided once at most") {
  const Trail trail;
  int told = 0;
  int decided = 0;
  {
    const auto writer = trail.StartWriter(LogWriter::Options(), 50);
    const auto blocker = trail.Open();
    REQUIRE(blocker->Begin());
    for (int i = 0; i < 20; ++i) {
      Job job;
      job.decide = [&](sql::Database&, base::Micros) {
        ++decided;
        return Decision{SampleDraft(), false};
      };
      job.done = [&](const Result<Receipt>& receipt) {
        if (!receipt) ++told;
      };
      REQUIRE(writer->Submit(std::move(job)));
    }
    Job last;
    std::promise<void> finished;
    last.decide = [](sql::Database&, base::Micros) { return Decision{SampleDraft(), false}; };
    last.done = [&](const Result<Receipt>&) { finished.set_value(); };
    REQUIRE(writer->Submit(std::move(last)));
    finished.get_future().wait();
  }
  CHECK(told == 20);
  CHECK(decided == 0);
  CHECK(trail.Verify().records == 0);
}

TEST_CASE("a trail that somebody else wrote a row into is not written on") {
  const Trail trail;
  const auto writer = trail.StartWriter();
  REQUIRE(writer->Append(SampleDraft()));
  const auto head = trail.Verify().head;
  const Place place{"vault/node-1", "boot-x", 1, head, base::WallMicros(), 0};
  const std::string bytes = Serialize(SampleDraft(), place);
  REQUIRE(trail.Open()->Execute(
      "INSERT INTO AUDIT_LOG VALUES (1, ?1, ?2, 'key.resolve', 'ok', 'srworker', 'ACME', 'ACME/anthropic/default/1', "
      "'0b9f2c1e-7a54-4d57-9a50-6a5f0f7d3c11')",
      {base::AsBytes(bytes), place.time}));
  CheckUnavailable(writer->Append(SampleDraft()));
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK_FALSE(writer->healthy());
  CheckEndsOtherwise(trail, 1, "index_mismatch");
}

TEST_CASE("a trail that lost records under its writer is not written on") {
  const Trail trail;
  const auto writer = trail.StartWriter(LogWriter::Options(), 50);
  for (int i = 0; i < 3; ++i) REQUIRE(writer->Append(SampleDraft()));
  const auto other = trail.Open();
  REQUIRE(other->Begin());
  CheckUnavailable(writer->Append(SampleDraft()));
  REQUIRE(other->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 2"));
  REQUIRE(other->Commit());
  CheckUnavailable(writer->Append(SampleDraft()));
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK_FALSE(writer->healthy());
  CheckEndsOtherwise(trail, 2, "truncated");
}

TEST_CASE("a longer trail that was put in the place of its writer's is not written on") {
  const Trail trail, another;
  another.Fill(9);
  std::atomic<std::int64_t> kept = 0;
  LogWriter::Options options;
  options.keep_head = [&](const Head& head) -> Result<void> {
    kept = head.size;
    return {};
  };
  const auto writer = trail.StartWriter(options, 50);
  for (int i = 0; i < 3; ++i) REQUIRE(writer->Append(SampleDraft()));
  const auto other = trail.Open();
  REQUIRE(other->RunScript("ATTACH '" + another.file().string() + "' AS ANOTHER"));
  REQUIRE(other->Begin());
  CheckUnavailable(writer->Append(SampleDraft()));
  for (const sql::Sql text : {sql::Sql("DELETE FROM AUDIT_LOG"), sql::Sql("INSERT INTO AUDIT_LOG SELECT * FROM ANOTHER.AUDIT_LOG"),
                              sql::Sql("DELETE FROM AUDIT_HEAD"), sql::Sql("INSERT INTO AUDIT_HEAD SELECT * FROM ANOTHER.AUDIT_HEAD")}) {
    REQUIRE(other->Execute(text));
  }
  REQUIRE(other->Commit());
  CheckUnavailable(writer->Append(SampleDraft()));
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK_FALSE(writer->healthy());
  CHECK(kept == 3);
  CHECK(trail.Verify().records == 9);
}

TEST_CASE("an alone job on a database that fails changes nothing") {
  const Trail trail;
  {
    const auto writer = trail.StartWriter(LogWriter::Options(), 50);
    // A trigger stands for any failure between a job's own changes and the commit of its record.
    REQUIRE(trail.Open()->RunScript(
        "CREATE TRIGGER BROKEN BEFORE INSERT ON AUDIT_LOG BEGIN SELECT RAISE(ABORT, 'broken'); END;"));
    Job job;
    job.alone = true;
    std::atomic<bool> inserted = false;
    job.decide = [&](sql::Database& database, base::Micros now) {
      inserted = database.Execute("INSERT INTO RATE_CARD VALUES ('m', 'p', 1, 2, ?1)", {now}).has_value();
      return Decision{SampleDraft(), false};
    };
    std::promise<Result<Receipt>> told;
    job.done = [&](Result<Receipt> receipt) { told.set_value(receipt); };
    REQUIRE(writer->Submit(std::move(job)));
    CheckUnavailable(told.get_future().get());
    CHECK(inserted);
    REQUIRE(trail.Open()->RunScript("DROP TRIGGER BROKEN;"));
    REQUIRE(writer->Append(SampleDraft()));
  }
  const auto database = trail.Open();
  const auto row = database->QueryOne("SELECT COUNT(*) FROM RATE_CARD");
  REQUIRE(row);
  CHECK((*row)->Int64(0) == 0);
  (*row)->Reset();
  CheckUnbroken(trail, 1);
}

TEST_CASE("a full disk fails the acts, and room lets them through again") {
  const Tmpfs disk;
  if (!disk.mounted) {
    WARN("not run: mounting a tmpfs needs root");
    return;
  }
  const Trail trail(disk.path);
  std::int64_t stood = 0;
  {
    const auto writer = trail.StartWriter(LogWriter::Options(), 50);
    REQUIRE(writer->Append(SampleDraft()));
    stood = 1;
    std::ofstream filler(disk.path / "filler", std::ios::binary);
    const std::string block(4096, 'f');
    while (filler.write(block.data(), 4096).flush()) {
    }
    filler.close();
    Result<Receipt> receipt = writer->Append(SampleDraft());
    for (; receipt && stood < 5000; ++stood) receipt = writer->Append(SampleDraft());
    CheckUnavailable(receipt);
    CHECK_FALSE(writer->healthy());
    std::filesystem::remove(disk.path / "filler");
    receipt = writer->Append(SampleDraft());
    REQUIRE(receipt);
    CHECK(receipt->seq == stood);
    CHECK(writer->healthy());
    ++stood;
  }
  CheckUnbroken(trail, stood);
}

TEST_CASE("an act that finds the disk full goes into the room that is kept for it, once, and a record of a group is refused") {
  const Tmpfs disk;
  if (!disk.mounted) {
    WARN("not run: mounting a tmpfs needs root");
    return;
  }
  const bool alone = GENERATE(true, false);
  const Trail trail(disk.path);
  std::int64_t stood = 0, asked = 0;
  {
    LogWriter::Options options;
    std::atomic<int> given = 0;
    options.on_full = [&] {
      if (given++ == 0) std::filesystem::remove(disk.path / "filler");
    };
    const auto writer = trail.StartWriter(options, 50);
    std::ofstream filler(disk.path / "filler", std::ios::binary);
    const std::string block(4096, 'f');
    while (filler.write(block.data(), 4096).flush()) {
    }
    filler.close();
    const auto change = [&](sql::Database& database) {
      ++asked;
      static_cast<void>(database.Execute("INSERT INTO RATE_CARD VALUES (?1, 'p', 1, 2, 3)", {std::to_string(stood)}));
    };
    for (; given == 0 && stood < 5000; ++stood) {
      const auto receipt = alone ? writer->Append(SampleDraft(), change) : writer->Append(SampleDraft());
      if (alone) CHECK(receipt);
      else if (!receipt) break;
    }
    CHECK(given == 1);
    CHECK(writer->healthy() == alone);
    if (!alone) {
      REQUIRE(writer->Append(SampleDraft()));
      ++stood;
    }
  }
  CheckUnbroken(trail, stood);
  const auto database = trail.Open();
  const auto row = database->QueryOne("SELECT COUNT(*) FROM RATE_CARD WHERE PROVIDER = 'p'");
  REQUIRE(row);
  CHECK((*row)->Int64(0) == (alone ? stood : 0));
  (*row)->Reset();
  CHECK(asked == (alone ? stood + 1 : 0));
}

TEST_CASE("a disk that hangs refuses what comes and what waits, and is healthy again once it answers") {
  const Trail trail;
  std::mutex mutex;
  std::unique_lock hang(mutex);
  std::atomic<int> keeping{0};
  LogWriter::Options options;
  options.most_wait = 50 * base::kMicrosPerMilli;
  options.keep_head = [&](const Head&) -> Result<void> {
    ++keeping;
    const std::lock_guard wait(mutex);
    return {};
  };
  const auto writer = trail.StartWriter(std::move(options), 50);
  const auto submit = [&writer](bool alone) {
    auto promise = std::make_shared<std::promise<Result<Receipt>>>();
    auto told = promise->get_future();
    Job job;
    job.alone = alone;
    job.decide = [](sql::Database&, base::Micros) { return Decision{SampleDraft(), false}; };
    job.done = [promise](Result<Receipt> receipt) { promise->set_value(std::move(receipt)); };
    REQUIRE(writer->Submit(std::move(job)));
    return told;
  };
  const bool alone = GENERATE(true, false);
  auto first = submit(alone);
  while (keeping == 0) std::this_thread::yield();
  std::vector<std::future<Result<Receipt>>> waiting;
  waiting.push_back(submit(true));
  waiting.push_back(submit(false));
  waiting.push_back(submit(true));
  CHECK(writer->healthy());
  while (writer->healthy()) std::this_thread::yield();
  writer->Watch();
  for (auto& told : waiting) {
    // Where the first one left the writer's thread to the anchor's, the next may be on its way already.
    if (told.wait_for(std::chrono::seconds(0)) == std::future_status::ready) CheckUnavailable(told.get());
  }
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK(first.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  hang.unlock();
  CHECK(first.get().has_value());
  while (!writer->healthy()) std::this_thread::yield();
  const auto after = writer->Append(SampleDraft());
  REQUIRE(after.has_value());
  writer->Watch();
  CheckUnbroken(trail, after->seq + 1);
}

TEST_CASE("the tick comes when it is due, behind each act that ran alone, and without a database while that is away") {
  const Trail trail;
  std::atomic<int> ticks{0}, without{0};
  std::atomic<base::Micros> pause{base::kMicrosPerMilli}, last_pause{0};
  LogWriter::Options options;
  options.tick = [&](sql::Database* database) -> Result<base::Micros> {
    ++ticks;
    if (database == nullptr) ++without;
    last_pause = pause.load();
    return base::MonoMicros() + last_pause;
  };
  const auto writer = trail.StartWriter(options, 50);
  CHECK(Until([&] { return ticks > 3; }));
  CHECK(without == 0);
  pause = 3600 * base::kMicrosPerSecond;
  CHECK(Until([&] { return last_pause == pause; }));
  const int before = ticks;
  REQUIRE(writer->Append(SampleDraft(), [](sql::Database&) {}));
  CHECK(Until([&] { return ticks == before + 1; }));
  pause = base::kMicrosPerMilli;
  REQUIRE(writer->Append(SampleDraft(), [](sql::Database&) {}));
  const auto blocker = trail.Open();
  REQUIRE(blocker->Begin());
  REQUIRE(blocker->Execute("DROP TABLE AUDIT_LOG"));
  REQUIRE(blocker->Commit());
  CheckUnavailable(writer->Append(SampleDraft()));
  CHECK(Until([&] { return without > 3; }));
}

TEST_CASE("a writer that stops on a dead database does not wait for each act") {
  const Trail trail;
  const auto blocker = trail.Open();
  LogWriter::Options options;
  options.most_group = 1;
  auto writer = trail.StartWriter(options, 100);
  REQUIRE(blocker->Begin());
  std::atomic<int> told = 0;
  for (int i = 0; i < 500; ++i) {
    Job job;
    job.decide = [](sql::Database&, base::Micros) { return Decision{SampleDraft(), false}; };
    job.done = [&](const Result<Receipt>& receipt) { told += receipt ? 0 : 1; };
    REQUIRE(writer->Submit(std::move(job)));
  }
  const base::Micros start = base::MonoMicros();
  writer.reset();
  CHECK(base::MonoMicros() - start < 20 * base::kMicrosPerSecond);
  CHECK(told == 500);
  REQUIRE(blocker->Rollback());
}

}  // namespace strongroom::audit
