// The hosted tier as an admin and a caller see it: shares of a house key, and a month's tokens.
#include <catch2/catch.hpp>

#include "tests/e2e/house.h"

namespace strongroom::e2e {
namespace {

constexpr const char* kKey = "HOUSE/anthropic/default/1";

// HostedHouse is a running house with a hosted key and ACME of its own; the house's own profile has a share too.
void MakeHosted(House& house) {
  house.Ready();
  const Ended made = house.Act({"onboard", "HOUSE", "--provider", "anthropic", "--model", "claude-sonnet-4-5", "--mode", "hosted", "--endpoint",
                                house.sim().endpoint(), "--key-file", house.NewKey("house"), "--rpm", "100", "--tpm", "1000"});
  INFO(made.err);
  REQUIRE(made.code == 0);
}

Ended Host(House& house, const std::string& customer, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"onboard", customer, "--provider", "anthropic", "--model", "claude-sonnet-4-5", "--mode", "hosted", "--key-ref", kKey};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return house.Act(arguments);
}

std::string Profile(House& house, const std::string& profile, const std::string& field) {
  return Field(house.Keytool({"profile", "show", profile, "--json"}).out, field);
}

std::string AskDelta(House& house, const std::string& id) {
  return house.Ask(id, "Hello", R"({"customer":"DELTA","profile_ref":"DELTA_DEFAULT"})");
}

}  // namespace

