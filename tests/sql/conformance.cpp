// What every engine must do alike. Each case runs on SQLite and on PostgreSQL.
#include "tests/sql/engines.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>

namespace strongroom::test {
namespace {

using sql::Engine;
using sql::Parameter;
using sql::Statement;

constexpr const char* kTables =
    "CREATE TABLE ITEM (ID INTEGER PRIMARY KEY, NAME TEXT, DATA BLOB, SIZE REAL);"
    "CREATE TABLE PART (ID INTEGER PRIMARY KEY, ITEM_ID INTEGER NOT NULL REFERENCES ITEM(ID), UNIQUE "
    "(ITEM_ID));";

Bytes Pattern(std::size_t size) {
  Bytes bytes(size);
  std::uint32_t state = static_cast<std::uint32_t>(size) + 1;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

struct Fixture {
  Fixture() : engine(GENERATE(Engine::kSqlite, Engine::kPostgres)), empty(engine), database(empty.Connect()) {
    REQUIRE(database->engine() == engine);
    REQUIRE(database->RunScript(ForEngine(engine, kTables)));
  }
  std::int64_t Count(sql::Database& from) {
    auto row = from.QueryOne("SELECT COUNT(*) FROM ITEM");
    REQUIRE(row);
    const std::int64_t count = (*row)->Int64(0);
    (*row)->Reset();
    return count;
  }
  void Insert(std::int64_t id) { REQUIRE(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {id}) == 1); }
  Code CodeOf(const Result<std::int64_t>& result) {
    REQUIRE_FALSE(result);
    return result.error().code();
  }

  Engine engine;
  EmptyDatabase empty;
  std::unique_ptr<sql::Database> database;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "blobs grow and shrink through one statement") {
  std::int64_t id = 0;
  for (const std::size_t size :
       {0UL, 1UL, 100UL * 1024, 5UL * 1024 * 1024, 3UL, 0UL, 4095UL, 4096UL, 4097UL, 255UL}) {
    const Bytes data = Pattern(size);
    REQUIRE(database->Execute("INSERT INTO ITEM (ID, DATA) VALUES (?1, ?2)", {++id, ByteView(data)}) == 1);
    auto row = database->QueryOne("SELECT DATA FROM ITEM WHERE ID = ?1", {id});
    REQUIRE(row);
    REQUIRE(*row != nullptr);
    CHECK_FALSE((*row)->IsNull(0));
    CHECK((*row)->Blob(0) == data);
    CHECK((*row)->Text(0).empty());
    (*row)->Reset();
  }
  // All of them again through one reading statement, in an order that shrinks.
  auto rows = database->Query("SELECT ID, DATA FROM ITEM ORDER BY ID DESC");
  REQUIRE(rows);
  std::size_t total = 0;
  while (*(*rows)->Next()) total += (*rows)->Blob(1).size();
  CHECK(total == 1 + 100 * 1024 + 5 * 1024 * 1024 + 3 + 4095 + 4096 + 4097 + 255);
}

TEST_CASE_METHOD(Fixture, "text grows and shrinks and keeps every character") {
  std::string large;
  while (large.size() < 300'000) large += "Grüße, 世界 🔑 '\"\\%_;--/*?1$1\r\n\t";
  const std::array<std::string, 9> texts = {"",     "x", large, "'",     "O'Neil \"q\" \\ ?1 $1",
                                            "\r\n", " ", "é",   "a\n\nb"};
  std::int64_t id = 0;
  for (const std::string& text : texts) {
    REQUIRE(database->Execute("INSERT INTO ITEM (ID, NAME) VALUES (?1, ?2)", {++id, text}) == 1);
    auto row = database->QueryOne("SELECT NAME, ID FROM ITEM WHERE ID = ?1 AND NAME = ?2", {id, text});
    REQUIRE(row);
    REQUIRE(*row != nullptr);
    CHECK_FALSE((*row)->IsNull(0));
    CHECK((*row)->Text(0) == text);
    CHECK((*row)->Blob(0).empty());
    CHECK((*row)->Int64(0) == 0);
    CHECK((*row)->OptionalText(0) == text);
    (*row)->Reset();
  }
  // Every cut at the border of a part, in characters of one to four bytes.
  for (const char* character : {"x", "é", "世", "🔑"}) {
    for (std::size_t pad = 4085; pad < 4100; ++pad) {
      const std::string text = std::string(pad, 'p') + character + character + character;
      auto row = database->QueryOne("SELECT CAST(?1 AS TEXT)", {text});
      REQUIRE(row);
      CHECK(((*row)->Text(0) == text));
      (*row)->Reset();
    }
  }
}

TEST_CASE_METHOD(Fixture, "a text with a zero byte is kept or refused, never cut") {
  const std::string text("before\0after", 12);
  const auto stored = database->Execute("INSERT INTO ITEM (ID, NAME) VALUES (1, ?1)", {text});
  if (engine == Engine::kPostgres) {
    CHECK(CodeOf(stored) == Code::kInvalidArgument);
    CHECK(Count(*database) == 0);
    return;
  }
  REQUIRE(stored);
  auto row = database->QueryOne("SELECT NAME FROM ITEM");
  REQUIRE(row);
  CHECK((*row)->Text(0) == text);
}

TEST_CASE_METHOD(Fixture, "NULL is not empty, in any order through one statement") {
  const auto insert = [&](std::int64_t id, const Parameter& name, const Parameter& data,
                          const Parameter& size) {
    return database->Execute("INSERT INTO ITEM (ID, NAME, DATA, SIZE) VALUES (?1, ?2, ?3, ?4)",
                             {id, name, data, size});
  };
  const Parameter null;
  const Bytes one = {7};
  REQUIRE(insert(1, null, null, null) == 1);
  REQUIRE(insert(2, std::string_view(), ByteView(), 0.0) == 1);
  REQUIRE(insert(3, std::string_view("x"), ByteView(one), 1.5) == 1);
  REQUIRE(insert(4, null, null, null) == 1);
  auto rows = database->Query("SELECT NAME, DATA, SIZE FROM ITEM ORDER BY ID");
  REQUIRE(rows);
  Statement& row = **rows;
  CHECK(row.IsNull(0));  // before the first row nothing is there
  for (const bool null_row : {true, false, false, true}) {
    REQUIRE(*row.Next());
    for (const int column : {0, 1, 2}) CHECK(row.IsNull(column) == null_row);
    CHECK(row.OptionalText(0).has_value() != null_row);
  }
  CHECK_FALSE(*row.Next());
  CHECK_FALSE(*row.Next());
  CHECK(row.IsNull(0));
  CHECK(row.IsNull(-1));
  CHECK(row.IsNull(99));
  auto found =
      database->QueryOne("SELECT COUNT(*) FROM ITEM WHERE (CAST(?1 AS TEXT) IS NULL OR NAME = ?1)", {null});
  REQUIRE(found);
  CHECK((*found)->Int64(0) == 4);
  (*found)->Reset();
  found = database->QueryOne("SELECT COUNT(*) FROM ITEM WHERE (CAST(?1 AS TEXT) IS NULL OR NAME = ?1)",
                             {std::string_view("x")});
  REQUIRE(found);
  CHECK((*found)->Int64(0) == 1);
}

TEST_CASE_METHOD(Fixture, "numbers are exact") {
  using Limits = std::numeric_limits<std::int64_t>;
  for (const std::int64_t number : {Limits::min(), std::int64_t{-1}, std::int64_t{0}, Limits::max()}) {
    REQUIRE(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {number}) == 1);
    auto row = database->QueryOne("SELECT ID, SIZE FROM ITEM WHERE ID = ?1", {number});
    REQUIRE(row);
    REQUIRE(*row != nullptr);
    CHECK((*row)->Int64(0) == number);
    CHECK((*row)->OptionalInt64(1) == std::nullopt);
    CHECK((*row)->Text(0).empty());
    (*row)->Reset();
  }
  using Reals = std::numeric_limits<double>;
  for (const double number :
       {0.1 + 0.2, -0.0, Reals::max(), Reals::denorm_min(), Reals::lowest(), 1e-300, 3.0}) {
    REQUIRE(database->Execute("UPDATE ITEM SET SIZE = ?1 WHERE ID = 0", {number}) == 1);
    auto row = database->QueryOne("SELECT SIZE FROM ITEM WHERE ID = 0");
    REQUIRE(row);
    CHECK((*row)->Double(0) == number);
    (*row)->Reset();
  }
  CHECK(CodeOf(database->Execute("UPDATE ITEM SET SIZE = ?1", {Reals::quiet_NaN()})) ==
        Code::kInvalidArgument);
  auto sum = database->QueryOne("SELECT SUM(ID), COUNT(*), 7, AVG(SIZE) FROM ITEM WHERE ID IN (0, -1)");
  REQUIRE(sum);
  CHECK((*sum)->Int64(0) == -1);
  CHECK((*sum)->Int64(1) == 2);
  CHECK((*sum)->Int64(2) == 7);
  CHECK((*sum)->Double(2) == 7.0);
  CHECK((*sum)->Double(3) == 3.0);
}

TEST_CASE_METHOD(Fixture, "one parameter may change its type from run to run") {
  REQUIRE(database->RunScript("CREATE TABLE PRICE (ID SMALLINT PRIMARY KEY, USD NUMERIC(12,6), NOTE TEXT)"));
  const Parameter prices[] = {0.000123, 7, Parameter(), 12.5, -1, Parameter(), 999999.999999};
  std::int64_t id = 0;
  for (const Parameter& price : prices) {
    REQUIRE(database->Execute("INSERT INTO PRICE (ID, USD, NOTE) VALUES (?1, ?2, ?3)", {++id, price, "n"}) ==
            1);
    auto row = database->QueryOne("SELECT USD, ID FROM PRICE WHERE ID = ?1", {id});
    REQUIRE(row);
    REQUIRE(*row != nullptr);
    const auto* real = std::get_if<double>(&price);
    const auto* number = std::get_if<std::int64_t>(&price);
    CHECK((*row)->IsNull(0) == (real == nullptr && number == nullptr));
    if (real != nullptr) CHECK((*row)->Double(0) == *real);
    if (number != nullptr) CHECK((*row)->Double(0) == static_cast<double>(*number));
    (*row)->Reset();
  }
  // One marker, compared and stored, as number, as NULL and again as number.
  for (const Parameter& value : {Parameter(5), Parameter(), Parameter(6)}) {
    REQUIRE(database->Execute(
                "UPDATE PRICE SET USD = ?1 WHERE ID = ?2 AND (CAST(?1 AS BIGINT) IS NULL OR ID <> ?1)",
                {value, 1}) == 1);
  }
  // A statement prepared before its table changed.
  REQUIRE(database->Execute("SELECT * FROM PRICE"));
  REQUIRE(database->RunScript("ALTER TABLE PRICE ADD COLUMN EXTRA TEXT"));
  const auto changed = database->Query("SELECT * FROM PRICE WHERE ID = 1");
  REQUIRE(changed);
  CHECK(*(*changed)->Next());
  (*changed)->Reset();
}

TEST_CASE_METHOD(Fixture, "constraints have codes of their own") {
  Insert(1);
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {1})) == Code::kAlreadyExists);
  CHECK(CodeOf(database->Execute("INSERT INTO PART (ID, ITEM_ID) VALUES (1, 99)")) == Code::kRefused);
  CHECK(CodeOf(database->Execute("INSERT INTO PART (ID) VALUES (1)")) == Code::kRefused);
  REQUIRE(database->Execute("INSERT INTO PART (ID, ITEM_ID) VALUES (1, 1)") == 1);
  CHECK(CodeOf(database->Execute("INSERT INTO PART (ID, ITEM_ID) VALUES (2, 1)")) == Code::kAlreadyExists);
  CHECK(CodeOf(database->Execute("DELETE FROM ITEM WHERE ID = 1")) == Code::kRefused);
  CHECK(Count(*database) == 1);
}

