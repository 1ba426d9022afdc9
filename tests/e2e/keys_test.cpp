// A key's life while work goes on: rotation, suspension, revocation, grace.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

constexpr const char* kFirst = "ACME/anthropic/default/1";
constexpr const char* kSecond = "ACME/anthropic/default/2";

std::string StatusOf(House& house, const std::string& key_ref) {
  return Field(house.Keytool({"show", key_ref, "--json"}).out, "status");
}

std::int64_t UsageRows(House& house) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG");
}

}  // namespace

TEST_CASE("keys: rotation during a batch fails no row") {
  House house;
  house.Ready({{"--latency-ms", "40"}});
  const std::string input = house.Prompts("rows.jsonl", 120);
  Process batch = house.Spawn("batch", {"submit", input, "--customer", "ACME", "--profile", "ACME_DEFAULT",
                                        "--in-flight", "4", "--out", house.Path("rows.out")});
  REQUIRE(Eventually([&] { return UsageRows(house) >= 15; }));
  const Ended rotated = house.Act({"rotate", kFirst, "--key-file", house.NewKey("next"), "--grace", "1h"});
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.code == 0);
  const std::int64_t at_rotation = UsageRows(house);
  REQUIRE(at_rotation < 120);
  // Once the calls that had the old key are through, the provider forgets it: every call from there on needs
  // the new.
  REQUIRE(Eventually([&] { return UsageRows(house) >= at_rotation + 10; }));
  house.ForgetKey("ACME");
  const Ended ended = batch.Wait();
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  REQUIRE(UsageRows(house) == 120);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE KEY_REF = ?1",
                       {std::string_view(kSecond)}) >= 120 - at_rotation - 4);
  REQUIRE(StatusOf(house, kFirst) == "ROTATED");
  REQUIRE(StatusOf(house, kSecond) == "ACTIVE");
}

TEST_CASE("keys: the KEK is rotated three times during a batch, and no row fails") {
  House house;
  house.Ready({{"--latency-ms", "40"}});
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 400), "--customer", "ACME", "--profile",
                                        "ACME_DEFAULT", "--in-flight", "4", "--out", house.Path("rows.out")});
  for (int i = 1; i <= 3; ++i) {
    REQUIRE(Eventually([&] { return UsageRows(house) >= 20 * i; }));
    const Ended rotated = house.Act({"kek", "rotate", "--json"});
    INFO(rotated.out << rotated.err);
    REQUIRE(rotated.code == 0);
    REQUIRE(Field(rotated.out, "kek_version") == std::to_string(i + 1));
    REQUIRE(Field(rotated.out, "retired") == std::to_string(i));
    REQUIRE(Field(rotated.out, "rewrapped") == "1");
  }
  REQUIRE(UsageRows(house) < 400);
  const Ended ended = batch.Wait();
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  REQUIRE(house.Act({"kek", "destroy", "1"}).code == 1);  // 7 days have not passed
  REQUIRE(house.Act({"kek", "destroy", "0"}).code == 2);
  REQUIRE(house.Keytool({"kek", "rotate"}).code == 2);  // no reason
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("keys: a vault that is sealed in mid-batch is waited for") {
  House house;
  house.Ready({{"--latency-ms", "40"}});
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 300), "--customer", "ACME", "--profile",
                                        "ACME_DEFAULT", "--in-flight", "4", "--out", house.Path("rows.out")});
  REQUIRE(Eventually([&] { return UsageRows(house) >= 15; }));
  REQUIRE(house.Act({"seal"}).code == 0);
  const Ended status = house.Keytool({"status", "--json"});
  REQUIRE(status.code == 0);
  REQUIRE(Field(status.out, "sealed") == "true");
  fs::rename(house.home() + "/kek/1.key", house.Path("away.key"));
  const Ended early = house.Act({"unseal"});
  REQUIRE(early.code == 1);
  REQUIRE(Has(early.err, "stays sealed"));
  fs::rename(house.Path("away.key"), house.home() + "/kek/1.key");
  // Calls that had their key before the seal may still end; then nothing moves.
  std::int64_t before = -1;
  REQUIRE(Eventually([&] { return std::exchange(before, UsageRows(house)) == UsageRows(house); }));
  REQUIRE(UsageRows(house) < 300);
  REQUIRE(house.Act({"unseal"}).code == 0);
  const Ended ended = batch.Wait();
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
}

TEST_CASE("keys: suspend, resume, revoke and compromise count from the next call on") {
  House house;
  house.Ready();
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  REQUIRE(house.Act({"suspend", kFirst}).code == 0);
  const std::string suspended = house.Ask("r-2", "Hello");
  REQUIRE(Field(suspended, "error_code") == "PROVIDER_AUTH");
  REQUIRE(Has(Field(suspended, "error_message"), "SUSPENDED"));
  REQUIRE(house.Act({"resume", kFirst}).code == 0);
  REQUIRE(Field(house.Ask("r-3", "Hello"), "status") == "success");
  REQUIRE(house.Act({"revoke", kFirst}).code == 0);
  REQUIRE(Field(house.Ask("r-4", "Hello"), "error_code") == "PROVIDER_AUTH");
  const Ended back = house.Act({"resume", kFirst});
  REQUIRE(back.code == 1);
  REQUIRE(Lines(back.err).size() == 1);
  REQUIRE(house.Act({"compromise", kFirst}).code == 0);
  REQUIRE(StatusOf(house, kFirst) == "COMPROMISED");
  REQUIRE(house.sim().CallsOf("r-2") + house.sim().CallsOf("r-4") == 0);
  REQUIRE(house.Trail({"--outcome", "denied", "--request-id", "r-4"}).size() == 1);
  for (const char* request : {"r-2", "r-4"}) {
    REQUIRE(Has(house.Trail({"--outcome", "denied", "--request-id", request}).at(0), kFirst));
  }
  // Every act stands in the trail with its reason.
  int reasons = 0;
  for (const std::string& record : house.Trail({"--key-ref", kFirst}))
    reasons += Has(record, "end-to-end test");
  REQUIRE(reasons >= 5);
}

