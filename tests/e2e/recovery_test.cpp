// Recovery drills: a host loses its KEK, or all of its home, and people bring it back.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/house.h"

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

std::string ShareFile(const House& house, const std::string& set, int number) {
  return house.Path(set + "/share-" + std::to_string(number));
}

Words Files(const House& house, const std::string& set, const std::vector<int>& numbers) {
  Words files;
  for (const int number : numbers) files.push_back(ShareFile(house, set, number));
  return files;
}

Ended Backup(House& house, const std::string& set, const Words& more = {}) {
  Words words = {"kek", "backup", "--json", "--shares", "5", "--threshold", "3", "--out", house.Path(set)};
  words.insert(words.end(), more.begin(), more.end());
  words.push_back("--read-back");
  for (const std::string& file : Files(house, set, {1, 2, 3, 4, 5})) words.push_back(file);
  return house.Act(words);
}

Ended With(House& house, const std::string& ceremony, const Words& files) {
  Words words = {"kek", ceremony, "--json"};
  words.insert(words.end(), files.begin(), files.end());
  return house.Act(words);
}

// One line on standard error that says each of the parts.
void CheckRefused(const Ended& ended, const Words& parts) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 1);
  REQUIRE(Lines(ended.err).size() == 1);
  for (const std::string& part : parts) REQUIRE(Has(ended.err, part));
}

std::string WithWrongCharacter(std::string text) {
  char& c = text[text.find("\n3 ") + 5];
  c = c == 'q' ? 'p' : 'q';
  return text;
}

}  // namespace

