// The schema scripts run on both engines, once, and are recognised afterwards.
#include "tests/sql/engines.h"

#include <catch2/catch.hpp>

namespace strongroom::test {
namespace {

using sql::Engine;
using sql::Schema;

}  // namespace

TEST_CASE("each schema is created once and then recognised") {
  const Engine engine = GENERATE(Engine::kSqlite, Engine::kPostgres);
  const Schema schema = GENERATE(Schema::kVault, Schema::kWork);
  const Schema wrong = schema == Schema::kVault ? Schema::kWork : Schema::kVault;
  EmptyDatabase empty(engine);
  auto database = empty.Connect();

  const auto nothing = sql::CheckSchema(*database, schema);
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code() == Code::kCorrupt);
  CHECK(nothing.error().text().find("no Strongroom database") != std::string_view::npos);

  REQUIRE(sql::CreateSchema(*database, schema));
  CHECK(sql::CheckSchema(*database, schema));
  CHECK(sql::CheckSchema(*empty.Connect(), schema));
  CHECK(sql::CreateSchema(*database, schema).error().code() == Code::kAlreadyExists);
  CHECK(sql::CreateSchema(*database, wrong).error().code() == Code::kAlreadyExists);
  CHECK_FALSE(database->in_transaction());
  CHECK(sql::CheckSchema(*database, wrong).error().code() == Code::kCorrupt);
  CHECK(sql::CheckSchema(*database, schema));

  REQUIRE(database->Execute("UPDATE SCHEMA_VERSION SET VERSION = 7") == 1);
  const auto newer = sql::CheckSchema(*database, schema);
  REQUIRE_FALSE(newer);
  CHECK(newer.error().code() == Code::kRefused);
  CHECK(newer.error().number() == 7);
}

TEST_CASE("somebody else's database is not taken for ours") {
  const Engine engine = GENERATE(Engine::kSqlite, Engine::kPostgres);
  EmptyDatabase empty(engine);
  auto database = empty.Connect();
  REQUIRE(database->RunScript("CREATE TABLE SCHEMA_VERSION (OTHER TEXT)"));
  const auto foreign = sql::CheckSchema(*database, Schema::kWork);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code() == Code::kCorrupt);
}

TEST_CASE("a schema that cannot be created leaves nothing behind") {
  const Engine engine = GENERATE(Engine::kSqlite, Engine::kPostgres);
  EmptyDatabase empty(engine);
  auto database = empty.Connect();
  REQUIRE(database->RunScript("CREATE TABLE AI_BATCH (OTHER TEXT)"));
  CHECK_FALSE(sql::CreateSchema(*database, Schema::kWork));
  CHECK_FALSE(database->in_transaction());
  CHECK(sql::CheckSchema(*database, Schema::kWork).error().code() == Code::kCorrupt);
  REQUIRE(database->RunScript("DROP TABLE AI_BATCH"));
  CHECK(sql::CreateSchema(*database, Schema::kWork));
}

TEST_CASE("a work row needs only what a caller must give") {
  const Engine engine = GENERATE(Engine::kSqlite, Engine::kPostgres);
  EmptyDatabase empty(engine);
  auto database = empty.Connect();
  REQUIRE(sql::CreateSchema(*database, Schema::kWork));
  REQUIRE(database->Execute("INSERT INTO QUEUE_MESSAGE (LIBRARY, NAME, MESSAGE) VALUES (?1, ?2, ?3)",
                            {"K3SAI", "AIOUTQ", "{}"}) == 1);
  auto row = database->QueryOne("SELECT MESSAGE_ID, ENQUEUED_AT, LEASE_OWNER, ATTEMPTS FROM QUEUE_MESSAGE");
  REQUIRE(row);
  CHECK((*row)->Int64(0) == 1);
  CHECK((*row)->Int64(1) > 1'700'000'000'000'000);
  CHECK((*row)->IsNull(2));
  (*row)->Reset();
  REQUIRE(
      database->Execute("INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, STATUS, COST_BASIS_USD, "
                        "WORKER_ID, VERSION, LOGGED_AT) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        {1, "r", "ACME", "success", 0.000123, "host:1", "1.0", 5}) == 1);
  row = database->QueryOne("SELECT COST_BASIS_USD, SUM(COST_BASIS_USD) OVER () FROM USAGE_LOG");
  REQUIRE(row);
  CHECK((*row)->Double(0) == 0.000123);
  CHECK((*row)->Double(1) == 0.000123);
}

}  // namespace strongroom::test