TEST_CASE("hosted: an account's limit is shared out, and every refusal says what is left and what to run") {
  House house;
  MakeHosted(house);
  const Ended missing = Host(house, "CARGO", {});
  REQUIRE(missing.code == 0);  // no limit yet
  const Ended early = house.Act({"limit", kKey, "--rpm", "1000", "--tpm", "10000"});
  REQUIRE(early.code == 1);
  REQUIRE(Has(early.err, "without a share: CARGO_DEFAULT; `keytool profile set CARGO_DEFAULT --rpm N --tpm N"));
  REQUIRE(house.Act({"profile", "set", "CARGO_DEFAULT", "--rpm", "200", "--tpm", "2000"}).code == 0);
  const Ended limit = house.Act({"limit", kKey, "--rpm", "1000", "--tpm", "10000"});
  INFO(limit.err);
  REQUIRE(limit.code == 0);
  REQUIRE(Has(limit.out, "1000 requests a minute, 300 given away, 700 left; 10000 tokens a minute, 3000 given away, 7000 left"));
  const Ended over = Host(house, "DELTA", {"--rpm", "701", "--tpm", "1"});
  REQUIRE(over.code == 1);
  REQUIRE(Has(over.err, "1000 requests a minute, 300 given away, 700 left"));
  REQUIRE(Has(over.err, "keytool limit"));
  REQUIRE(house.Keytool({"profile", "show", "DELTA_DEFAULT"}).code == 1);
  const Ended unshared = Host(house, "DELTA", {"--rpm", "700"});
  REQUIRE(unshared.code == 1);
  REQUIRE(Has(unshared.err, "--tpm N"));
  REQUIRE(Host(house, "DELTA", {"--rpm", "700", "--tpm", "7000"}).code == 0);
  REQUIRE(Field(AskDelta(house, "r-1"), "status") == "success");
  const Ended smaller = house.Act({"limit", kKey, "--rpm", "999"});
  REQUIRE(smaller.code == 1);
  REQUIRE(Has(smaller.err, "1000 given away, 0 left"));
  const Ended larger = house.Act({"profile", "set", "DELTA_DEFAULT", "--rpm", "701"});
  REQUIRE(larger.code == 1);
  REQUIRE(Has(larger.err, "1000 given away, 0 left"));
  const std::string shown = house.Keytool({"show", kKey, "--json"}).out;
  REQUIRE(Field(shown, "limit_rpm") == "1000");
  REQUIRE(Field(shown, "left_tpm") == "0");
  // Rotated, it is the same account.
  REQUIRE(house.Act({"rotate", kKey, "--key-file", house.NewKey("house-2")}).code == 0);
  REQUIRE(Field(house.Keytool({"limit", "HOUSE/anthropic/default/2", "--json"}).out, "limit_rpm") == "1000");
  REQUIRE(Field(AskDelta(house, "r-2"), "status") == "success");
  REQUIRE(house.Trail({"--action", "limit_key", "--outcome", "ok"}).size() == 1);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("hosted: a model without a rate is not called on the house's key, and a customer's own is") {
  House house;
  MakeHosted(house);
  REQUIRE(Host(house, "DELTA", {}).code == 0);
  const auto ask = [&](const std::string& id, const std::string& who) {
    return house.Ask(id, "Hello", R"({"customer":")" + who + R"(","profile_ref":")" + who + R"(_DEFAULT","model_override":"unpriced-model"})");
  };
  REQUIRE(house.Act({"profile", "set", "DELTA_DEFAULT", "--models-allowed", "unpriced-model"}).code == 0);
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--models-allowed", "unpriced-model"}).code == 0);
  const std::string refused = ask("r-1", "DELTA");
  INFO(refused);
  CHECK(Field(refused, "error_code") == "INVALID_REQUEST");
  CHECK(Has(Field(refused, "error_message"), "keytool rate set"));
  CHECK(house.sim().CallsOf("r-1") == 0);
  CHECK(Field(ask("r-2", "ACME"), "status") == "success");
  REQUIRE(house.Act({"rate", "set", "unpriced-model", "--provider", "anthropic", "--input", "1", "--output", "2"}).code == 0);
  CHECK(Eventually([&, id = 3]() mutable { return Field(ask("r-" + std::to_string(id++), "DELTA"), "status") == "success"; }));
}

TEST_CASE("hosted: a spent month ends requests RATE_LIMITED, of that profile alone, until the quota is raised") {
  House house;
  MakeHosted(house);
  REQUIRE(Host(house, "DELTA", {"--quota", "1"}).code == 0);
  REQUIRE(Field(AskDelta(house, "r-1"), "status") == "success");
  REQUIRE(Eventually([&] { return Profile(house, "DELTA_DEFAULT", "status") == "OVER_QUOTA"; }));
  const std::string refused = AskDelta(house, "r-2");
  INFO(refused);
  REQUIRE(Field(refused, "error_code") == "RATE_LIMITED");
  REQUIRE(Has(Field(refused, "error_message"), "monthly quota spent (1 tokens): requests are taken again from "));
  REQUIRE(Has(Field(refused, "error_message"), Profile(house, "DELTA_DEFAULT", "over_quota_until")));
  REQUIRE_FALSE(Field(refused, "retry_after_ms").empty());
  REQUIRE(house.sim().CallsOf("r-2") == 0);
  REQUIRE(Field(house.Ask("r-3", "Hello"), "status") == "success");
  REQUIRE(Has(house.Keytool({"profile", "list", "--status", "OVER_QUOTA"}).out, "DELTA_DEFAULT"));
  REQUIRE(Has(house.Keytool({"due"}).out, "keytool profile set DELTA_DEFAULT --quota N"));
  REQUIRE(Has(house.Keytool({"status"}).err, "1 profile has spent the month's tokens"));
  const Ended resumed = house.Act({"profile", "resume", "DELTA_DEFAULT"});
  REQUIRE(resumed.code == 1);
  REQUIRE(Has(resumed.err, "keytool profile set PROFILE_REF --quota N"));
  // Not enough is noticed by what was counted, without a call.
  REQUIRE(house.Act({"profile", "set", "DELTA_DEFAULT", "--quota", "2"}).code == 0);
  REQUIRE(Profile(house, "DELTA_DEFAULT", "status") == "ACTIVE");
  REQUIRE(Field(AskDelta(house, "r-4"), "error_code") == "RATE_LIMITED");
  REQUIRE(house.sim().CallsOf("r-4") == 0);
  REQUIRE(Eventually([&] { return Profile(house, "DELTA_DEFAULT", "status") == "OVER_QUOTA"; }));
  REQUIRE(house.Act({"profile", "set", "DELTA_DEFAULT", "--quota", "1000000"}).code == 0);
  REQUIRE(Field(AskDelta(house, "r-5"), "status") == "success");
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("hosted: a batch beyond the quota loses no row, and two workers say so once") {
  House house;
  MakeHosted(house);
  house.StartWorker(1);
  REQUIRE(Host(house, "DELTA", {"--quota", "500"}).code == 0);
  const Ended batch = house.Batch({"submit", house.Prompts("rows.jsonl", 200), "--customer", "DELTA", "--profile", "DELTA_DEFAULT", "--in-flight", "8", "--out",
                                   house.Path("rows.out")});
  REQUIRE(batch.code == 1);
  const std::int64_t done = house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE CUSTOMER = 'DELTA' AND STATUS = 'success'");
  const std::int64_t limited = house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE CUSTOMER = 'DELTA' AND ERROR_CODE = 'RATE_LIMITED'");
  CHECK(done > 0);
  CHECK(done + limited == 200);
  // What was counted is what was settled, and calls under way are all that goes beyond.
  const std::int64_t counted = house.Number(house.work(), "SELECT SUM(TOKENS) FROM MONTH_USAGE WHERE PROFILE_REF = 'DELTA_DEFAULT'");
  const std::int64_t most = house.Number(house.work(), "SELECT MAX(TOKENS_IN + TOKENS_OUT) FROM USAGE_LOG");
  CHECK(counted == house.Number(house.work(), "SELECT SUM(TOKENS_IN + TOKENS_OUT) FROM USAGE_LOG WHERE CUSTOMER = 'DELTA'"));
  CHECK(counted >= 500);
  CHECK(counted < 500 + 9 * most);
  REQUIRE(Profile(house, "DELTA_DEFAULT", "status") == "OVER_QUOTA");
  int moved = 0;
  for (const std::string& record : house.Trail({"--action", "report_quota"})) moved += Has(record, "\"after\"") ? 1 : 0;
  CHECK(moved == 1);
  REQUIRE(house.Trail({"--action", "report_quota", "--outcome", "denied"}).empty());
}

TEST_CASE("hosted: a quota raised, or a suspension lifted, in the database lets nothing out") {
  House house;
  MakeHosted(house);
  REQUIRE(Host(house, "DELTA", {"--quota", "1"}).code == 0);
  REQUIRE(Field(AskDelta(house, "r-1"), "status") == "success");
  REQUIRE(Eventually([&] { return Profile(house, "DELTA_DEFAULT", "status") == "OVER_QUOTA"; }));
  REQUIRE(house.vaultd().Stop().code == 0);
  const auto vault = house.Vault();
  SECTION("STATUS") { REQUIRE(vault->Execute("UPDATE AI_PROFILE SET STATUS = 'ACTIVE' WHERE CUSTOMER = 'DELTA'").value() == 1); }
  SECTION("quota") { REQUIRE(vault->Execute("UPDATE AI_PROFILE SET STATUS = 'ACTIVE', MONTHLY_QUOTA_TOKENS = 9999999 WHERE CUSTOMER = 'DELTA'").value() == 1); }
  SECTION("HOSTED") { REQUIRE(vault->Execute("UPDATE KEY_VAULT SET HOSTED = 'N' WHERE CUSTOMER = 'HOUSE'").value() == 1); }
  house.StartVaultd();
  const std::string reply = AskDelta(house, "r-2");
  INFO(reply);
  REQUIRE(Field(reply, "status") == "error");
  REQUIRE(house.sim().CallsOf("r-2") == 0);
}

}  // namespace strongroom::e2e