TEST_CASE_METHOD(Fixture, "RowsChanged counts what the last write touched") {
  for (std::int64_t id = 1; id <= 5; ++id) Insert(id);
  CHECK(database->Execute("UPDATE ITEM SET NAME = 'a' WHERE ID > ?1", {2}) == 3);
  CHECK(database->Execute("UPDATE ITEM SET NAME = 'b' WHERE ID > ?1", {99}) == 0);
  CHECK(database->Execute("DELETE FROM ITEM WHERE ID = ?1", {99}) == 0);
  CHECK(database->Execute("DELETE FROM ITEM WHERE ID = ?1", {5}) == 1);
  CHECK(database->Execute("DELETE FROM ITEM WHERE ID = ?1", {5}) == 0);
  CHECK(database->Execute("SELECT ID FROM ITEM") == 0);
  CHECK(database->Execute("INSERT INTO ITEM (ID) VALUES (?1) ON CONFLICT DO NOTHING", {1}) == 0);
  CHECK(database->Execute("INSERT INTO ITEM (ID) VALUES (?1), (?2) RETURNING ID", {6, 7}) == 2);
  auto row = database->QueryOne("UPDATE ITEM SET NAME = 'c' WHERE ID = ?1 RETURNING NAME", {6});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  CHECK((*row)->Text(0) == "c");
  CHECK_FALSE(*(*row)->Next());
  CHECK((*row)->RowsChanged() == 1);
  auto none = database->QueryOne("UPDATE ITEM SET NAME = 'c' WHERE ID = ?1 RETURNING NAME", {66});
  REQUIRE(none);
  CHECK(*none == nullptr);
}

