// What becomes of the files of a destroyed KEK where they cannot be erased at once.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "tests/vault/service_house.h"
#include "vault/kek_acts.h"

namespace strongroom::vault {
namespace {

Bytes Version(std::int64_t version) {
  KekRequest request;
  request.version = version;
  request.reason = "yearly";
  return request.Encode();
}

// Rotated is a house with a key in use under KEK 1, and KEK 2 activated.
struct Rotated : ServiceHouse {
  Rotated() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    REQUIRE(Ask(Operation::kPrepareKek, Version(0)).has_value());
    REQUIRE(Ask(Operation::kActivateKek, Version(2)).has_value());
  }
  bool Rewrap() { return Ask(Operation::kRewrapKeys, RewrapRequest{"test", "", "yearly"}.Encode()).has_value(); }
  bool IsFile(const std::string& name) const { return access((home() + "/kek/" + name).c_str(), F_OK) == 0; }
};

}  // namespace

TEST_CASE("kek: what cannot be erased is not called destroyed, and the rest of it is erased all the same", "[kek]") {
  Rotated house;
  CHECK(house.Rewrap());
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  house.Edit("UPDATE KEK SET CHANGED_AT = CHANGED_AT - ?1 WHERE KEK_VERSION = 1", {kKekKept});
  // A directory can be renamed, and not be written over.
  const std::string blocked = house.home() + "/kek/1.credential";
  REQUIRE(mkdir(blocked.c_str(), 0700) == 0);
  CHECK(house.RefusalFor(Operation::kDestroyKek, Version(1)) == Refusal::kKekFile);
  CHECK(house.Value("SELECT STATUS FROM KEK WHERE KEK_VERSION = 1") == "RETIRED");
  CHECK_FALSE(house.IsFile("1.key"));
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  REQUIRE(rmdir((blocked + ".erased").c_str()) == 0);
  CHECK(house.Ask(Operation::kDestroyKek, Version(1)).has_value());
}

TEST_CASE("kek: a node erases a destroyed KEK's file as soon as it can, and none that something is under", "[kek][postgres]") {
  Rotated house;
  const std::string path = house.home() + "/kek/1.key";
  const auto wait = [](const auto& condition) {
    const auto deadline = base::MonoMicros() + 30 * base::kMicrosPerSecond;
    while (!condition() && base::MonoMicros() < deadline) usleep(50'000);
    return condition();
  };
  // Another's edit, while keys are still under it: three ticks leave the file where it is.
  house.Edit("UPDATE KEK SET STATUS = 'DESTROYED' WHERE KEK_VERSION = 1");
  const std::int64_t renewals = std::stoll(house.Value("SELECT RENEWALS FROM NODE"));
  REQUIRE(wait([&] { return std::stoll(house.Value("SELECT RENEWALS FROM NODE")) > renewals + 3; }));
  CHECK(house.IsFile("1.key"));
  house.Edit("UPDATE KEK SET STATUS = 'RETIRING' WHERE KEK_VERSION = 1");
  REQUIRE(wait([&] { return house.Opened("ACME", "ACME_DEFAULT").has_value(); }));
  CHECK(house.Rewrap());
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  // Another node's destroy, and a file that cannot be erased at once.
  const std::string aside = house.home() + "/aside";
  REQUIRE(rename(path.c_str(), aside.c_str()) == 0);
  REQUIRE(mkdir(path.c_str(), 0700) == 0);
  REQUIRE(mkdir((path + "/full").c_str(), 0700) == 0);
  house.Edit("UPDATE KEK SET STATUS = 'DESTROYED' WHERE KEK_VERSION = 1");
  REQUIRE(wait([&] { return house.IsFile("1.key.erased"); }));
  REQUIRE(rmdir((path + ".erased/full").c_str()) == 0);
  REQUIRE(rmdir((path + ".erased").c_str()) == 0);
  REQUIRE(rename(aside.c_str(), path.c_str()) == 0);
  CHECK(wait([&] { return !house.IsFile("1.key"); }));
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

}  // namespace strongroom::vault
