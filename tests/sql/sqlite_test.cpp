// What only SQLite can do wrong: files, modes, several processes, full disks.
#include "tests/sql/engines.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>

namespace strongroom::test {
namespace {

using sql::Access;
using sql::OpenOptions;
struct Fixture {
  std::unique_ptr<sql::Database> Open(Access access, std::int64_t busy_ms = 10'000, bool elsewhere = false) {
    OpenOptions options;
    options.access = access;
    options.busy_ms = busy_ms;
    options.checkpoint_elsewhere = options.erase_freed = elsewhere;
    auto database = sql::Open("sqlite:" + path, options);
    REQUIRE(database);
    return std::move(*database);
  }
  Code OpenFails(Access access) {
    OpenOptions options;
    options.access = access;
    const auto database = sql::Open("sqlite:" + path, options);
    REQUIRE_FALSE(database);
    return database.error().code();
  }
  mode_t ModeOf(const std::string& suffix) {
    struct stat file{};
    REQUIRE(::stat((path + suffix).c_str(), &file) == 0);
    return file.st_mode & 07777;
  }
  std::int64_t Count(sql::Database& database) {
    auto row = database.QueryOne("SELECT COUNT(*) FROM T");
    REQUIRE(row);
    const std::int64_t count = (*row)->Int64(0);
    (*row)->Reset();
    return count;
  }
  void Write(const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

  TemporaryDirectory directory;
  std::string path = directory.path() + "/test.db";
};

constexpr const char* kTable =
    "CREATE TABLE T (ID INTEGER PRIMARY KEY AUTOINCREMENT, WHO INTEGER, DATA BLOB)";

// InChild runs `work` in a process of its own; its exit status is 0 where work returned true.
template <typename Work>
pid_t InChild(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work() ? 0 : 1);
  return child;
}

bool EndsWell(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

// FillUntilRefused writes 64 KiB a transaction until one fails, and returns that error.
Result<void> FillUntilRefused(sql::Database& database, std::int64_t& committed) {
  const Bytes data(64 * 1024, 0x5a);
  for (int round = 0; round < 1000; ++round) {
    TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Start(database));
    TRY(database.Execute("INSERT INTO T (DATA) VALUES (?1)", {ByteView(data)}));
    TRY(transaction.Commit());
    ++committed;
  }
  return {};
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a created file has exactly its mode, and so have its -wal and -shm") {
  const mode_t mode = GENERATE(mode_t{0600}, mode_t{0660}, mode_t{0640});
  const mode_t umask = GENERATE(mode_t{0}, mode_t{0077}, mode_t{0027});
  const mode_t before = ::umask(umask);
  OpenOptions options;
  options.access = Access::kCreate;
  options.mode = mode;
  auto database = sql::Open("sqlite:" + path, options);
  ::umask(before);
  REQUIRE(database);
  REQUIRE((*database)->RunScript(kTable));
  for (const char* suffix : {"", "-wal", "-shm"}) CHECK(ModeOf(suffix) == mode);
  // Opening it again with another mode changes nothing.
  options.mode = 0666;
  auto again = sql::Open("sqlite:" + path, options);
  REQUIRE(again);
  CHECK(ModeOf("") == mode);
}

TEST_CASE_METHOD(Fixture, "a missing file is created only where that was asked for") {
  CHECK(OpenFails(Access::kReadWrite) == Code::kNotFound);
  CHECK(OpenFails(Access::kReadOnly) == Code::kNotFound);
  CHECK_FALSE(std::filesystem::exists(path));
  path = directory.path() + "/no/such/directory/test.db";
  CHECK(OpenFails(Access::kCreate) == Code::kNotFound);
  path = directory.path();
  CHECK(OpenFails(Access::kCreate) == Code::kCorrupt);
  CHECK(sql::Open("sqlite:", {}).error().code() == Code::kInvalidArgument);
  CHECK(sql::Open("mysql:x", {}).error().code() == Code::kInvalidArgument);
  CHECK(sql::Open("sqlite::memory:", {}).error().code() == Code::kNotFound);
}

TEST_CASE_METHOD(Fixture, "a file that is no database, or a damaged one, is corrupt") {
  for (const Access access : {Access::kReadWrite, Access::kCreate, Access::kReadOnly}) {
    Write("This is not a database, whatever it is called. " + std::string(4096, 'x'));
    CHECK(OpenFails(access) == Code::kCorrupt);
    Write("short");
    CHECK(OpenFails(access) == Code::kCorrupt);
  }
  std::filesystem::remove(path);
  {
    auto database = Open(Access::kCreate);
    REQUIRE(database->RunScript(kTable));
    REQUIRE(database->Begin());
    const Bytes data(200, 1);
    for (int row = 0; row < 500; ++row) {
      REQUIRE(database->Execute("INSERT INTO T (DATA) VALUES (?1)", {ByteView(data)}));
    }
    REQUIRE(database->Commit());
  }
  // Everything after the first page is overwritten: it opens, and the reading says what is wrong.
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(64 * 1024, '\xee');
  }
  auto database = Open(Access::kReadOnly);
  auto rows = database->Query("SELECT * FROM T");
  Code code = rows ? Code::kInternal : rows.error().code();
  for (int row = 0; rows && row < 1000; ++row) {
    const auto more = (*rows)->Next();
    if (!more) code = more.error().code();
    if (!more || !*more) break;
  }
  CHECK(code == Code::kCorrupt);
}

TEST_CASE_METHOD(Fixture, "a reader works beside a writer and may not write") {
  auto writer = Open(Access::kCreate);
  REQUIRE(writer->RunScript(kTable));
  auto reader = Open(Access::kReadOnly);
  CHECK(Count(*reader) == 0);
  REQUIRE(writer->Begin());
  REQUIRE(writer->Execute("INSERT INTO T (WHO) VALUES (1)"));
  auto late = Open(Access::kReadOnly);
  CHECK(Count(*late) == 0);
  CHECK(Count(*reader) == 0);
  REQUIRE(writer->Commit());
  CHECK(Count(*reader) == 1);
  const auto refused = reader->Execute("INSERT INTO T (WHO) VALUES (2)");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kPermissionDenied);
  // A reader's transaction sees one state throughout.
  REQUIRE(reader->Begin());
  CHECK(Count(*reader) == 1);
  REQUIRE(writer->Execute("INSERT INTO T (WHO) VALUES (2)"));
  CHECK(Count(*reader) == 1);
  REQUIRE(reader->Commit());
  CHECK(Count(*reader) == 2);
  writer.reset();
  reader.reset();
  late.reset();
  CHECK(Count(*Open(Access::kReadOnly)) == 2);
}

