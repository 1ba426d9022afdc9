// Protectors, as an admin meets them: a vault that holds no KEK on its disk, and what opens it after a start.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <filesystem>

namespace strongroom::e2e {
namespace {

namespace fs = std::filesystem;

const std::string kWords = "correct horse battery staple";

std::string KekStatus(House& house) { return house.Keytool({"kek", "status", "--json"}).out; }
std::string Sealed(House& house) { return Field(house.Keytool({"status", "--json"}).out, "sealed"); }

// Words writes a passphrase to a file and returns its path.
std::string Words(House& house, const std::string& name, const std::string& words) {
  house.WriteKey(name, words + "\n");
  return house.KeyFile(name);
}

bool Served(House& house, const std::string& request_id) {
  return Field(house.Ask(request_id, "Hello"), "status") == "success";
}

}  // namespace

TEST_CASE("protectors: without its KEK file a vault starts sealed, and a passphrase opens it") {
  House house;
  house.Ready();
  const std::string words = Words(house, "words", kWords), wrong = Words(house, "wrong", "wrong horse battery staple");
  REQUIRE(house.Act({"kek", "add-protector", "passphrase", "--passphrase-file", words}).code == 0);
  // No terminal to ask on, and nothing else opens: refused before anything is taken away.
  CHECK(house.Act({"kek", "remove-protector", "file"}).code == 2);
  CHECK(house.Act({"kek", "remove-protector", "file", "--passphrase-file", wrong}).code == 1);
  REQUIRE(fs::exists(house.home() + "/kek/1.key"));
  const Ended needless = house.Act({"kek", "remove-protector", "passphrase", "--passphrase-file", words});
  CHECK(needless.code == 2);
  CHECK(Has(needless.err, "what passphrase opens with is not needed to remove it"));
  REQUIRE(house.Act({"kek", "remove-protector", "file", "--passphrase-file", words}).code == 0);
  REQUIRE_FALSE(fs::exists(house.home() + "/kek/1.key"));
  REQUIRE(Served(house, "r-1"));
  house.vaultd().Stop();

  house.StartVaultd();
  REQUIRE(house.Keytool({"status"}).code == 0);
  REQUIRE(Sealed(house) == "true");
  // Nobody can sign what is recorded while it is sealed; the unseal makes up for it.
  CHECK(house.Auditlog({"verify"}).code == 3);
  const Ended refused = house.Act({"unseal", "--passphrase-file", wrong});
  REQUIRE(refused.code == 1);
  CHECK(Has(refused.err, "the passphrase does not open the KEK"));
  CHECK_FALSE(Has(refused.err + refused.out, "wrong horse"));
  REQUIRE(Sealed(house) == "true");
  const Ended unsealed = house.Command("keytool", {"unseal", "--passphrase-file", "-", "--reason", "morning"}, kWords + "\n");
  INFO(unsealed.err);
  REQUIRE(unsealed.code == 0);
  CHECK(house.Auditlog({"verify"}).code == 0);
  CHECK(house.Auditlog({"prove", "inclusion", "0"}).code == 0);
  REQUIRE(house.Batch({"submit", house.Prompts("rows.jsonl", 1), "--customer", "ACME", "--profile", "ACME_DEFAULT"}).code == 0);
  // A rotation asks for nothing, and the next start opens with the same passphrase.
  REQUIRE(house.Act({"kek", "rotate"}).code == 0);
  REQUIRE(fs::exists(house.home() + "/kek/2.passphrase"));
  REQUIRE(house.Act({"seal"}).code == 0);
  REQUIRE(Sealed(house) == "true");
  REQUIRE(house.Act({"unseal", "--passphrase-file", words}).code == 0);
  REQUIRE(Served(house, "r-2"));
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  // The RETIRED version's KEK is not in memory: it stays under what it is under, and keeps that.
  const Ended added = house.Act({"kek", "add-protector", "file"});
  REQUIRE(added.code == 0);
  CHECK(Has(added.out, "KEK version 2 (ACTIVE) is under file now, but not 1 (RETIRED)"));
  const Ended last = house.Act({"kek", "remove-protector", "passphrase"});
  CHECK(last.code == 1);
  CHECK(Has(last.err, "RETIRED KEK version 1 has no other protector"));
  CHECK(Has(house.Act({"kek", "destroy", "99"}).err, "KEK 99: nothing was done: there is no such version"));
  CHECK(Has(house.Act({"kek", "destroy", "2"}).err, "KEK 2: nothing was done: it is ACTIVE, and only a RETIRED version"));
}

TEST_CASE("protectors: a credential of systemd's opens a vault by itself, and none leaves it sealed") {
  House house;
  house.Ready();
  house.vaultd().Stop();
  const std::string directory = house.Path("credentials");
  fs::create_directory(directory);
  house.WriteKey("credential", std::string(32, '\x7f'));
  fs::rename(house.KeyFile("credential"), directory + "/strongroom-kek");
  const std::map<std::string, std::string> handed = {{"CREDENTIALS_DIRECTORY", directory}};
  house.StartVaultd(handed);
  REQUIRE(house.Act({"kek", "add-protector", "credential"}).code == 0);
  REQUIRE(house.Act({"kek", "remove-protector", "file"}).code == 0);
  REQUIRE(Has(KekStatus(house), R"("protectors":["credential"])"));
  house.vaultd().Stop();
  house.StartVaultd(handed);
  REQUIRE(Served(house, "r-1"));
  house.vaultd().Stop();
  house.StartVaultd();
  REQUIRE(Sealed(house) == "true");
}

}  // namespace strongroom::e2e
