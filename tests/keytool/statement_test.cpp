#include "keytool/statement.h"

#include "tests/keytool/calls.h"

namespace strongroom::keytool {
namespace {

std::vector<StatementLine> Of(const Calls& calls, const std::string& customer) {
  Context context;
  context.home = calls.home.path();
  const auto lines = ReadStatement(context, customer);
  REQUIRE(lines.has_value());
  return *lines;
}

base::Micros At(const char* text) { return base::ParseTime(text).value(); }

}  // namespace

TEST_CASE("statement: by month and model, exact to the millionth, with what had no rate counted") {
  Calls calls;
  calls.Add("ACME", "success", 0.000001, At("2026-09-30T23:59:59.999999Z"), "m");
  calls.Add("ACME", "success", 1.5, At("2026-10-01T00:00:00Z"), "m");
  calls.Add("ACME", "error", 0, At("2026-10-31T23:59:59.999999Z"), "m");
  calls.Add("ACME", "success", 0, At("2026-10-02T00:00:00Z"), "a");
  calls.Add("ACME", "success", 0.25, At("2027-02-28T00:00:00Z"), "m");
  calls.Add("BARCO", "success", 99, At("2026-10-01T00:00:00Z"), "m");
  const std::vector<StatementLine> lines = Of(calls, "ACME");
  CHECK(StatementCsv(lines) ==
        "MONTH,PROVIDER,MODEL,REQUESTS,SUCCESSES,TOKENS IN,TOKENS OUT,COST USD,UNPRICED\r\n"
        "2026-09,openai,m,1,1,10,20,0.000001,0\r\n"
        "2026-10,openai,a,1,1,10,20,0.00,1\r\n"
        "2026-10,openai,m,2,1,10,40,1.50,0\r\n"
        "2027-02,openai,m,1,1,10,20,0.25,0\r\n"
        "TOTAL,,,5,4,40,100,1.750001,1\r\n");
  CHECK(Has(StatementTable(lines), "1.750001"));
  CHECK(Has(StatementJson(lines), R"("total":{"requests":5,"successes":4,"tokens_in":40,"tokens_out":100,"cost_usd":1.750001,"unpriced":1}})"));
  CHECK(Has(StatementJson(lines), R"({"month":"2026-09","provider":"openai","model":"m","requests":1,)"));
}

TEST_CASE("statement: of a customer without calls it is empty, and without a work database a problem") {
  const Calls calls;
  CHECK(Of(calls, "NOBODY").empty());
  CHECK(StatementJson({}).starts_with(R"({"lines":[],"total":{"requests":0,)"));
  const Home home;
  std::filesystem::create_directory(home.path());
  home.File("home/strongroom.toml", base::DefaultConfigText("root"));
  Context context;
  context.home = home.path();
  CHECK_FALSE(ReadStatement(context, "ACME").has_value());
}

}  // namespace strongroom::keytool