TEST_CASE("keys: an act without a reason is refused") {
  House house;
  house.Ready();
  const Ended refused = house.Keytool({"suspend", kFirst});
  REQUIRE(refused.code != 0);
  REQUIRE(Has(refused.err, "reason"));
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(house.Keytool({"suspend", kFirst, "--reason", ""}).code != 0);
}

TEST_CASE("keys: a rotation whose new key the provider refuses changes nothing") {
  House house;
  house.Ready();
  house.WriteKey("wrong", "sk-e2e-this-key-is-not-on-the-list-00000000");
  const Ended refused = house.Act({"rotate", kFirst, "--key-file", house.KeyFile("wrong")});
  INFO(refused.out << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(StatusOf(house, kSecond) == "PENDING");
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE KEY_REF = ?1",
                       {std::string_view(kFirst)}) == 1);
  // The next rotation takes a version of its own.
  REQUIRE(house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  REQUIRE(StatusOf(house, "ACME/anthropic/default/3") == "ACTIVE");
  REQUIRE(Field(house.Ask("r-2", "Hello"), "status") == "success");
}

TEST_CASE("keys: a rotated key is used inside its grace and not after it") {
  House house;
  house.Ready();
  REQUIRE(house.Act({"rotate", kFirst, "--key-file", house.NewKey("next"), "--grace", "5s"}).code == 0);
  const Ended pointed = house.Act({"profile", "set", "ACME_DEFAULT", "--key-ref", kFirst});
  INFO(pointed.out << pointed.err);
  REQUIRE(pointed.code == 0);
  int number = 0;
  std::string last;
  REQUIRE(Eventually([&] {
    last = house.Ask("g-" + std::to_string(number++), "Hello");
    return Field(last, "status") != "success";
  }));
  REQUIRE(Field(last, "error_code") == "PROVIDER_AUTH");
  // Some seconds after its grace vaultd revokes it.
  const std::string why = Field(last, "error_message");
  REQUIRE((Has(why, "grace") || Has(why, "REVOKED")));
  REQUIRE(Eventually([&] { return StatusOf(house, kFirst) == "REVOKED"; }));
  REQUIRE(house.Trail({"--action", "end_grace", "--key-ref", kFirst}).size() == 1);
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--key-ref", kSecond}).code == 0);
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
}

TEST_CASE("keys: what is no key is refused with the reason, and is not quoted") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  const std::vector<std::string> bad = {"",
                                        "short",
                                        std::string(19, 'k'),
                                        std::string(2001, 'k'),
                                        "sk-e2e-with a space-0000000000",
                                        "sk-e2e-two\nlines-000000000000",
                                        "sk-e2e-\xc3\xbc-0000000000000000"};
  for (const std::string& key : bad) {
    house.WriteKey("bad", key);
    const Ended refused =
        house.Act({"onboard", "ACME", "--provider", "anthropic", "--model", "claude-sonnet-4-5", "--endpoint",
                   house.sim().endpoint(), "--key-file", house.KeyFile("bad")});
    INFO(key.size() << ": " << refused.out << refused.err);
    REQUIRE(refused.code == 1);
    REQUIRE(Lines(refused.err).size() == 1);
    if (key.size() > 5) REQUIRE(!Has(refused.err + refused.out, key.substr(0, 12)));
  }
  REQUIRE(house.Keytool({"show", kFirst}).code == 1);
  REQUIRE(house.Number(*house.Vault(), "SELECT COUNT(*) FROM KEY_VAULT") == 0);
  REQUIRE(house.Number(*house.Vault(), "SELECT COUNT(*) FROM AI_PROFILE") == 0);
  // From standard input, with the line end that a shell adds.
  house.NewKey("ACME");
  const Ended taken =
      house.Keytool({"onboard", "ACME", "--provider", "anthropic", "--model", "claude-sonnet-4-5",
                     "--endpoint", house.sim().endpoint(), "--key-file", "-", "--reason", "piped"},
                    house.KeyText("ACME") + "\n");
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
}

TEST_CASE("keys: a rate card longer than one answer still prices calls") {
  House house;
  house.Init();
  REQUIRE(house.Vault()
              ->Execute("WITH RECURSIVE N(I) AS (SELECT 1 UNION ALL SELECT I + 1 FROM N WHERE I < 20000) INSERT INTO "
                        "RATE_CARD SELECT 'a-model-with-a-longer-name-' || I, 'anthropic', 1, 1, 1 FROM N")
              .has_value());
  house.StartSim();
  house.StartVaultd();
  house.StartWorker();
  house.Onboard("ACME");
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE COST_BASIS_USD > 0") == 1);
  const auto rates = nlohmann::json::parse(house.Keytool({"rate", "list", "--json"}).out, nullptr, false);
  REQUIRE(rates.is_array());
  REQUIRE(rates.size() > 20'000);
}

}  // namespace strongroom::e2e
