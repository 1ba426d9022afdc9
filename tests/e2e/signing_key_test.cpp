// Another signing key for the trail, with the programs as they are released.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/e2e/house.h"

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

void Done(const Ended& ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
}

std::string Vkey(House& house) { return Lines(house.Auditlog({"vkey"}).out).at(0); }

bool Erased(House& house) { return house.Trail({"--action", "erase_signing_key"}).size() == 1; }

}  // namespace

TEST_CASE("signing key: rotated over a kill -9, a KEK rotation and a restore: who noted the old key verifies on") {
  House house;
  house.Ready();
  const std::string old_key = Vkey(house);
  const Ended rotated = house.Act({"rotate-signing-key", "--json"});
  Done(rotated);
  const std::string key = Field(rotated.out, "verifier_key");
  CHECK(key != old_key);
  house.vaultd().Crash();
  house.StartVaultd();
  CHECK(Vkey(house) == key);
  Done(house.Auditlog({"verify", "--vkey", old_key}));
  REQUIRE(Eventually([&] { return Erased(house); }));
  Done(house.Act({"kek", "rotate"}));
  Done(house.Auditlog({"verify", "--vkey", old_key}));
  Done(house.Auditlog({"verify", "--vkey", key}));
  Done(house.Auditlog({"verify"}));
  CHECK(Has(house.Auditlog({"vkey", "--json"}).out, old_key));
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  Done(house.Auditlog({"export", "--format", "bundle", "--out", house.Path("bundle")}));
  // Of a bundle nothing is read before its checkpoint is found signed, and only its records lead from the old key to the new one.
  Done(house.Auditlog({"verify", "--bundle", house.Path("bundle"), "--vkey", key}));

  Done(house.Act({"backup", house.Path("backup")}));
  fs::copy(house.home() + "/kek", house.Path("kek"), fs::copy_options::recursive);
  house.worker().Crash();
  house.vaultd().Crash();
  house.ForgetWork();
  fs::remove_all(house.home());
  Done(house.Keytool({"restore", house.Path("backup")}));
  fs::copy(house.Path("kek"), house.home() + "/kek", fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  house.StartVaultd();
  // Under another name, by the key that was in force.
  CHECK(Has(house.Auditlog({"vkey"}).out, key.substr(key.rfind('+'))));
  Done(house.Auditlog({"verify", "--vkey", key}));
  Done(house.Auditlog({"verify", "--vkey", old_key}));
}

}  // namespace strongroom::e2e
