// What the trail says was stopped, where no row says it any more: for a file of stops that is new, or was away.
#include "vault/trail_stops.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/vault/service_house.h"
#include "vault/stops.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

struct PutBack : ServiceHouse {
  PutBack() : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) { Edit("CREATE TABLE OLD AS SELECT * FROM KEY_VAULT"); }
  // RestartAnew puts the rows back, and has vaultd make its file of stops anew: as a node that joins does.
  void RestartAnew() {
    Stop();
    Edit("DELETE FROM KEY_VAULT WHERE KEY_REF IN (SELECT KEY_REF FROM OLD)");
    Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD");
    fs::remove(home() + "/stops");
    Start();
    CHECK(Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_VERSION = 1") == "ACTIVE");
  }
  Refusal Refused() { return RefusalFor(Operation::kProbe, EncodeText(ref)); }
  std::string Text() const {
    std::ifstream in(home() + "/stops");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::string ref;
};

TEST_CASE("stops: a new file has what the trail says was stopped, though the row from before is back", "[stops]") {
  PutBack house;
  SECTION("revoked") { REQUIRE(house.MoveKey(house.ref, "revoke").has_value()); }
  SECTION("compromised") { REQUIRE(house.MoveKey(house.ref, "compromise").has_value()); }
  SECTION("suspended") { REQUIRE(house.MoveKey(house.ref, "suspend").has_value()); }
  SECTION("destroyed") {
    REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
    REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  }
  SECTION("rotated") { house.Rotate(house.ref, base::kMicrosPerDay); }
  SECTION("offboarded") { REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard")).has_value()); }
  house.RestartAnew();
  CHECK(house.Refused() == Refusal::kKeyTampered);
  CHECK(house.Text().find(' ' + house.ref + '\n') != std::string::npos);
}

TEST_CASE("stops: a new file that is made while a row is gone has its stop too", "[stops]") {
  PutBack house;
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  house.Stop();
  house.Edit("DELETE FROM KEY_VAULT");
  fs::remove(house.home() + "/stops");
  house.Start();
  house.Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD");
  CHECK(house.Refused() == Refusal::kKeyTampered);
}

TEST_CASE("stops: what was let go on since is not held against its row by the trail", "[stops]") {
  PutBack house;
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  REQUIRE(house.MoveKey(house.ref, "resume").has_value());
  house.Stop();
  fs::remove(house.home() + "/stops");
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  house.RestartAnew();
  CHECK(house.Refused() == Refusal::kKeyTampered);
}

TEST_CASE("stops: a refused act, and a record that is none, stop nothing", "[stops]") {
  PutBack house;
  CHECK(house.RefusalFor(Operation::kMoveKey, MoveBody(house.ref, "revoke", "")) == Refusal::kReasonMissing);
  house.Stop();
  fs::remove(house.home() + "/stops");
  house.Edit("UPDATE AUDIT_LOG SET OUTCOME = 'ok' WHERE ACTION = 'move_key'");
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

// Reading: the trail's reader by itself, over a file of its own.
struct Reading : PutBack {
  Reading() : database(Open()), store(*database) { noted = std::move(*Stops::Open(home() + "/noted", Id())); }
  std::string Id() { return Value("SELECT VAULT_ID FROM VAULT"); }
  std::vector<vault::Stop> Read(TrailStops& trail, base::Micros now = base::WallMicros()) {
    std::vector<vault::Stop> found;
    REQUIRE(trail.Read(store, *noted, Id(), service().epoch(), now, found).has_value());
    return found;
  }
  std::unique_ptr<sql::Database> database;
  Store store;
  std::unique_ptr<Stops> noted;
};

TEST_CASE("stops: the trail is read whole for a new file, and from then on what is new", "[stops]") {
  Reading house;
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  house.Edit("UPDATE AUDIT_LOG SET AT = AT - ?1 WHERE ACTION = 'move_key'", {40 * base::kMicrosPerDay});
  TrailStops trail;
  const std::vector<vault::Stop> first = house.Read(trail);
  REQUIRE(first.size() == 1);
  CHECK(first.front() == vault::Stop{house.ref, 3, KeyState::kSuspended});
  REQUIRE(house.noted->Note(9, first).has_value());
  CHECK(house.Read(trail).empty());
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  const std::vector<vault::Stop> second = house.Read(trail);
  REQUIRE(second.size() == 1);
  CHECK(second.front().state == KeyState::kRevoked);
  // Handed over once, noted or not.
  CHECK(house.Read(trail).empty());
}

TEST_CASE("stops: a file that is behind has what came since the EPOCH it knows, however long ago that was", "[stops]") {
  Reading house;
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  const std::int64_t known = house.service().epoch();
  REQUIRE(house.MoveKey(house.ref, "resume").has_value());
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  REQUIRE(house.noted->Note(known, {}).has_value());
  house.Edit("UPDATE AUDIT_LOG SET AT = AT - ?1 WHERE ACTION = 'move_key'", {40 * base::kMicrosPerDay});
  SECTION("all of that, and what was done within a day before") {
    TrailStops trail;
    CHECK(house.Read(trail).size() == 2);
  }
  SECTION("not what was done long before") {
    // The record of the suspension is the newest that the file knows; of a revoke that was done three days before it, it is taken to know too.
    house.Edit("UPDATE AUDIT_LOG SET AT = AT - ?1 WHERE SEQ = (SELECT MAX(SEQ) FROM AUDIT_LOG WHERE ACTION = 'move_key')", {3 * base::kMicrosPerDay});
    TrailStops trail;
    const std::vector<vault::Stop> found = house.Read(trail);
    REQUIRE(found.size() == 1);
    CHECK(found.front().state == KeyState::kSuspended);
  }
}

TEST_CASE("stops: a file at the database's EPOCH has what is newer than a day before this node's own last record", "[stops]") {
  Reading house;
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  REQUIRE(house.noted->Note(house.service().epoch(), {}).has_value());
  SECTION("also where that was long ago") {
    TrailStops trail;
    CHECK(house.Read(trail, base::WallMicros() + 40 * base::kMicrosPerDay).size() == 1);
  }
  SECTION("not what was done long before") {
    house.Edit("UPDATE AUDIT_LOG SET AT = AT - ?1 WHERE ACTION = 'move_key'", {40 * base::kMicrosPerDay});
    TrailStops trail;
    CHECK(house.Read(trail).empty());
  }
  SECTION("a clock that went on without an act") {
    TrailStops trail;
    const base::Micros then = base::WallMicros() + 40 * base::kMicrosPerDay;
    CHECK(house.Read(trail).size() == 1);
    trail.NothingNew(then);
    REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
    CHECK(house.Read(trail, then).empty());
  }
}

TEST_CASE("stops: the trail is read page by page, and no record is left out or read twice", "[stops]") {
  Reading house;
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  const std::int64_t first = house.Last().place.seq;
  REQUIRE(house.MoveKey(house.ref, "resume").has_value());
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  std::vector<StopRecord> all = house.store.StopRecords(0, nullptr, 100).value();
  REQUIRE(all.size() == 3);
  // All of one time: the order is that of the numbers then.
  house.Edit("UPDATE AUDIT_LOG SET AT = 77 WHERE ACTION = 'move_key'");
  std::vector<std::int64_t> seen;
  std::vector<StopRecord> page = house.store.StopRecords(0, nullptr, 1).value();
  while (!page.empty()) {
    REQUIRE(page.size() == 1);
    seen.push_back(page.front().seq);
    const StopRecord last = page.front();
    page = house.store.StopRecords(0, &last, 1).value();
  }
  CHECK(seen == std::vector<std::int64_t>{first + 2, first + 1, first});
  CHECK(house.store.StopRecords(78, nullptr, 1)->empty());
}

TEST_CASE("stops: an older copy of the file, put back while vaultd is down, has what came since", "[stops]") {
  PutBack house;
  const std::string before = house.Text();
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  house.Stop();
  house.Edit("DELETE FROM KEY_VAULT");
  house.Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD");
  std::ofstream(house.home() + "/stops") << before;
  house.Start();
  CHECK(house.Refused() == Refusal::kKeyTampered);
}

TEST_CASE("stops: what records say, those of before they told the ROW_VERSION included", "[stops]") {
  audit::Draft record;
  record.key_ref = "ACME/anthropic/default/2";
  const vault::Stop old{"ACME/anthropic/default/1", 1, KeyState::kRevoked}, named{*record.key_ref, 1, KeyState::kRevoked};
  using Stopped = std::vector<vault::Stop>;
  SECTION("a move") {
    record.action = GENERATE("move_key", "end_grace");
    record.after = audit::Facts{{"status", "REVOKED"}};
    CHECK(StopsOf(record) == Stopped{named});
    record.outcome = audit::Outcome::kDenied;
    CHECK(StopsOf(record).empty());
  }
  SECTION("a move that is not final, or none") {
    record.action = "move_key";
    for (const char* status : {"SUSPENDED", "ROTATED", "ACTIVE", "rubbish", ""}) {
      record.after = audit::Facts{{"status", status}};
      CHECK(StopsOf(record).empty());
    }
    record.after.reset();
    CHECK(StopsOf(record).empty());
  }
  SECTION("a rotation of a key that was SUSPENDED") {
    record.action = "rotate_key";
    record.before = audit::Facts{{"key_ref", old.key_ref}, {"status", "SUSPENDED"}};
    record.after = audit::Facts{{"status", "ACTIVE"}, {"old_status", "REVOKED"}};
    CHECK(StopsOf(record) == Stopped{old});
    (*record.after)["old_status"] = "ROTATED";
    CHECK(StopsOf(record).empty());
  }
  SECTION("a customer who left") {
    record.action = "offboard";
    record.before = audit::Facts{{"keys", old.key_ref + " ACTIVE, " + named.key_ref + " PENDING"}, {"keys_2", "ACME/openai/x/1 ROTATED"}, {"profiles", "P ACTIVE"}};
    CHECK(StopsOf(record) == Stopped{old, named, {"ACME/openai/x/1", 1, KeyState::kRevoked}});
  }
  SECTION("told with the ROW_VERSION") {
    record.action = "report_probe";
    record.after = audit::Facts{{"status", "SUSPENDED"}};
    TellStop({}, record);
    CHECK_FALSE(record.after->contains("stop"));
    TellStop({{named.key_ref, 7, KeyState::kSuspended}}, record);
    CHECK(record.after->at("stop") == "7 SUSPENDED ACME/anthropic/default/2");
    CHECK(StopsOf(record) == Stopped{{named.key_ref, 7, KeyState::kSuspended}});
    (*record.after)["stop"] = GENERATE("rubbish", "7 ACTIVE ACME/anthropic/default/2", "0 REVOKED ACME/anthropic/default/2", "TWO_PEOPLE OFF");
    CHECK(StopsOf(record).empty());
  }
}

}  // namespace
}  // namespace strongroom::vault