TEST_CASE_METHOD(Fixture, "wrong statements and wrong parameters are our fault") {
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID, NAME) VALUES (?1, ?2)", {1})) == Code::kInternal);
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {1, 2})) == Code::kInternal);
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (1)", {1})) == Code::kInternal);
  CHECK(CodeOf(database->Execute("SELEKT 1")) == Code::kInternal);
  CHECK(CodeOf(database->Execute("SELECT NOTHING FROM NOWHERE")) == Code::kInternal);
  CHECK(Count(*database) == 0);
  // A number may be used twice and out of order; markers in quotes and comments are none.
  REQUIRE(database->Execute("INSERT INTO ITEM (ID, NAME) VALUES (?2, ?1) /* ?3 */ -- ?4", {"n?5", 5}) == 1);
  auto row =
      database->QueryOne("SELECT '?9', NAME FROM ITEM WHERE NAME = ?1 AND ID = ?2 AND NAME = ?1", {"n?5", 5});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  CHECK((*row)->Text(0) == "?9");
}

TEST_CASE_METHOD(Fixture, "a commit is seen from elsewhere, a rollback is not") {
  auto other = empty.Connect();
  {
    auto transaction = sql::Transaction::Start(*database);
    REQUIRE(transaction);
    CHECK(database->in_transaction());
    CHECK(database->Begin().error().code() == Code::kInternal);
    Insert(1);
    CHECK(Count(*database) == 1);
    CHECK(Count(*other) == 0);
    REQUIRE(transaction->Commit());
    CHECK_FALSE(database->in_transaction());
  }
  CHECK(Count(*other) == 1);
  {
    auto transaction = sql::Transaction::Start(*database);
    REQUIRE(transaction);
    Insert(2);
    sql::Transaction moved = std::move(*transaction);
    CHECK(database->in_transaction());
  }
  CHECK_FALSE(database->in_transaction());
  CHECK(Count(*database) == 1);
  CHECK(Count(*other) == 1);
  CHECK_FALSE(database->Commit());
  CHECK(database->Rollback());
}

