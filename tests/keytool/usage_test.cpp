#include "tests/keytool/calls.h"

namespace strongroom::keytool {
namespace {

Ran UsageOf(const Calls& calls, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"usage", "--home", calls.home.path()});
  return RunKeytool(more);
}

}  // namespace

TEST_CASE("usage counts calls, tokens and money, exactly") {
  Calls calls;
  CHECK(UsageOf(calls).out == "no calls logged yet\n");
  for (int i = 0; i < 10; ++i) calls.Add("ACME", "success", 0.000001, base::WallMicros());
  calls.Add("ACME", "error", 0, base::WallMicros());
  calls.Add("BARCO", "success", 1234.567891, base::WallMicros() - 3 * base::kMicrosPerDay);
  const Ran all = UsageOf(calls, {"--json"});
  INFO(all.out << all.err);
  CHECK(all.status == 0);
  CHECK(all.out ==
        "[{\"customer\":\"ACME\",\"provider\":\"openai\",\"model\":\"m\",\"key_ref\":\"K\",\"requests\":11,\"successes\":10,"
        "\"tokens_in\":100,\"tokens_out\":220,\"cost_usd\":0.00001},"
        "{\"customer\":\"BARCO\",\"provider\":\"openai\",\"model\":\"m\",\"key_ref\":\"K\",\"requests\":1,\"successes\":1,"
        "\"tokens_in\":10,\"tokens_out\":20,\"cost_usd\":1234.567891}]\n");
  const Ran table = UsageOf(calls);
  CHECK(Has(table.out, "TOTAL"));
  CHECK(Has(table.out, "1234.567901"));
  CHECK_FALSE(Has(UsageOf(calls, {"--since", "1d"}).out, "BARCO"));
  CHECK_FALSE(Has(UsageOf(calls, {"--customer", "BARCO"}).out, "ACME"));
  CHECK(UsageOf(calls, {"--customer", "NOBODY"}).out == "no calls logged that match\n");
}

}  // namespace strongroom::keytool
