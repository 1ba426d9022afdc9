// After a rotation: the way back, the end of the grace, what the provider still takes; and a customer who leaves.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
namespace {

constexpr const char* kFirst = "ACME/anthropic/default/1";
constexpr const char* kSecond = "ACME/anthropic/default/2";

std::string StatusOf(House& house, const std::string& key_ref) {
  return Field(house.Keytool({"show", key_ref, "--json"}).out, "status");
}

std::string ProfileKey(House& house) { return Field(house.Keytool({"profile", "show", "ACME_DEFAULT", "--json"}).out, "key_ref"); }

Ended Rotate(House& house, const std::string& grace = "1h") {
  return house.Act({"rotate", kFirst, "--key-file", house.NewKey("next"), "--grace", grace});
}

std::int64_t UsageRows(House& house) { return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG"); }

}  // namespace

TEST_CASE("rotated: a new key that has not the profile's model is refused, and nothing is changed") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME", "anthropic", "claude-no-such-model");
  const Ended refused = Rotate(house);
  INFO(refused.out << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Has(refused.err, "the provider takes the key, but it has no model claude-no-such-model"));
  REQUIRE(Has(refused.err, "keytool rotate"));
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(StatusOf(house, kSecond) == "PENDING");
  REQUIRE(ProfileKey(house) == kFirst);
  REQUIRE(house.Act({"rotate", kFirst, "--no-verify", "--key-file", house.NewKey("next")}).code == 0);
}

TEST_CASE("rotated: forth and back during a batch, and no row fails") {
  House house;
  house.Ready({{"--latency-ms", "40"}});
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 300), "--customer", "ACME", "--profile", "ACME_DEFAULT",
                                        "--in-flight", "4", "--out", house.Path("rows.out")});
  REQUIRE(Eventually([&] { return UsageRows(house) >= 10; }));
  REQUIRE(Rotate(house).code == 0);
  const auto with = [&](std::string_view key_ref) {
    return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE KEY_REF = ?1", {key_ref});
  };
  REQUIRE(Eventually([&] { return with(kSecond) >= 10; }));
  const Ended back = house.Act({"rollback", kSecond});
  INFO(back.out << back.err);
  REQUIRE(back.code == 0);
  REQUIRE(Has(back.out, "checked: the provider took the key"));
  const std::int64_t before = with(kFirst);
  REQUIRE(before < 200);
  const Ended ended = batch.Wait();
  REQUIRE(ended.code == 0);
  REQUIRE(with(kFirst) + with(kSecond) == 300);
  REQUIRE(with(kFirst) >= before + 10);
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(StatusOf(house, kSecond) == "SUSPENDED");
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  const Ended history = house.Auditlog({"report", "key", kSecond, "--csv"});
  REQUIRE(Has(history.out, "rollback_key,ok,ACTIVE,SUSPENDED"));
}

TEST_CASE("rotated: an old key that its provider has forgotten is not brought back, and is told to be dead there") {
  House house;
  house.Ready();
  const Ended rotated = Rotate(house);
  REQUIRE(Has(rotated.out, "keytool rollback " + std::string(kFirst)));
  const Ended alive = house.Keytool({"test", kFirst});
  REQUIRE(alive.code == 0);
  REQUIRE(Has(alive.out, "still works there: revoke it at its provider too"));
  REQUIRE(Has(house.Keytool({"due", "--probe"}).out, "still works at its provider"));
  house.ForgetKey("ACME");
  const Ended dead = house.Keytool({"test", kFirst});
  REQUIRE(dead.code == 1);
  REQUIRE(Has(dead.err, "it was rotated, so it is to be dead there"));
  REQUIRE(Has(house.Keytool({"due", "--probe"}).out, "its provider refuses it: it can go now"));
  const Ended refused = house.Act({"rollback", kFirst});
  REQUIRE(refused.code == 1);
  REQUIRE(Has(refused.err, "nothing was changed"));
  REQUIRE(Lines(refused.err).size() == 1);
  REQUIRE(StatusOf(house, kFirst) == "ROTATED");
  REQUIRE(StatusOf(house, kSecond) == "ACTIVE");
  REQUIRE(ProfileKey(house) == kSecond);
  REQUIRE(house.Act({"revoke", kFirst}).code == 0);
  const Ended gone = house.Keytool({"test", kFirst});
  REQUIRE(gone.code == 1);
  REQUIRE(Has(gone.err, "nobody here can ask its provider"));
}

TEST_CASE("rotated: a vaultd that was killed within the grace ends it when it comes back") {
  House house;
  house.Ready();
  REQUIRE(Rotate(house, "2s").code == 0);
  house.vaultd().Crash();
  REQUIRE(Eventually([until = NowMs() + 2500] { return NowMs() > until; }));
  house.StartVaultd();
  REQUIRE(Eventually([&] { return StatusOf(house, kFirst) == "REVOKED"; }));
  const auto acts = house.Trail({"--action", "end_grace"});
  REQUIRE(acts.size() == 1);
  REQUIRE(Has(acts.front(), "\"role\":\"vaultd\""));
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  REQUIRE(Has(ReadWhole(house.home() + "/stops"), std::string("REVOKED ") + kFirst));
}

TEST_CASE("offboard: in the middle of a batch: nothing more is called, and the statement has what was") {
  House house;
  house.Ready({{"--latency-ms", "40"}});
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 400), "--customer", "ACME", "--profile", "ACME_DEFAULT",
                                        "--in-flight", "4", "--out", house.Path("rows.out")});
  REQUIRE(Eventually([&] { return UsageRows(house) >= 10; }));
  const Ended left = house.Act({"offboard", "ACME", "--yes"});
  INFO(left.out << left.err);
  REQUIRE(left.code == 0);
  REQUIRE(Has(left.out, "ACME is offboarded: 1 profiles TERMINATED, 1 keys REVOKED on every node"));
  // What had its key by then may have been sent.
  const std::int64_t called = house.sim().CallsInAll();
  REQUIRE(called < 400);
  REQUIRE(batch.Wait().code == 1);
  REQUIRE(house.sim().CallsInAll() <= called + 8);
  const Ended again = house.Keytool({"offboard", "ACME", "--csv"});
  REQUIRE(again.code == 0);
  REQUIRE(Has(again.err, "nothing is left to stop"));
  const auto lines = Lines(again.out);
  REQUIRE(lines.size() >= 3);
  REQUIRE(Has(lines.back(), "TOTAL,,," + std::to_string(UsageRows(house)) + ","));
  REQUIRE(house.Trail({"--action", "offboard"}).size() == 1);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  REQUIRE(Has(house.Auditlog({"report", "key", kFirst, "--csv"}).out, "offboard,ok,ACTIVE,REVOKED"));
  REQUIRE(house.Keytool({"due", "--customer", "ACME"}).out == "nothing is due\n");
}

}  // namespace strongroom::e2e