TEST_CASE_METHOD(Fixture, "a failed transaction rolls back and the connection goes on") {
  REQUIRE(database->Begin());
  Insert(1);
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {1})) == Code::kAlreadyExists);
  if (engine == Engine::kPostgres) {
    CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {2})) == Code::kConflict);
    const auto committed = database->Commit();
    REQUIRE_FALSE(committed);
    CHECK(committed.error().code() == Code::kAlreadyExists);
    CHECK(database->in_transaction());
  }
  REQUIRE(database->Rollback());
  CHECK_FALSE(database->in_transaction());
  CHECK(Count(*database) == 0);
  REQUIRE(database->Begin());
  Insert(3);
  REQUIRE(database->Commit());
  CHECK(Count(*database) == 1);
  // The same outside a transaction: what was before the error stays, what comes after it works.
  CHECK(CodeOf(database->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {3})) == Code::kAlreadyExists);
  Insert(4);
  CHECK(Count(*empty.Connect()) == 2);
}

TEST_CASE_METHOD(Fixture, "a statement of another transaction's writes waits, then says busy") {
  auto other = empty.Connect(150);
  REQUIRE(database->Begin());
  Insert(1);
  const auto refused = other->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {1});
  CHECK(CodeOf(refused) == Code::kUnavailable);
  CHECK(refused.error().text().find("busy") != std::string_view::npos);
  REQUIRE(database->Commit());
  CHECK(CodeOf(other->Execute("INSERT INTO ITEM (ID) VALUES (?1)", {1})) == Code::kAlreadyExists);
}

