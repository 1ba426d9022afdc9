// What only a server engine can do wrong: connections that die, servers that restart, drivers that are not
// there.
#include "tests/sql/engines.h"

#include <catch2/catch.hpp>

namespace strongroom::test {
namespace {

using sql::Engine;

struct Fixture {
  Fixture() : empty(Engine::kPostgres), database(empty.Connect()) {
    REQUIRE(database->RunScript("CREATE TABLE T (ID BIGINT PRIMARY KEY, DATA BYTEA)"));
  }
  Result<std::int64_t> Insert(std::int64_t id) {
    return database->Execute("INSERT INTO T (ID) VALUES (?1)", {id});
  }
  std::int64_t Count() {
    auto row = database->QueryOne("SELECT COUNT(*) FROM T");
    REQUIRE(row);
    return (*row)->Int64(0);
  }
  std::int64_t Backend() {
    auto row = database->QueryOne("SELECT pg_backend_pid()");
    REQUIRE(row);
    return (*row)->Int64(0);
  }

  EmptyDatabase empty;
  std::unique_ptr<sql::Database> database;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a connection that the server ends is unavailable until it is opened anew") {
  REQUIRE(Insert(1));
  const std::int64_t backend = Backend();
  const bool inside = GENERATE(false, true);
  if (inside) REQUIRE(database->Begin());
  if (inside) REQUIRE(Insert(2));
  REQUIRE(empty.Connect()->Execute("SELECT pg_terminate_backend(CAST(?1 AS INTEGER))", {backend}));
  const auto lost = Insert(3);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code() == Code::kUnavailable);
  CHECK(Insert(3).error().code() == Code::kUnavailable);
  if (inside) CHECK(database->Commit().error().code() == Code::kUnavailable);
  CHECK(database->Rollback());
  CHECK(database->Begin().error().code() == Code::kUnavailable);
  REQUIRE(database->Reconnect());
  CHECK(Count() == 1);
  CHECK(Insert(3));
  CHECK(Backend() != backend);
}

TEST_CASE_METHOD(Fixture, "a server that restarts is found again") {
  REQUIRE(Insert(1));
  TestPostgres::Get().Stop();
  CHECK(Insert(2).error().code() == Code::kUnavailable);
  CHECK(database->Reconnect().error().code() == Code::kUnavailable);
  CHECK(Insert(2).error().code() == Code::kUnavailable);
  CHECK(sql::Open(empty.Url(), {}).error().code() == Code::kUnavailable);
  TestPostgres::Get().Start();
  REQUIRE(database->Reconnect());
  CHECK(Count() == 1);
  CHECK(Insert(2));
}

TEST_CASE_METHOD(Fixture, "a deferred constraint that fails at COMMIT fails the commit") {
  REQUIRE(
      database->RunScript("CREATE TABLE P (ID BIGINT PRIMARY KEY, T_ID BIGINT REFERENCES T (ID) "
                          "DEFERRABLE INITIALLY DEFERRED)"));
  REQUIRE(database->Begin());
  REQUIRE(database->Execute("INSERT INTO P (ID, T_ID) VALUES (1, 99)"));
  const auto committed = database->Commit();
  REQUIRE_FALSE(committed);
  CHECK(committed.error().code() == Code::kRefused);
  REQUIRE(database->Rollback());
  REQUIRE(Insert(1));
  auto row = database->QueryOne("SELECT COUNT(*) FROM P");
  REQUIRE(row);
  CHECK((*row)->Int64(0) == 0);
}

TEST_CASE_METHOD(Fixture, "a deadlock is a conflict for one of the two") {
  // Two connections in one thread cannot wait for each other: a serialisation failure stands in for it.
  auto other = empty.Connect();
  REQUIRE(Insert(1));
  REQUIRE(database->RunScript("SET default_transaction_isolation = 'repeatable read'"));
  REQUIRE(database->Begin());
  CHECK(Count() == 1);
  REQUIRE(other->Execute("UPDATE T SET DATA = NULL WHERE ID = 1"));
  const auto conflict = database->Execute("UPDATE T SET DATA = NULL WHERE ID = 1");
  REQUIRE_FALSE(conflict);
  CHECK(conflict.error().code() == Code::kConflict);
  CHECK(database->Commit().error().code() == Code::kConflict);
  REQUIRE(database->Rollback());
}

TEST_CASE_METHOD(Fixture, "a read-only connection may not write") {
  sql::OpenOptions options;
  options.access = sql::Access::kReadOnly;
  auto reader = sql::Open(empty.Url(), options);
  REQUIRE(reader);
  const auto refused = (*reader)->Execute("INSERT INTO T (ID) VALUES (1)");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kPermissionDenied);
  REQUIRE((*reader)->Begin());
  CHECK((*reader)->Execute("SELECT COUNT(*) FROM T"));
  CHECK((*reader)->Commit());
  CHECK((*reader)->DataVersion() == 0);
  CHECK((*reader)->Checkpoint());
}

TEST_CASE_METHOD(Fixture, "a URL that leads nowhere says why") {
  const auto code_of = [](const std::string& url) {
    const auto opened = sql::Open(url, {});
    REQUIRE_FALSE(opened);
    return opened.error().code();
  };
  CHECK(code_of("odbc:") == Code::kUnavailable);
  CHECK(code_of("odbc:Driver=No Such Driver;Server=x") == Code::kUnavailable);
  CHECK(code_of("odbc:Driver=PostgreSQL Unicode;Server=/nonexistent;Database=d;Uid=u") == Code::kUnavailable);
  CHECK(code_of(empty.Url() + "Uid=nobody_of_that_name") == Code::kUnavailable);
  CHECK(code_of(empty.Url() + "Database=nothing_of_that_name") == Code::kUnavailable);
  CHECK(code_of("odbc:" + std::string(5000, 'x')) == Code::kInvalidArgument);
  // What the caller sets himself is kept.
  sql::OpenOptions options;
  auto named = sql::Open(empty.Url() + "protocol=7.4-0;PQOPT={application_name=strongroom_test}", options);
  REQUIRE(named);
  auto row = (*named)->QueryOne("SELECT CAST(current_setting('application_name') AS TEXT)");
  REQUIRE(row);
  CHECK((*row)->Text(0) == "strongroom_test");
}

TEST_CASE_METHOD(Fixture, "bytes that are not UTF-8 are refused as text and kept as a blob") {
  const Bytes bytes = {0xff, 0xfe, 0x00, 0x80};
  const auto text = database->Execute("SELECT CAST(?1 AS TEXT)", {std::string_view("\xff\xfe")});
  REQUIRE_FALSE(text);
  CHECK(text.error().code() == Code::kInvalidArgument);
  REQUIRE(database->Execute("INSERT INTO T (ID, DATA) VALUES (1, ?1)", {ByteView(bytes)}));
  auto row = database->QueryOne("SELECT DATA, TRUE, CAST(1.5 AS NUMERIC(5,2)), CAST('c' AS CHAR(3)) FROM T");
  REQUIRE(row);
  CHECK((*row)->Blob(0) == bytes);
  CHECK((*row)->Int64(1) == 1);
  CHECK((*row)->Double(2) == 1.5);
  CHECK((*row)->Int64(2) == 0);
  CHECK((*row)->Text(3) == "c  ");
}

}  // namespace strongroom::test
