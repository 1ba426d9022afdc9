// A KEK rotation under kill -9: vaultd dies at each write, fsync, rename and unlink in turn; every key opens after it, and
// the same command finishes what was begun.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <csignal>

namespace strongroom::e2e {
namespace {

constexpr int kKeys = 3;
// Far more than a start and a rotation make; a vaultd that survives ends the loop long before.
constexpr int kMostWrites = 600;

// Rotated is a house whose KEK is rotated again and again.
class Rotated {
 public:
  Rotated() {
    house_.Init();
    house_.StartVaultd();
    for (int i = 0; i < kKeys; ++i) {
      const std::string customer = "C" + std::to_string(i);
      house_.NewKey(customer);
      REQUIRE(house_.Act({"onboard", customer, "--provider", "anthropic", "--model", "m", "--no-verify", "--key-file",
                          house_.KeyFile(customer)})
                  .code == 0);
    }
    house_.vaultd().Stop();
    payloads_ = Payloads();
  }

  // RotateUnder is false where vaultd was killed at its `write`th write, true where it lived through the whole rotation.
  bool RotateUnder(int write) {
    house_.RunVaultd({{"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}});
    const bool done = house_.Act({"kek", "rotate"}).code == 0;
    const Ended ended = house_.vaultd().Stop();
    REQUIRE((ended.signal == SIGKILL || done));
    return done && ended.signal != SIGKILL;
  }

  void Recover() {
    house_.StartVaultd();
    CheckKeys();
    const Ended finished = house_.Act({"kek", "rotate"});
    INFO(finished.out << finished.err);
    REQUIRE(finished.code == 0);
    CheckKeys();
    REQUIRE(house_.Keytool({"kek", "status", "--json"}).out.find("RETIRING") == std::string::npos);
    REQUIRE(house_.Auditlog({"verify"}).code == 0);
    house_.vaultd().Stop();
    REQUIRE(Payloads() == payloads_);
  }

 private:
  void CheckKeys() {
    for (int i = 0; i < kKeys; ++i) {
      const Ended shown = house_.Keytool({"show", "C" + std::to_string(i) + "/anthropic/default/1", "--json"});
      INFO(shown.out << shown.err);
      REQUIRE(shown.code == 0);
      REQUIRE(Field(shown.out, "intact") == "true");
    }
  }

  std::string Payloads() {
    const auto vault = house_.Vault();
    return house_.Text(*vault, "SELECT GROUP_CONCAT(HEX(ENCRYPTED_KEY) || HEX(NONCE_KEY)) FROM "
                               "(SELECT * FROM KEY_VAULT ORDER BY KEY_REF)");
  }

  House house_;
  std::string payloads_;
};

}  // namespace

TEST_CASE("rotation: vaultd is killed at each write of it in turn, and no key is lost") {
  Rotated rotated;
  int write = 1;
  while (!rotated.RotateUnder(write)) {
    INFO("killed at write " << write);
    rotated.Recover();
    ++write;
    REQUIRE(write < kMostWrites);
  }
  // The first writes are those of a start; a rotation alone makes dozens.
  REQUIRE(write > 40);
  WARN("killed at each of " << write - 1 << " writes");
}

}  // namespace strongroom::e2e
