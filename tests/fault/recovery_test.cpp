// Backup and recovery under kill -9, at each write, fsync and unlink in turn: what is there afterwards is whole or is not taken for
// whole, and the same command finishes it.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <functional>

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

constexpr int kMostWrites = 1000;

// RunUnder is false where vaultd was killed at its `write`th write.
bool RunUnder(House& house, const std::vector<std::string>& arguments, int write) {
  Process process = house.Spawn("vaultd", arguments, {{"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}});
  const Ended ended = process.Wait();
  INFO(ended.err);
  REQUIRE((ended.signal == SIGKILL || ended.code == 0));
  return ended.code == 0;
}

// KillAtEach runs the command until it lives through, looking each time at what it left, and returns how often it was killed.
int KillAtEach(House& house, const std::vector<std::string>& arguments, const std::function<void()>& before,
               const std::function<void()>& after) {
  int kills = 0;
  for (int write = 1; write < kMostWrites; ++write) {
    INFO("killed at write " << write);
    before();
    const bool done = RunUnder(house, arguments, write);
    after();
    if (done) return kills;
    ++kills;
  }
  FAIL("it never came to its end");
  return kills;
}

void Done(const Ended& ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
}

}  // namespace

TEST_CASE("recovery: a restore of the KEKs is killed at each write, and no half KEK is there") {
  House house;
  house.Init();
  house.StartVaultd();
  const std::string shares = house.Path("shares");
  const std::vector<std::string> two = {shares + "/share-1", shares + "/share-2"};
  Done(house.Act({"kek", "backup", "--shares", "2", "--threshold", "2", "--out", shares, "--read-back", two[0], two[1]}));
  Done(house.Act({"kek", "rotate"}));
  house.vaultd().Stop();
  const std::string kek = house.home() + "/kek", whole = ReadWhole(kek + "/2.key");
  const int kills = KillAtEach(
      house, {"--ceremony", "restore", "--share", two[0], "--share", two[1]}, [&] { fs::remove_all(kek); },
      [&] {
        if (fs::exists(kek + "/2.key")) REQUIRE(ReadWhole(kek + "/2.key") == whole);
        Done(house.Act({"kek", "restore", two[0], two[1]}));
        REQUIRE(ReadWhole(kek + "/2.key") == whole);
      });
  REQUIRE(kills >= 3);
}

TEST_CASE("recovery: a backup is killed at each write, and is there whole or not at all") {
  House house;
  house.Init();
  house.StartVaultd();
  house.vaultd().Stop();
  const std::string backup = house.Path("backup"), lost = house.Path("lost");
  const int kills = KillAtEach(
      house, {"--backup", backup}, [] {},
      [&] {
        if (!fs::exists(backup)) return;
        fs::rename(house.home(), lost);
        Done(house.Keytool({"restore", backup}));
        fs::remove_all(house.home());
        fs::rename(lost, house.home());
        fs::remove_all(backup);
      });
  REQUIRE(kills > 40);
  WARN("killed at " << kills << " writes");
}

TEST_CASE("recovery: a restore is killed at each write, and never passes for a home that was not away") {
  House house;
  house.Init();
  house.StartVaultd();
  const std::string backup = house.Path("backup");
  Done(house.Act({"backup", backup}));
  house.vaultd().Stop();
  const std::string kek = house.Path("kek");
  fs::rename(house.home() + "/kek", kek);
  const int kills = KillAtEach(
      house, {"--restore", backup}, [&] { fs::remove_all(house.home()); },
      [&] {
        const bool is_home = fs::exists(house.home() + "/strongroom.toml");
        if (is_home) REQUIRE(fs::exists(house.home() + "/quarantine"));
        if (!is_home) Done(house.Keytool({"restore", backup}));
        REQUIRE(ReadWhole(house.home() + "/vault.db") == ReadWhole(backup + "/vault.db"));
      });
  REQUIRE(kills > 10);
}

}  // namespace strongroom::e2e
