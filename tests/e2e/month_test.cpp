// A month ends: a profile that was OVER_QUOTA is ACTIVE again by itself, and workers follow.
#include <catch2/catch.hpp>

#include "tests/e2e/house.h"

namespace strongroom::e2e {

TEST_CASE("month: a profile that has spent its tokens comes back when a month is over, with nobody at the keyboard") {
  House house;
  const std::map<std::string, std::string> early = {{"LD_PRELOAD", STRONGROOM_EARLY_CLOCK}};
  REQUIRE(house.Spawn("vaultd", {"--init"}, early).Wait().code == 0);
  house.StartSim();
  house.StartVaultd(early);
  house.StartWorker(0, early);
  house.Onboard("ACME");
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--quota", "1"}).code == 0);
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  const auto profile = [&](const std::string& field) { return Field(house.Keytool({"profile", "show", "ACME_DEFAULT", "--json"}).out, field); };
  REQUIRE(Eventually([&] { return profile("status") == "OVER_QUOTA"; }));
  REQUIRE(Field(house.Ask("r-2", "Hello"), "error_code") == "RATE_LIMITED");
  REQUIRE(house.sim().CallsOf("r-2") == 0);
  REQUIRE(house.worker().Stop().code == 0);
  REQUIRE(house.vaultd().Stop().code == 0);
  // Their clocks are today's from here on.
  house.StartVaultd();
  house.StartWorker();
  REQUIRE(Eventually([&] { return profile("status") == "ACTIVE"; }));
  REQUIRE(profile("over_quota_until") == "null");
  REQUIRE(Field(house.Ask("r-3", "Hello"), "status") == "success");
  const auto acts = house.Trail({"--action", "renew_quota"});
  REQUIRE(acts.size() == 1);
  REQUIRE(Has(acts.front(), "\"role\":\"vaultd\""));
  REQUIRE(Has(acts.front(), "\"outcome\":\"ok\""));
  // The new month has its own count.
  REQUIRE(Eventually([&] { return profile("status") == "OVER_QUOTA"; }));
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

}  // namespace strongroom::e2e
