// Records of 500 days ago are pruned by a vaultd of today, which is killed at each of its writes in turn: the trail verifies, and what is
// pruned in the end is the same.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <filesystem>

namespace strongroom::e2e {
namespace {

namespace fs = std::filesystem;

// Far more than a start and one step of pruning make.
constexpr int kMostWrites = 200;
constexpr int kReads = 300;  // each is a record

std::int64_t Old(House& house) { return house.Number(*house.Vault(), "SELECT COUNT(*) FROM AUDIT_LOG WHERE SEQ < 256"); }

void Age(House& house) {
  const std::map<std::string, std::string> early = {{"LD_PRELOAD", STRONGROOM_EARLY_CLOCK}};
  const Ended made = house.Spawn("vaultd", {"--init"}, early).Wait();
  INFO(made.err);
  REQUIRE(made.code == 0);
  house.StartVaultd(early);
  for (int i = 0; i < kReads; ++i) REQUIRE(house.Auditlog({"search", "--limit", "1"}).code == 0);
  REQUIRE(house.vaultd().Stop().code == 0);
  REQUIRE(Old(house) == 256);
}

TEST_CASE("retention: vaultd prunes by itself, and is killed at each write of it") {
  House house;
  Age(house);
  const std::string saved = house.Path("saved");
  fs::copy(house.home(), saved, fs::copy_options::recursive);
  int write = 0, before_anchor = 0;
  for (bool survived = false; !survived;) {
    REQUIRE(++write < kMostWrites);
    INFO("killed at write " << write);
    fs::remove_all(house.home());
    fs::copy(saved, house.home(), fs::copy_options::recursive);
    house.RunVaultd({{"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}});
    REQUIRE(Eventually([&] {
      survived = Has(house.vaultd().Err(), "\"trail_pruned\"");
      return survived || !house.vaultd().running();
    }));
    if (survived) house.vaultd().Crash();
    else house.vaultd().Wait();
    const Ended left = house.Auditlog({"verify", "--json"});
    INFO(left.out << left.err);
    // Between the commit and the anchor nothing signed is of the record yet, as of one that somebody else put there: the next start tells.
    const bool unanchored = left.code == 1 && Has(left.out, "its next start");
    before_anchor += unanchored ? 1 : 0;
    REQUIRE((left.code == 0 || left.code == 3 || unanchored));
    house.StartVaultd();
    REQUIRE(Eventually([&] { return Old(house) == 1; }));
    REQUIRE(Has(house.Auditlog({"verify", "--json"}).out, R"({"verdict":"verified")"));
    REQUIRE(house.vaultd().Stop().code == 0);
  }
  // The anchor's write and sync, what SQLite syncs behind a commit, and what other threads write meanwhile.
  CHECK(before_anchor <= 10);
  const Ended verified = house.Auditlog({"verify", "--json"});
  CHECK(Has(verified.out, R"("pruned":{"before":256,"records":255,"kept":[0],"retention_days":400)"));
}

}  // namespace
}  // namespace strongroom::e2e
