// The write-ahead log in gathered writes: what one connection held back must not meet another's commits.
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/sql/engines.h"

namespace strongroom::test {
namespace {

struct Fixture {
  std::unique_ptr<sql::Database> Open(sql::Access access) {
    sql::OpenOptions options;
    options.access = access;
    options.checkpoint_elsewhere = true;
    auto database = sql::Open("sqlite:" + path, options);
    REQUIRE(database);
    return std::move(*database);
  }
  bool Insert(sql::Database& database, const Bytes& data) {
    return database.Execute("INSERT INTO T (DATA) VALUES (?1)", {ByteView(data)}).has_value();
  }
  std::int64_t Number(Result<sql::Statement*> row) {
    REQUIRE(row);
    const std::int64_t number = (*row)->Int64(0);
    (*row)->Reset();
    return number;
  }
  std::int64_t Count(sql::Database& database) { return Number(database.QueryOne("SELECT COUNT(*) FROM T")); }
  std::int64_t CountOf(sql::Database& database, const Bytes& data) {
    return Number(database.QueryOne("SELECT COUNT(*) FROM T WHERE DATA = ?1", {ByteView(data)}));
  }
  void CheckIntegrity(sql::Database& database) {
    auto row = database.QueryOne("PRAGMA integrity_check");
    REQUIRE(row);
    CHECK((*row)->Text(0) == "ok");
    (*row)->Reset();
  }

  TemporaryDirectory directory;
  std::string path = directory.path() + "/test.db";
  const Bytes small = Bytes(100, 0x17);
  const Bytes large = Bytes(5'000'000, 0x5a);  // more than SQLite's cache, and than is held at once
  const Bytes other = Bytes(6'000'000, 0x33);
};

constexpr const char* kTable = "CREATE TABLE T (ID INTEGER PRIMARY KEY, DATA BLOB)";

}  // namespace

TEST_CASE_METHOD(Fixture, "what was rolled back is never written over another connection's commits") {
  const auto first = Open(sql::Access::kCreate);
  REQUIRE(first->RunScript(kTable));
  const auto second = Open(sql::Access::kReadWrite);
  for (int i = 1; i <= 10; ++i) {
    REQUIRE(first->Begin());
    REQUIRE(Insert(*first, large));
    REQUIRE(first->Rollback());
    REQUIRE(Insert(*second, i % 2 == 0 ? other : small));
    CHECK(Count(*first) == 2 * i - 1);
    REQUIRE(Insert(*first, i == 10 ? large : small));
    CHECK(Count(*second) == 2 * i);
    CHECK(CountOf(*second, other) == i / 2);
  }
  CheckIntegrity(*second);
}

TEST_CASE_METHOD(Fixture, "a commit that the disk had no room for leaves the log good for everybody") {
  const std::string disk = directory.path() + "/disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=3m") != 0) {
    WARN("not run: mounting a tmpfs needs root");
    return;
  }
  struct Unmount {
    ~Unmount() { ::umount2(disk.c_str(), MNT_DETACH); }
    const std::string& disk;
  };
  const Unmount unmount{disk};
  path = disk + "/test.db";
  {
    const auto first = Open(sql::Access::kCreate);
    REQUIRE(first->RunScript(kTable));
    const auto second = Open(sql::Access::kReadWrite);
    for (int i = 1; i <= 5; ++i) {
      CHECK_FALSE(Insert(*first, large));
      REQUIRE(Insert(*second, small));
      REQUIRE(Insert(*first, small));
      CHECK(Count(*first) == 2 * i);
      CHECK(Count(*second) == 2 * i);
    }
    CheckIntegrity(*first);
  }
}

}  // namespace strongroom::test
