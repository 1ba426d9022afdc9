// What is remembered outside the database: an older row, or the whole older database, is put back past vaultd.
#include "vault/stops.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

class Remembering : public ServiceHouse {
 public:
  Remembering() : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) { CHECK(Opens()); }
  bool Opens() { return Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey); }
  void CopyRow() { Edit("CREATE TABLE OLD AS SELECT * FROM KEY_VAULT"); }
  void PutRowBack() {
    Edit("DELETE FROM KEY_VAULT WHERE KEY_REF IN (SELECT KEY_REF FROM OLD)");
    Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD");
  }
  void Restart() {
    Stop();
    Start();
  }
  std::string file() const { return home() + "/stops"; }
  std::string Text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Append(const std::string& text) { std::ofstream(file(), std::ios::app) << text; }
  nlohmann::json Status() {
    const auto reply = Ask(Operation::kStatus, {});
    REQUIRE(reply.has_value());
    return nlohmann::json::parse(DecodeText(reply->body).value())["stops"];
  }
  std::string Problem() const {
    const auto service = Service::Open(config());
    return service ? "" : service.error().text;
  }
  // MustRefuse: neither way to the key is open, and the trail says why.
  void MustRefuse(Refusal refusal) {
    const std::int64_t before = Records();
    CHECK(RefusalName(ResolveRefusal("ACME", "ACME_DEFAULT")) == RefusalName(refusal));
    CHECK(Last().draft.reason == RefusalName(refusal));
    CHECK(Last().draft.request_id == "request-1");
    CHECK(RefusalFor(Operation::kProbe, EncodeText(ref)) == refusal);
    CHECK(Last().draft.reason == RefusalName(refusal));
    CHECK(Records() == before + 2);
  }
  const std::string ref;
};

TEST_CASE("stops: a row from before its stop is refused, also after a restart", "[stops]") {
  Remembering house;
  house.CopyRow();
  SECTION("revoked") { REQUIRE(house.MoveKey(house.ref, "revoke").has_value()); }
  SECTION("suspended") { REQUIRE(house.MoveKey(house.ref, "suspend").has_value()); }
  SECTION("compromised") { REQUIRE(house.MoveKey(house.ref, "compromise").has_value()); }
  SECTION("destroyed") {
    REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
    REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  }
  SECTION("rotated without grace") {
    AddKeyRequest add;
    add.like = house.ref;
    add.reason = "a test";
    RotateKeyRequest rotate;
    rotate.old_key_ref = house.ref;
    rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
    rotate.reason = "a test";
    REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode()).has_value());
    house.PutRowBack();
    CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.ref)) == Refusal::kKeyTampered);
    return;
  }
  house.PutRowBack();
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "ACTIVE");
  house.MustRefuse(Refusal::kKeyTampered);
  house.Restart();
  house.MustRefuse(Refusal::kKeyTampered);
  // What the admin can do about it: stop it again, for good.
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  CHECK(house.Last().draft.after->at("unproven") == "KEY_TAMPERED");
  house.PutRowBack();
  house.MustRefuse(Refusal::kKeyTampered);
}

TEST_CASE("stops: a suspension that was lifted is past, and its row does not come back", "[stops]") {
  Remembering house;
  house.CopyRow();
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  REQUIRE(house.MoveKey(house.ref, "resume").has_value());
  CHECK(house.Opens());
  house.Restart();
  CHECK(house.Opens());
  house.PutRowBack();
  house.MustRefuse(Refusal::kKeyTampered);
}

TEST_CASE("stops: an old row does not catch up, neither by a rewrap nor where an act goes on from it", "[stops]") {
  Remembering house;
  house.CopyRow();
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  house.PutRowBack();
  SECTION("a KEK rotation leaves it") {
    KekRequest kek;
    kek.reason = "a test";
    REQUIRE(house.Ask(Operation::kPrepareKek, kek.Encode()).has_value());
    kek.version = 2;
    REQUIRE(house.Ask(Operation::kActivateKek, kek.Encode()).has_value());
    const auto reply = house.Ask(Operation::kRewrapKeys, RewrapRequest{"test", "", "a test"}.Encode());
    REQUIRE(reply.has_value());
    CHECK(RewrapAnswer::Decode(reply->body)->unopened == 1);
  }
  SECTION("an act refuses it") { CHECK(house.MoveRefusal(house.ref, "suspend") == Refusal::kKeyTampered); }
  house.MustRefuse(Refusal::kKeyTampered);
}

TEST_CASE("stops: after a final stop no row that says otherwise is believed, whatever its ROW_VERSION", "[stops]") {
  Remembering house;
  const auto epoch = std::to_string(house.service().epoch());
  house.Stop();
  // As if the revoke had been of a row that a KEK rotation had not reached, and this were the one it had.
  house.Append(epoch + " 1 REVOKED " + house.ref + "\n");
  house.Start();
  house.MustRefuse(Refusal::kKeyTampered);
}