TEST_CASE_METHOD(Fixture, "a connection opened anew prepares its statements again") {
  Insert(1);
  REQUIRE(database->Begin());
  Insert(2);
  auto old = database->Prepare("SELECT COUNT(*) FROM ITEM");
  REQUIRE(old);
  REQUIRE(database->Reconnect());
  CHECK_FALSE(database->in_transaction());
  CHECK((*old)->Run({}).error().code() == Code::kUnavailable);
  CHECK(Count(*database) == 1);
  Insert(2);
  CHECK(Count(*database) == 2);
}

TEST_CASE_METHOD(Fixture, "many rows, and a reading that ends early") {
  constexpr std::int64_t kRows = 20'000;
  REQUIRE(database->Begin());
  for (std::int64_t id = 0; id < kRows; ++id) {
    REQUIRE(database->Execute("INSERT INTO ITEM (ID, NAME) VALUES (?1, ?2)", {id, std::to_string(id)}));
  }
  REQUIRE(database->Commit());
  auto rows = database->Query("SELECT ID, NAME FROM ITEM ORDER BY ID");
  REQUIRE(rows);
  std::int64_t expected = 0;
  bool exact = true;
  while (*(*rows)->Next()) {
    exact = exact && (*rows)->Int64(0) == expected && (*rows)->Text(1) == std::to_string(expected);
    ++expected;
  }
  CHECK(exact);
  CHECK(expected == kRows);
  for (int round = 0; round < 3; ++round) {
    auto again = database->QueryOne("SELECT ID, NAME FROM ITEM ORDER BY ID");
    REQUIRE(again);
    CHECK((*again)->Int64(0) == 0);
    (*again)->Reset();
    CHECK_FALSE(*(*again)->Next());
  }
  CHECK(database->Execute("DELETE FROM ITEM") == kRows);
}

TEST_CASE_METHOD(Fixture, "a script stops at its first wrong statement") {
  CHECK(
      database->RunScript("-- a; comment 'with' quotes\nINSERT INTO ITEM (ID, NAME) VALUES (1, 'a;b''c');\n"
                          "/* and; another */ INSERT INTO ITEM (ID, NAME) VALUES (2, '--x');;\n--end"));
  CHECK(Count(*database) == 2);
  CHECK_FALSE(
      database->RunScript("INSERT INTO ITEM (ID) VALUES (3); INSERT INTO NOWHERE VALUES (1);"
                          "INSERT INTO ITEM (ID) VALUES (4)"));
  CHECK(Count(*database) == 3);
  CHECK(database->RunScript(""));
}

}  // namespace strongroom::test
