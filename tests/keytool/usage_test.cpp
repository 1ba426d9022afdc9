#include "base/clock.h"
#include "base/config.h"
#include "sql/database.h"
#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

class Calls {
 public:
  Calls() {
    std::filesystem::create_directory(home.path());
    home.File("home/strongroom.toml", base::DefaultConfigText("root"));
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    auto opened = sql::Open("sqlite:" + home.path() + "/strongroom.db", options);
    REQUIRE(opened.has_value());
    database = std::move(*opened);
    REQUIRE(sql::CreateSchema(*database, sql::Schema::kWork).has_value());
  }
  void Add(std::string_view customer, std::string_view status, double cost, base::Micros at) {
    const std::string request = "r" + std::to_string(++count_);
    const auto added = database->Execute(
        "INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROVIDER, MODEL, STATUS, TOKENS_IN, TOKENS_OUT, "
        "COST_BASIS_USD, KEY_REF, WORKER_ID, VERSION, LOGGED_AT) VALUES (1, ?1, ?2, 'openai', 'm', ?3, ?4, 20, ?5, "
        "'K', 'w', '1.0', ?6)",
        {std::string_view(request), customer, status,
         status == "success" ? sql::Parameter(std::int64_t{10}) : sql::Parameter(std::monostate{}), cost, at});
    REQUIRE(added.has_value());
  }
  Ran Usage(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"usage", "--home", home.path()});
    return RunKeytool(more);
  }
  Home home;
  std::unique_ptr<sql::Database> database;

 private:
  int count_ = 0;
};

}  // namespace

TEST_CASE("usage counts calls, tokens and money, exactly") {
  Calls calls;
  CHECK(calls.Usage().out == "no calls logged yet\n");
  for (int i = 0; i < 10; ++i) calls.Add("ACME", "success", 0.000001, base::WallMicros());
  calls.Add("ACME", "error", 0, base::WallMicros());
  calls.Add("BARCO", "success", 1234.567891, base::WallMicros() - 3 * base::kMicrosPerDay);
  const Ran all = calls.Usage({"--json"});
  INFO(all.out << all.err);
  CHECK(all.status == 0);
  CHECK(all.out ==
        "[{\"customer\":\"ACME\",\"provider\":\"openai\",\"model\":\"m\",\"key_ref\":\"K\",\"requests\":11,\"successes\":10,"
        "\"tokens_in\":100,\"tokens_out\":220,\"cost_usd\":0.00001},"
        "{\"customer\":\"BARCO\",\"provider\":\"openai\",\"model\":\"m\",\"key_ref\":\"K\",\"requests\":1,\"successes\":1,"
        "\"tokens_in\":10,\"tokens_out\":20,\"cost_usd\":1234.567891}]\n");
  const Ran table = calls.Usage();
  CHECK(Has(table.out, "TOTAL"));
  CHECK(Has(table.out, "1234.567901"));
  CHECK_FALSE(Has(calls.Usage({"--since", "1d"}).out, "BARCO"));
  CHECK_FALSE(Has(calls.Usage({"--customer", "BARCO"}).out, "ACME"));
  CHECK(calls.Usage({"--customer", "NOBODY"}).out == "no calls logged that match\n");
}

}  // namespace strongroom::keytool