TEST_CASE_METHOD(Fixture, "the settings that durability and integrity rest on") {
  auto database = Open(Access::kCreate, 10'000, true);
  const auto check = [&](sql::Sql pragma, std::int64_t expected) {
    auto row = database->QueryOne(pragma);
    REQUIRE(row);
    CHECK((*row)->Int64(0) == expected);
    (*row)->Reset();
  };
  check("PRAGMA synchronous", 2);
  check("PRAGMA foreign_keys", 1);
  check("PRAGMA trusted_schema", 0);
  check("PRAGMA wal_autocheckpoint", 0);
  check("PRAGMA busy_timeout", 10'000);
  check("PRAGMA secure_delete", 1);
  auto mode = database->QueryOne("PRAGMA journal_mode");
  REQUIRE(mode);
  CHECK((*mode)->Text(0) == "wal");
  database = Open(Access::kReadWrite);
  check("PRAGMA wal_autocheckpoint", 1000);
}

TEST_CASE_METHOD(Fixture, "a second writer waits as long as it was told, then says busy") {
  auto first = Open(Access::kCreate);
  auto second = Open(Access::kReadWrite, 200);
  REQUIRE(first->Begin());
  const auto start = std::chrono::steady_clock::now();
  const auto refused = second->Begin();
  const auto waited = std::chrono::steady_clock::now() - start;
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kUnavailable);
  CHECK(refused.error().text().find("busy") != std::string_view::npos);
  CHECK(waited >= std::chrono::milliseconds(190));
  CHECK(waited < std::chrono::seconds(5));
  CHECK_FALSE(second->in_transaction());
  REQUIRE(first->Rollback());
  CHECK(second->Begin());
}

TEST_CASE_METHOD(Fixture, "several processes write one file") {
  constexpr int kProcesses = 4;
  constexpr std::int64_t kEach = 60;
  std::vector<pid_t> children;
  for (std::int64_t who = 0; who < kProcesses; ++who) {
    children.push_back(InChild([&] {
      // All of them also create the file and the table at the same moment.
      OpenOptions options;
      options.access = Access::kCreate;
      options.busy_ms = 30'000;
      auto database = sql::Open("sqlite:" + path, options);
      if (!database) return false;
      if (!(*database)->RunScript("CREATE TABLE IF NOT EXISTS T (ID INTEGER PRIMARY KEY, WHO INTEGER)"))
        return false;
      for (std::int64_t row = 0; row < kEach; ++row) {
        auto transaction = sql::Transaction::Start(**database);
        if (!transaction) return false;
        auto last = (*database)->QueryOne("SELECT COALESCE(MAX(ID), 0) FROM T");
        if (!last) return false;
        const std::int64_t id = (*last)->Int64(0) + 1;
        (*last)->Reset();
        if (!(*database)->Execute("INSERT INTO T (ID, WHO) VALUES (?1, ?2)", {id, who})) return false;
        if (!transaction->Commit()) return false;
      }
      return true;
    }));
  }
  for (const pid_t child : children) CHECK(EndsWell(child));
  auto database = Open(Access::kReadOnly);
  auto row = database->QueryOne("SELECT COUNT(*), MAX(ID), COUNT(DISTINCT WHO) FROM T");
  REQUIRE(row);
  CHECK((*row)->Int64(0) == kProcesses * kEach);
  CHECK((*row)->Int64(1) == kProcesses * kEach);
  CHECK((*row)->Int64(2) == kProcesses);
}

TEST_CASE_METHOD(Fixture, "what was committed outlives a kill, what was not does not") {
  Open(Access::kCreate)->RunScript(kTable).value();
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = InChild([&] {
    auto database = sql::Open("sqlite:" + path, {});
    bool well = database.has_value();
    well = well && (*database)->Execute("INSERT INTO T (WHO) VALUES (1)").has_value();
    well = well && (*database)->Begin().has_value();
    well = well && (*database)->Execute("INSERT INTO T (WHO) VALUES (2)").has_value();
    if (!well || ::write(pipe[1], "x", 1) != 1) return false;
    ::pause();
    return true;
  });
  char ready = 0;
  ::close(pipe[1]);
  CHECK(::read(pipe[0], &ready, 1) == 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  auto database = Open(Access::kReadWrite, 100);
  CHECK(Count(*database) == 1);
  CHECK(database->Execute("INSERT INTO T (WHO) VALUES (3)") == 1);
}

TEST_CASE_METHOD(Fixture, "a database that is full says so, and the connection goes on") {
  auto database = Open(Access::kCreate);
  REQUIRE(database->RunScript(kTable));
  REQUIRE(database->RunScript("PRAGMA max_page_count = 60"));
  std::int64_t committed = 0;
  const auto full = FillUntilRefused(*database, committed);
  REQUIRE_FALSE(full);
  CHECK(full.error().code() == Code::kUnavailable);
  CHECK(full.error().text().find("disk is full") != std::string_view::npos);
  CHECK_FALSE(database->in_transaction());
  CHECK(Count(*database) == committed);
  REQUIRE(database->Execute("DELETE FROM T"));
  CHECK(database->Execute("INSERT INTO T (WHO) VALUES (1)") == 1);
  CHECK(Count(*Open(Access::kReadOnly)) == 1);
}

TEST_CASE_METHOD(Fixture, "a full file system says so, and nothing is half-done") {
  const pid_t child = InChild([&] {
    // A mount of the child's own, which ends with it.
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=2m,mode=700") == 0;
    if (!mounted) {
      // Where nothing can be mounted, no file may grow past 1 MiB: EFBIG instead of ENOSPC.
      std::fputs("no right to mount: tested with RLIMIT_FSIZE only\n", stderr);
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{1024 * 1024, 1024 * 1024};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    }
    OpenOptions options;
    options.access = Access::kCreate;
    auto database = sql::Open("sqlite:" + path, options);
    if (!database || !(*database)->RunScript(kTable)) return false;
    std::int64_t committed = 0;
    const auto full = FillUntilRefused(**database, committed);
    if (full || full.error().code() != Code::kUnavailable || committed == 0) return false;
    if (mounted && full.error().text().find("disk is full") == std::string_view::npos) return false;
    if ((*database)->in_transaction()) return false;
    auto row = (*database)->QueryOne("SELECT COUNT(*) FROM T");
    return row && (*row)->Int64(0) == committed;
  });
  CHECK(EndsWell(child));
}

TEST_CASE_METHOD(Fixture, "a transaction that the engine ended commits nothing more") {
  auto database = Open(Access::kCreate);
  REQUIRE(database->RunScript(kTable));
  REQUIRE(database->Begin());
  REQUIRE(database->Execute("INSERT INTO T (WHO) VALUES (1)"));
  // ROLLBACK by a constraint's own words is what an I/O error does: the transaction is gone under our feet.
  REQUIRE(database->RunScript("CREATE UNIQUE INDEX U ON T (WHO)"));
  REQUIRE_FALSE(database->Execute("INSERT OR ROLLBACK INTO T (WHO) VALUES (1)"));
  CHECK(database->in_transaction());
  const auto after = database->Execute("INSERT INTO T (WHO) VALUES (2)");
  REQUIRE_FALSE(after);
  CHECK(after.error().code() == Code::kUnavailable);
  CHECK_FALSE(database->Commit());
  CHECK(database->Rollback());
  CHECK(Count(*database) == 0);
}

TEST_CASE_METHOD(Fixture, "the data version moves when somebody else commits, and with each connection") {
  auto database = Open(Access::kCreate), other = Open(Access::kReadWrite);
  REQUIRE(database->RunScript(kTable));
  REQUIRE(database->Begin());
  const std::int64_t before = database->DataVersion().value();
  CHECK((database->Execute("INSERT INTO T (WHO) VALUES (1)") && database->Commit()));
  CHECK(database->DataVersion().value() == before);
  REQUIRE(other->Execute("INSERT INTO T (WHO) VALUES (2)"));
  REQUIRE(database->Begin());
  const std::int64_t after = database->DataVersion().value();
  CHECK(after != before);
  CHECK((database->Rollback() && database->Reconnect()));
  CHECK(database->DataVersion().value() != after);
}

TEST_CASE_METHOD(Fixture, "a checkpoint moves the log into the file beside writers and readers") {
  auto writer = Open(Access::kCreate, 10'000, true);
  auto checkpointer = Open(Access::kReadWrite, 10'000, true);
  REQUIRE(writer->RunScript(kTable));
  const Bytes data(4000, 7);
  for (int row = 0; row < 2000; ++row) {
    if (row % 100 == 0) REQUIRE(writer->Begin());
    REQUIRE(writer->Execute("INSERT INTO T (DATA) VALUES (?1)", {ByteView(data)}));
    if (row % 100 == 99) REQUIRE(writer->Commit());
  }
  CHECK(std::filesystem::file_size(path) <= 8192);
  auto reader = Open(Access::kReadOnly);
  auto open = reader->QueryOne("SELECT ID FROM T");
  REQUIRE(open);
  REQUIRE(writer->Begin());
  REQUIRE(writer->Execute("INSERT INTO T (WHO) VALUES (1)"));
  REQUIRE(checkpointer->Checkpoint());
  CHECK(std::filesystem::file_size(path) > 2000 * 4000);
  REQUIRE(writer->Commit());
  (*open)->Reset();
  REQUIRE(checkpointer->Checkpoint());
  // The log starts again from its beginning instead of growing for ever.
  const auto size = std::filesystem::file_size(path + "-wal");
  for (int row = 0; row < 100; ++row) REQUIRE(writer->Execute("INSERT INTO T (WHO) VALUES (2)"));
  CHECK(std::filesystem::file_size(path + "-wal") == size);
  CHECK(Count(*reader) == 2101);
}

TEST_CASE_METHOD(Fixture, "a file that went away is not replaced by an empty one") {
  auto database = Open(Access::kCreate);
  REQUIRE(database->RunScript(kTable));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
  const auto reopened = database->Reconnect();
  REQUIRE_FALSE(reopened);
  CHECK(reopened.error().code() == Code::kNotFound);
  CHECK(database->Execute("SELECT 1").error().code() == Code::kUnavailable);
  CHECK(database->Begin().error().code() == Code::kUnavailable);
  CHECK(database->Checkpoint().error().code() == Code::kUnavailable);
  CHECK(database->RunScript("SELECT 1").error().code() == Code::kUnavailable);
  CHECK(database->DataVersion().error().code() == Code::kUnavailable);
  CHECK(database->Rollback());
}

}  // namespace strongroom::test
