// A KEK rotation, and a change of protectors, under kill -9: vaultd dies at each write, fsync, rename and unlink in turn; every
// key opens after it, and the same command finishes what was begun.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

namespace strongroom::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int kKeys = 3;
// Far more than a start and a rotation make; a vaultd that survives ends the loop long before.
constexpr int kMostWrites = 600;

// Rotated is a house whose KEK is rotated, or changes its protector, again and again.
class Rotated {
 public:
  Rotated() {
    fs::create_directory(house_.Path("credentials"));
    house_.WriteKey("credential", std::string(32, '\x7f'));
    fs::rename(house_.KeyFile("credential"), house_.Path("credentials/strongroom-kek"));
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

  // SwapUnder is RotateUnder for the protector `file` giving way to `credential`.
  bool SwapUnder(int write) {
    house_.RunVaultd({credentials_, {"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}});
    const bool done = house_.Act({"kek", "add-protector", "credential"}).code == 0 &&
                      house_.Act({"kek", "remove-protector", "file"}).code == 0;
    const Ended ended = house_.vaultd().Stop();
    REQUIRE((ended.signal == SIGKILL || done));
    return done && ended.signal != SIGKILL;
  }

  // RecoverSwap finishes it, and changes back.
  void RecoverSwap() {
    house_.StartVaultd({credentials_});
    CheckKeys();
    Finish("add-protector", "credential", "PROTECTOR_EXISTS");
    Finish("remove-protector", "file", "PROTECTOR_MISSING");
    REQUIRE(Has(house_.Keytool({"kek", "status", "--json"}).out, R"("protectors":["credential"])"));
    REQUIRE_FALSE(fs::exists(house_.home() + "/kek/1.key"));
    CheckKeys();
    Finish("add-protector", "file", "");
    Finish("remove-protector", "credential", "");
    REQUIRE(house_.Auditlog({"verify"}).code == 0);
    house_.vaultd().Stop();
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
  // Finish runs the command to its end; `done` is the refusal that says it was there already.
  void Finish(const std::string& command, const std::string& protector, const std::string& done) {
    const Ended ended = house_.Act({"kek", command, protector, "--json"});
    INFO(command << " " << protector << ": " << ended.out << ended.err);
    REQUIRE((ended.code == 0 || (!done.empty() && Has(ended.out + ended.err, done))));
  }

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
  const std::pair<const std::string, std::string> credentials_{"CREDENTIALS_DIRECTORY", house_.Path("credentials")};
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

TEST_CASE("rotation: vaultd is killed at each write of a change of protectors in turn, and no key is lost") {
  Rotated rotated;
  int write = 1;
  while (!rotated.SwapUnder(write)) {
    INFO("killed at write " << write);
    rotated.RecoverSwap();
    ++write;
    REQUIRE(write < kMostWrites);
  }
  REQUIRE(write > 20);
  WARN("killed at each of " << write - 1 << " writes");
}

}  // namespace strongroom::e2e
