// The file of stops while vaultd runs: it is replaced, taken away or written over, and what is acknowledged is in it all the same.
#include "vault/stops.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

struct Replaced : ServiceHouse {
  Replaced() : acme(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)), barco(Onboard("BARCO", "openai", "BARCO_DEFAULT", kBarcoKey)) {
    Edit("CREATE TABLE OLD AS SELECT * FROM KEY_VAULT");
    REQUIRE(MoveKey(barco, "compromise").has_value());
    CHECK(IsHealthy());
  }
  std::string file() const { return home() + "/stops"; }
  std::string aside() const { return file() + ".replaced"; }
  static std::string Read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  // As `sed -i`, rsync and many editors do.
  void PutInItsPlace(const std::string& text) {
    Write(file() + ".tmp", text);
    fs::permissions(file() + ".tmp", fs::perms::owner_read | fs::perms::owner_write);
    fs::rename(file() + ".tmp", file());
  }
  bool IsHealthy() {
    const auto reply = Ask(Operation::kStatus, {});
    REQUIRE(reply.has_value());
    return nlohmann::json::parse(DecodeText(reply->body).value())["stops"]["healthy"] == true;
  }
  void MustHoldAfterRestart() {
    CHECK(IsHealthy());
    CHECK((fs::status(file()).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    Stop();
    // The trail tells of stops as well: here the file alone has to.
    Edit("DELETE FROM KEY_VAULT");
    Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD");
    Edit("UPDATE AUDIT_LOG SET ACTION = 'get_rates' WHERE ACTION = 'move_key'");
    Start();
    for (const std::string& key_ref : {acme, barco}) CHECK(RefusalFor(Operation::kProbe, EncodeText(key_ref)) == Refusal::kKeyTampered);
  }
  // The same act, told by a line of its own.
  std::string Line() const { return " 3 REVOKED " + acme + "\n"; }
  const std::string acme, barco;
};

TEST_CASE("stops: a file that is replaced while vaultd runs is put back whole before an act is acknowledged", "[stops][sqlite]") {
  Replaced house;
  const std::string before = house.Read(house.file());
  std::string taken;
  SECTION("by the same text") {
    taken = before;
    house.PutInItsPlace(taken);
  }
  SECTION("by an older one") {
    taken = before.substr(0, before.find('\n') + 1);
    house.PutInItsPlace(taken);
  }
  SECTION("by something else") {
    taken = "not this vault's\n";
    house.PutInItsPlace(taken);
  }
  SECTION("by nothing") { fs::remove(house.file()); }
  SECTION("moved away") { fs::rename(house.file(), house.file() + ".bak"); }
  SECTION("by a link to it") {
    fs::rename(house.file(), house.file() + ".bak");
    fs::create_symlink("stops.bak", house.file());
    taken = before;
  }
  CHECK_FALSE(house.IsHealthy());
  REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
  CHECK(house.Read(house.file()) == before + std::to_string(house.service().epoch()) + house.Line());
  CHECK_FALSE(fs::is_symlink(house.file()));
  // What was in its place may be somebody's better one.
  CHECK(house.Read(house.aside()) == taken);
  house.MustHoldAfterRestart();
}

TEST_CASE("stops: a file that is written over in its place is made anew from what is remembered", "[stops][sqlite]") {
  Replaced house;
  const std::string before = house.Read(house.file());
  SECTION("emptied") { house.Write(house.file(), ""); }
  SECTION("an older copy") { house.Write(house.file(), before.substr(0, before.find('\n') + 1)); }
  CHECK_FALSE(house.IsHealthy());
  REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
  const std::string epoch = std::to_string(house.service().epoch());
  const std::string after = house.Read(house.file());
  CHECK(after.starts_with(before.substr(0, before.find('\n') + 1)));
  CHECK(after.find(" COMPROMISED " + house.barco + "\n") != std::string::npos);
  CHECK(after.ends_with(epoch + house.Line() + epoch + "\n"));
  house.MustHoldAfterRestart();
}

TEST_CASE("stops: the demand for two people is put back with the rest", "[stops][sqlite]") {
  Replaced house;
  {
    std::unique_ptr<Stops> stops;
    const std::string path = house.home() + "/other";
    auto opened = Stops::Open(path, "a-vault");
    REQUIRE(opened.has_value());
    stops = std::move(*opened);
    REQUIRE(stops->Note(4, {}, true).has_value());
    house.Write(path, "");
    CHECK_FALSE(stops->healthy());
    REQUIRE(stops->Note(5, {}).has_value());
    CHECK(stops->healthy());
  }
  const auto again = Stops::Open(house.home() + "/other", "a-vault");
  REQUIRE(again.has_value());
  CHECK((*again)->two_people() == true);
  CHECK((*again)->epoch() == 5);
}

TEST_CASE("stops: where the file cannot be put back the act says so, and it is with the next one that can", "[stops][sqlite]") {
  Replaced house;
  const std::string before = house.Read(house.file());
  fs::remove(house.file());
  fs::create_directory(house.file());
  CHECK(house.MoveRefusal(house.acme, "revoke") == Refusal::kStopsUnavailable);
  CHECK_FALSE(house.IsHealthy());
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "REVOKED");
  fs::remove(house.file());
  CHECK_FALSE(house.IsHealthy());
  house.Onboard("CIRRUS", "openai", "CIRRUS_DEFAULT", "sk-cirrus-0123456789-abcdef");
  CHECK(house.Read(house.file()).starts_with(before));
  CHECK(house.Read(house.file()).find(house.Line()) != std::string::npos);
  house.MustHoldAfterRestart();
}

}  // namespace
}  // namespace strongroom::vault