TEST_CASE("recovery: a lost KEK comes back from any 3 of 5 shares, and a request is answered") {
  House house;
  house.Ready();
  const Ended backup = Backup(house, "set", {"--custodian", "Ada", "Bert", "Clea", "Dora", "Emil"});
  INFO(backup.out << backup.err);
  REQUIRE(backup.code == 0);
  REQUIRE(Field(backup.out, "kek_versions") == "[1]");
  // Shares never go stale.
  REQUIRE(house.Act({"kek", "rotate"}).code == 0);
  for (const auto& three : {std::vector{1, 2, 3}, {1, 2, 4}, {1, 2, 5}, {1, 3, 4}, {1, 3, 5}, {1, 4, 5}, {2, 3, 4}, {2, 3, 5},
                            {2, 4, 5}, {3, 4, 5}}) {
    const Ended verified = With(house, "verify", Files(house, "set", three));
    INFO(verified.out << verified.err);
    REQUIRE(verified.code == 0);
    REQUIRE(Field(verified.out, "kek_versions") == "[2]");
    REQUIRE(Has(Field(verified.out, "opened"), "ACME/anthropic/default/1"));
    REQUIRE(Field(verified.out, "restored") == "[]");
  }
  REQUIRE(house.vaultd().Stop().code == 0);
  fs::remove_all(house.home() + "/kek");
  house.StartVaultd();
  REQUIRE(Field(house.Keytool({"status", "--json"}).out, "sealed") == "true");
  const Ended restored = With(house, "restore", Files(house, "set", {5, 3, 1}));
  INFO(restored.out << restored.err);
  REQUIRE(restored.code == 0);
  REQUIRE(Field(restored.out, "restored") == "[2]");
  REQUIRE((fs::status(house.home() + "/kek/2.key").permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
  REQUIRE(Field(With(house, "restore", Files(house, "set", {5, 3, 1})).out, "restored") == "[]");
  REQUIRE(house.Act({"unseal"}).code == 0);
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  REQUIRE(house.Trail({"--action", "note_recovery"}).size() == 12);
  // Nothing of a share is in the trail or in a log.
  const std::string line = Lines(ReadWhole(ShareFile(house, "set", 1))).back().substr(2);
  REQUIRE(!Has(house.vaultd().Err(), line));
  for (const std::string& record : house.Trail({})) REQUIRE(!Has(record, line.substr(0, 9)));
}

TEST_CASE("recovery: every kind of wrong share is named with the reason, and nothing is written") {
  House house;
  house.Ready();
  REQUIRE(Backup(house, "old").code == 0);
  REQUIRE(Backup(house, "set").code == 0);
  REQUIRE(house.vaultd().Stop().code == 0);
  fs::rename(house.home() + "/kek", house.Path("lost"));
  const auto refused = [&house](const Words& files, const Words& parts) { CheckRefused(With(house, "restore", files), parts); };
  const Words good = Files(house, "set", {1, 2, 3});
  refused({good[0], good[1]}, {"not enough: 3 are needed"});
  refused({good[0], good[1], good[0]}, {good[0], "share 1", "given already"});
  refused({good[0], ShareFile(house, "old", 2), good[2]}, {ShareFile(house, "old", 2), "was replaced"});
  refused({good[0], house.Path("none"), good[2]}, {house.Path("none"), "no such file"});
  const std::string mistyped = house.Path("mistyped");
  WriteWhole(mistyped, WithWrongCharacter(ReadWhole(good[1])));
  fs::permissions(mistyped, fs::perms::owner_read);
  refused({good[0], mistyped, good[2]}, {mistyped, "line 3 is mistyped", "character 3 of group 1"});
  const std::string open = house.Path("open");
  WriteWhole(open, ReadWhole(good[1]));
  fs::permissions(open, fs::perms::owner_read | fs::perms::others_read);
  refused({good[0], open, good[2]}, {open, "read by others"});
  // Another vault's, which this one does not know.
  House other;
  other.Init();
  other.StartVaultd();
  REQUIRE(Backup(other, "set").code == 0);
  refused({good[0], good[1], ShareFile(other, "set", 3)}, {ShareFile(other, "set", 3), "does not know"});
  REQUIRE(!fs::exists(house.home() + "/kek"));
  // Rows that were changed in between.
  REQUIRE(house.Vault()->Execute("CREATE TABLE KEPT AS SELECT * FROM RECOVERY_SET").has_value());
  REQUIRE(house.Vault()->Execute("UPDATE RECOVERY_SET SET DIGESTS = zeroblob(160) WHERE SET_NUMBER = 2").has_value());
  refused(good, {good[0], "not the one that was made"});
  REQUIRE(house.Vault()
              ->Execute("UPDATE RECOVERY_SET SET DIGESTS = (SELECT DIGESTS FROM KEPT WHERE SET_NUMBER = 2) WHERE SET_NUMBER = 2")
              .has_value());
  REQUIRE(house.Vault()->Execute("UPDATE KEK_RECOVERY SET SEALED = zeroblob(80)").has_value());
  refused(good, {"KEK version 1", "does not open"});
  REQUIRE(!fs::exists(house.home() + "/kek"));
}

TEST_CASE("recovery: shares that are not all read back do not come into force, and go") {
  House house;
  house.Init();
  house.StartVaultd();
  REQUIRE(Backup(house, "first").code == 0);
  const auto refused = [&house](const Words& files, int code) {
    Words words = {"kek", "backup", "--shares", "3", "--threshold", "2", "--out", house.Path("set"), "--read-back"};
    words.insert(words.end(), files.begin(), files.end());
    const Ended ended = house.Act(words);
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == code);
    REQUIRE((!fs::exists(house.Path("set")) || fs::is_empty(house.Path("set"))));
  };
  const Words own = Files(house, "set", {1, 2, 3});
  refused({own[0], own[1]}, 2);
  refused({own[0], own[1], own[1]}, 1);
  refused({own[0], own[1], ShareFile(house, "first", 3)}, 1);
  REQUIRE(house.Act({"kek", "backup", "--shares", "2", "--threshold", "3"}).code == 2);
  REQUIRE(house.Act({"kek", "backup", "--out", house.Path("set")}).code == 2);  // no terminal to read them back on
  REQUIRE(house.Act({"kek", "verify"}).code == 2);
  REQUIRE(house.Number(*house.Vault(), "SELECT COUNT(*) FROM RECOVERY_SET") == 1);
  REQUIRE(With(house, "verify", Files(house, "first", {2, 4, 5})).code == 0);
  // A vault without shares says what that means.
  House bare;
  bare.Init();
  CheckRefused(With(bare, "restore", Files(house, "first", {1, 2, 3})), {"never had recovery shares"});
}

TEST_CASE("recovery: a KEK file that is not this vault's is never written over") {
  House house;
  house.Init();
  house.StartVaultd();
  REQUIRE(Backup(house, "set").code == 0);
  REQUIRE(house.Act({"kek", "rotate"}).code == 0);
  REQUIRE(house.vaultd().Stop().code == 0);
  fs::rename(house.home() + "/kek/2.key", house.Path("2.key"));
  fs::copy_file(house.home() + "/kek/1.key", house.home() + "/kek/2.key");
  CheckRefused(With(house, "restore", Files(house, "set", {1, 2, 3})), {"2.key", "another KEK"});
  fs::remove(house.home() + "/kek/2.key");
  REQUIRE(With(house, "restore", Files(house, "set", {1, 2, 3})).code == 0);
  REQUIRE(ReadWhole(house.home() + "/kek/2.key") == ReadWhole(house.Path("2.key")));
}

}  // namespace strongroom::e2e
