// What is only so on PostgreSQL. The other cases run there too, in the same process: see CMakeLists.txt.
#include <filesystem>

#include "audit/reader.h"
#include "audit/verifier.h"
#include "tests/sql/postgres_server.h"
#include "tests/vault/eventually.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;
using test::TestPostgres;

std::string ProblemOfInit(const Home& home, const std::string& url) {
  const auto made = InitVault(home.path, url);
  REQUIRE_FALSE(made.has_value());
  CHECK_FALSE(fs::exists(home.path));
  CHECK(made.error().text.find('\n') == std::string::npos);
  return made.error().text;
}

bool Says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::unique_ptr<sql::Database> Server() {
  auto database = sql::Open(TestPostgres::Get().Url(), {});
  REQUIRE(database.has_value());
  return std::move(*database);
}

TEST_CASE("init takes an empty database of a server, and no other", "[postgres]") {
  const std::string url = TestPostgres::Get().Url();
  TestPostgres::Get().Clear();
  Home home, other;
  SECTION("no URL") { CHECK(Says(ProblemOfInit(home, "sqlite:/tmp/x.db"), "odbc:")); }
  SECTION("a password where everybody reads it") {
    CHECK(Says(ProblemOfInit(home, url + "Pwd=hunter2;"), "passfile"));
    CHECK_FALSE(Says(ProblemOfInit(home, url + "password=hunter2;"), "hunter2"));
  }
  SECTION("a server that is not there") {
    CHECK(Says(ProblemOfInit(home, "odbc:Driver=PostgreSQL Unicode;Server=/nowhere;Database=x;Uid=y;"), "cannot make"));
  }
  SECTION("one that has a vault") {
    REQUIRE(InitVault(home.path, url).has_value());
    CHECK(Says(ProblemOfInit(other, url), "holds a vault already"));
    CHECK(Service::Open(*base::LoadConfig(home.path)).has_value());
  }
}

// A node that has begun a rotation: what the others sign with stays, while one of them does.
struct RotatedNode : ServiceHouse {
  std::string KeyOfAll() { return Value("SELECT ENCODE(TRAIL_PUBLIC_KEY, 'hex') FROM VAULT"); }
  std::string Names() { return Value("SELECT STRING_AGG(SPLIT_PART(SECRET_NAME, '/', 1), ' ') FROM VAULT_SECRET WHERE SECRET_NAME LIKE 'trail%'"); }
  void AddMember(std::string_view status) {
    Edit("INSERT INTO NODE (NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT) VALUES ('00000000000000aa', 'other', ?1, '', 0, 0, 0)", {status});
  }
  void Rotate() {
    REQUIRE(Ask(Operation::kRotateSigningKey, EncodeText("a yearly change")).has_value());
    REQUIRE(Eventually([&] { return Names() == "trail-signing trail-signing"; }));
  }
};

TEST_CASE("a node rotates the key of its own log, and the key of all goes with the last that signs with it", "[postgres]") {
  RotatedNode house;
  const std::string key = house.KeyOfAll();
  SECTION("this is the only node") {
    house.Rotate();
    CHECK(house.KeyOfAll() != key);
  }
  SECTION("one that has joined, and is not confirmed, signs nothing yet") {
    house.AddMember("JOINING");
    house.Rotate();
    CHECK(house.KeyOfAll() != key);
  }
  SECTION("another member signs with it, until it is removed") {
    house.AddMember("MEMBER");
    house.Rotate();
    CHECK(house.KeyOfAll() == key);
    REQUIRE(house.Ask(Operation::kRemoveNode, NodeRequest{"00000000000000aa", "gone"}.Encode()).has_value());
    CHECK(house.KeyOfAll() != key);
  }
  // Its own key is changed again like any; a start finds it, and one that was changed outside vaultd is refused.
  house.Rotate();
  house.Stop();
  house.Start();
  REQUIRE(house.Ask(Operation::kStatus, {}).has_value());
  house.Stop();
  house.Edit("UPDATE NODE SET VERIFIER_KEY = '' WHERE STATUS = 'MEMBER'");
  const auto opened = Service::Open(house.config());
  REQUIRE_FALSE(opened.has_value());
  CHECK(Says(opened.error().text, "public key was changed outside vaultd"));
}

TEST_CASE("a server that may lose commits is refused, at the start too", "[postgres]") {
  TestPostgres::Get().Clear();
  Home home, other;
  home.Init();
  REQUIRE(Server()->RunScript("ALTER ROLE postgres SET synchronous_commit = off").has_value());
  CHECK(Says(ProblemOfInit(other, TestPostgres::Get().Url()), "lose commits"));
  const auto opened = Service::Open(*base::LoadConfig(home.path));
  REQUIRE(Server()->RunScript("ALTER ROLE postgres RESET synchronous_commit").has_value());
  REQUIRE_FALSE(opened.has_value());
  CHECK(Says(opened.error().text, "lose commits"));
  CHECK(Service::Open(*base::LoadConfig(home.path)).has_value());
}

TEST_CASE("a home without its node's name does not serve a database that others share", "[postgres]") {
  Home home;
  home.Init();
  fs::remove(home.path + "/node");
  const auto opened = Service::Open(*base::LoadConfig(home.path));
  REQUIRE_FALSE(opened.has_value());
  CHECK(Says(opened.error().text, home.path + "/node is missing"));
}

TEST_CASE("a server that goes away takes no key with it, and is found again", "[postgres]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  TestPostgres::Get().Stop();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kTrailUnavailable);
  CHECK(house.MoveRefusal(ref, "revoke") == Refusal::kTrailUnavailable);
  CHECK(house.RefusalFor(Operation::kShowKey, EncodeText(ref)) != Refusal::kKeyUnknown);
  TestPostgres::Get().Start();
  const auto deadline = base::MonoMicros() + 20 * base::kMicrosPerSecond;
  auto opened = house.Opened("ACME", "ACME_DEFAULT");
  while (!opened && base::MonoMicros() < deadline) opened = house.Opened("ACME", "ACME_DEFAULT");
  REQUIRE(opened.has_value());
  CHECK(*opened == kAcmeKey);
  const auto verdict = audit::Verify(*house.Open());
  REQUIRE(verdict.has_value());
  CHECK_FALSE(verdict->fault.has_value());
}

TEST_CASE("each node has a log of its own in the database they share", "[postgres]") {
  ServiceHouse house;
  const auto database = house.Open();
  const auto logs = audit::ListLogs(*database);
  REQUIRE(logs.has_value());
  REQUIRE(logs->size() == 1);
  CHECK(house.Last().place.log.ends_with("/" + logs->front()));
  CHECK(house.Edit("INSERT INTO AUDIT_TRAIL SELECT '00ff', SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, "
                   "REQUEST_ID FROM AUDIT_LOG WHERE SEQ = 1") == 1);
  CHECK(audit::ListLogs(*database)->size() == 2);
  CHECK(audit::Verify(*database)->records == 2);
  sql::OpenOptions other;
  other.node = "00ff";
  const auto foreign = sql::Open(house.config().vault.database, other);
  REQUIRE(foreign.has_value());
  const auto verdict = audit::Verify(**foreign);
  REQUIRE(verdict.has_value());
  REQUIRE(verdict->fault.has_value());
  CHECK(verdict->fault->kind == "missing");
}

}  // namespace
}  // namespace strongroom::vault