TEST_CASE("stops: an older database releases nothing and takes no act, and the anchor knows it too", "[stops][sqlite]") {
  Remembering house;
  house.Stop();
  fs::copy_file(house.home() + "/vault.db", house.home() + "/yesterday.db");
  house.Start();
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  house.Stop();
  fs::copy_file(house.home() + "/yesterday.db", house.home() + "/vault.db", fs::copy_options::overwrite_existing);
  for (int start = 0; start < 2; ++start) {
    house.Start();
    house.MustRefuse(Refusal::kDatabaseOlder);
    CHECK(house.MoveRefusal(house.ref, "suspend") == Refusal::kDatabaseOlder);
    CHECK(house.Status()["database_older"] == true);
    house.Stop();
  }
  fs::rename(house.file(), house.home() + "/stops.old");
  house.Start();
  CHECK(house.Status()["database_older"] == true);
  house.MustRefuse(Refusal::kDatabaseOlder);
}

TEST_CASE("stops: an EPOCH that is set back under a running vaultd is noticed by the next act, which is undone", "[stops]") {
  Remembering house;
  house.Edit("UPDATE VAULT SET EPOCH = 1");
  CHECK(house.MoveRefusal(house.ref, "suspend") == Refusal::kDatabaseOlder);
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "ACTIVE");
  house.MustRefuse(Refusal::kDatabaseOlder);
}

TEST_CASE("stops: a torn last line is cut off, and the next one is whole", "[stops]") {
  Remembering house;
  house.Stop();
  const std::string whole = house.Text();
  house.Append("99 7 REVOKED " + house.ref);
  house.Start();
  CHECK(house.Text() == whole);
  CHECK(house.Opens());
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  CHECK(house.Text() == whole + std::to_string(house.service().epoch()) + " 3 REVOKED " + house.ref + "\n");
}

TEST_CASE("stops: a file that vaultd did not write so is refused with its line", "[stops]") {
  Remembering house;
  house.Stop();
  const std::string text = house.Text();
  const std::string line = GENERATE("x", "0", "-1", "1 ", "99 1", "99 1 REVOKED", "99 0 REVOKED ACME/openai/default/1",
                                    "99 1 ACTIVE ACME/openai/default/1", "99 1 REVOKED ACME", "99 1  REVOKED ACME/openai/default/1",
                                    "99 01 REVOKED ACME/openai/default/1", "99999999999999999999", "1", "");
  house.Append(line + "\n");
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  CHECK(house.Problem().find("stops, line " + std::to_string(lines) + ", is not") != std::string::npos);
  CHECK(house.Text() == text + line + "\n");
}

TEST_CASE("stops: another vault's file, or one that others may write, is refused", "[stops][sqlite]") {
  Remembering house;
  house.Stop();
  SECTION("another vault's") {
    Remembering other;
    fs::copy_file(other.file(), house.file(), fs::copy_options::overwrite_existing);
    CHECK(house.Problem().find("not of this vault") != std::string::npos);
  }
  SECTION("open to the group") {
    fs::permissions(house.file(), fs::perms::group_write, fs::perm_options::add);
    CHECK(house.Problem().find("chmod") != std::string::npos);
  }
  SECTION("a link") {
    fs::rename(house.file(), house.home() + "/elsewhere");
    fs::create_symlink("elsewhere", house.file());
    CHECK(house.Problem().find("symbolic link") != std::string::npos);
  }
}

TEST_CASE("stops: a file that was taken away is made anew from the rows that prove", "[stops]") {
  Remembering house;
  house.CopyRow();
  SECTION("what is stopped") {
    SECTION("revoked") { REQUIRE(house.MoveKey(house.ref, "revoke").has_value()); }
    SECTION("destroyed") {
      REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
      REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
    }
    house.Stop();
    fs::remove(house.file());
    house.Start();
    CHECK((fs::status(house.file()).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(house.Text().find(house.ref) != std::string::npos);
    house.PutRowBack();
    house.MustRefuse(Refusal::kKeyTampered);
  }
  SECTION("not a row that was edited to look stopped: it can be restored") {
    house.Edit("UPDATE KEY_VAULT SET STATUS = 'REVOKED', ROW_VERSION = 99");
    house.Restart();
    house.PutRowBack();
    CHECK(house.Opens());
  }
}

// NoFilesBeyond limits every file this process writes, for as long as it lives.
class NoFilesBeyond {
 public:
  explicit NoFilesBeyond(rlim_t bytes) {
    old_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old_) == 0);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~NoFilesBeyond() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_signal_);
  }
  NoFilesBeyond(const NoFilesBeyond&) = delete;
  NoFilesBeyond& operator=(const NoFilesBeyond&) = delete;

 private:
  rlimit old_{};
  void (*old_signal_)(int) = nullptr;
};

TEST_CASE("stops: where the file cannot be written the act says so, counts all the same, and is written with the next", "[stops]") {
  Remembering house;
  house.CopyRow();
  const auto epoch = std::to_string(house.service().epoch());
  house.Stop();
  std::string padding;
  while (padding.size() < std::size_t{4} << 20) padding += epoch + "\n";
  house.Append(padding);
  house.Start();
  {
    const NoFilesBeyond limit(fs::file_size(house.file()) + 5);
    CHECK(house.MoveRefusal(house.ref, "revoke") == Refusal::kStopsUnavailable);
    CHECK(house.Status()["healthy"] == false);
    CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "REVOKED");
    house.PutRowBack();
    house.MustRefuse(Refusal::kKeyTampered);
  }
  house.Onboard("BARCO", "openai", "BARCO_DEFAULT", kBarcoKey);
  CHECK(house.Status()["healthy"] == true);
  house.Restart();
  house.MustRefuse(Refusal::kKeyTampered);
}

}  // namespace
}  // namespace strongroom::vault
