// vaultd is killed at each write of a release in turn, at last between its record and its answer: the worker's next ask
// is answered, and the call is made once.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace strongroom::e2e {
namespace {

// Far more than one release makes.
constexpr int kMostWrites = 20;

// IsCheckpointed is whether all that was written is in vault.db itself, which a thread of vaultd's own sees to. It reads the index of
// SQLite's write-ahead log (sqlite.org/walformat.html, 2.1 and 2.2): mxFrame at byte 16, nBackfill at byte 96.
bool IsCheckpointed(const House& house) {
  const std::string index = ReadWhole(house.home() + "/vault.db-shm");
  if (index.size() < 100) return false;
  std::uint32_t written = 0, moved = 0;
  std::memcpy(&written, index.data() + 16, sizeof(written));
  std::memcpy(&moved, index.data() + 96, sizeof(moved));
  return written > 0 && written == moved;
}

TEST_CASE("lost answer: vaultd is killed at each write of a release, and the request is served all the same") {
  House house;
  house.Ready();
  house.vaultd().Stop();
  const std::string begin = house.Path("begin");
  int recorded_and_lost = 0, write = 0;
  for (bool survived = false; !survived;) {
    REQUIRE(++write < kMostWrites);
    REQUIRE(house.RunVaultd(
        {{"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}, {"KILL_FROM", begin}}));
    // The writes of the start do not count.
    REQUIRE(Eventually([&] { return IsCheckpointed(house); }));
    std::ofstream(begin).put('\n');
    const std::string request = "r-" + std::to_string(write);
    INFO("killed at write " << write);
    house.SendRequest(request, "Hello");
    std::string reply;
    REQUIRE(Eventually([&] {
      reply = house.TakeReply(request);
      return !reply.empty() || !house.vaultd().running();
    }));
    survived = !reply.empty();
    if (survived) house.vaultd().Stop();
    else house.vaultd().Wait();
    std::filesystem::remove(begin);
    house.StartVaultd();
    if (!survived) reply = house.AwaitReply(request);
    INFO(reply);
    REQUIRE(Field(reply, "status") == "success");
    REQUIRE(house.sim().CallsOf(request) == 1);
    const auto releases = house.Trail({"--request-id", request, "--action", "resolve"});
    REQUIRE((releases.size() == 1 || releases.size() == 2));
    recorded_and_lost += releases.size() == 2 ? 1 : 0;
    for (const std::string& release : releases) REQUIRE(Field(release, "outcome") == "ok");
    house.vaultd().Stop();
  }
  // Between a record and its answer there are its sync, and the anchor's write and sync.
  CHECK(recorded_and_lost >= 2);
}

}  // namespace
}  // namespace strongroom::e2e
