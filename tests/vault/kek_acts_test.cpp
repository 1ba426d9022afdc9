// KEK rotation: prepare, activate, rewrap, retire, destroy; what is refused on the way, and what a restart finds.
#include "vault/kek_acts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;

Bytes Version(std::int64_t version) {
  KekRequest request;
  request.version = version;
  request.reason = "yearly";
  return request.Encode();
}

std::int64_t Prepare(ServiceHouse& house) {
  auto reply = house.Ask(Operation::kPrepareKek, Version(0));
  REQUIRE(reply.has_value());
  return DecodeNumber(reply->body).value();
}

RewrapAnswer Chunk(ServiceHouse& house, const std::string& after = "") {
  RewrapRequest request{"test", after, "yearly"};
  auto reply = house.Ask(Operation::kRewrapKeys, request.Encode());
  REQUIRE(reply.has_value());
  return RewrapAnswer::Decode(reply->body).value();
}

std::string Status(ServiceHouse& house, std::int64_t version) {
  return house.Value("SELECT STATUS FROM KEK WHERE KEK_VERSION = ?1", {version});
}

bool IsFile(const ServiceHouse& house, const std::string& name) {
  return access((house.home() + "/kek/" + name).c_str(), F_OK) == 0;
}

// Two is a house with two keys in use.
struct Two : ServiceHouse {
  Two() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Onboard("BARCO", "openai", "BARCO_DEFAULT", kBarcoKey);
  }
  void CheckBothOpen() {
    CHECK(Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
    CHECK(Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
  }
};

// Half is a house whose rotation stopped before its first rewrap, with its vault in the test's own hands.
struct Half : Two {
  Half() {
    Prepare(*this);
    REQUIRE(Ask(Operation::kActivateKek, Version(2)).has_value());
    Stop();
    auto loaded = LoadVault(config());
    REQUIRE(loaded.has_value());
    vault = std::move(*loaded);
  }
  // WrapAhead begins with both keys' rows, and waits for it.
  void WrapAhead() {
    vault->ahead.Start(vault->Keys().value(), 1, "", 32);
    vault->ahead.Await();
  }
  std::unique_ptr<OpenVault> vault;
};

}  // namespace

TEST_CASE("kek: a rotation step by step, with every key open at each", "[kek][sqlite]") {
  Two house;
  const std::string payload = house.Value("SELECT GROUP_CONCAT(HEX(ENCRYPTED_KEY) || HEX(NONCE_KEY)) FROM KEY_VAULT");
  CHECK(Prepare(house) == 2);
  house.CheckBothOpen();
  CHECK(Status(house, 2) == "PREPARED");
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  house.CheckBothOpen();
  CHECK(Status(house, 1) == "RETIRING");
  CHECK(house.Value("SELECT COUNT(*) FROM VAULT_SECRET WHERE KEK_VERSION = 2") == "4");
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekInUse);
  // New keys are wrapped under the new version while old ones still wait.
  house.Onboard("CORAL", "openai", "CORAL_DEFAULT", "sk-coral-0123456789-0123456789");
  CHECK(house.Value("SELECT KEK_VERSION FROM KEY_VAULT WHERE CUSTOMER = 'CORAL'") == "2");
  const RewrapAnswer chunk = Chunk(house);
  CHECK(chunk.rewrapped == 2);
  CHECK(chunk.unopened == 0);
  CHECK(chunk.next.empty());
  CHECK(house.Last().draft.after->at("rewrapped") == "2");
  house.CheckBothOpen();
  CHECK(Chunk(house).rewrapped == 0);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  house.CheckBothOpen();
  CHECK(Status(house, 1) == "RETIRED");
  CHECK(house.Value("SELECT GROUP_CONCAT(HEX(ENCRYPTED_KEY) || HEX(NONCE_KEY)) FROM KEY_VAULT WHERE CUSTOMER <> 'CORAL'") ==
        payload);
  house.Stop();
  // A retired KEK is not needed any more, not even its file.
  REQUIRE(rename((house.home() + "/kek/1.key").c_str(), (house.home() + "/1.key").c_str()) == 0);
  house.Start();
  house.CheckBothOpen();
}

TEST_CASE("kek: each step survives a restart, and the rotation goes on from there", "[kek]") {
  Two house;
  const auto restart = [&house] {
    house.Stop();
    house.Start();
    house.CheckBothOpen();
  };
  Prepare(house);
  restart();
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  restart();
  Chunk(house);
  restart();
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  restart();
  CHECK(Prepare(house) == 3);
}

TEST_CASE("kek: only the moves of the table", "[kek]") {
  Two house;
  using enum Operation;
  CHECK(house.RefusalFor(kPrepareKek, Version(7)) == Refusal::kFieldInvalid);
  for (const Operation move : {kActivateKek, kRetireKek, kDestroyKek}) {
    CHECK(house.RefusalFor(move, Version(1)) == Refusal::kKekMoveForbidden);
    CHECK(house.RefusalFor(move, Version(9)) == Refusal::kKekMoveForbidden);
    CHECK(house.RefusalFor(move, Version(-1)) == Refusal::kKekMoveForbidden);
  }
  Prepare(house);
  CHECK(house.RefusalFor(kPrepareKek, Version(0)) == Refusal::kKekMoveForbidden);
  REQUIRE(house.Ask(kActivateKek, Version(2)).has_value());
  CHECK(house.RefusalFor(kActivateKek, Version(2)) == Refusal::kKekMoveForbidden);
  CHECK(house.RefusalFor(kPrepareKek, Version(0)) == Refusal::kKekMoveForbidden);
  const auto worker = static_cast<std::uint8_t>(Role::kWorker), auditor = static_cast<std::uint8_t>(Role::kAuditor);
  for (const Operation move : {kPrepareKek, kActivateKek, kRetireKek, kDestroyKek, kRewrapKeys}) {
    CHECK(house.RefusalFor(move, Version(1), worker) == Refusal::kNoRole);
    CHECK(house.RefusalFor(move, Version(1), auditor) == Refusal::kNoRole);
  }
  KekRequest silent;
  silent.version = 1;
  CHECK(house.RefusalFor(kRetireKek, silent.Encode()) == Refusal::kReasonMissing);
}

TEST_CASE("kek: a version is destroyed no sooner than 7 days after it was retired, with its file", "[kek]") {
  Two house;
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  Chunk(house);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  CHECK(house.RefusalFor(Operation::kDestroyKek, Version(1)) == Refusal::kKekTooSoon);
  CHECK(IsFile(house, "1.key"));
  house.Edit("UPDATE KEK SET CHANGED_AT = CHANGED_AT - ?1 WHERE KEK_VERSION = 1", {kKekKept});
  REQUIRE(house.Ask(Operation::kDestroyKek, Version(1)).has_value());
  CHECK(Status(house, 1) == "DESTROYED");
  CHECK_FALSE(IsFile(house, "1.key"));
  CHECK(IsFile(house, "2.key"));
  CHECK(house.RefusalFor(Operation::kDestroyKek, Version(1)) == Refusal::kKekMoveForbidden);
  house.CheckBothOpen();
}

TEST_CASE("kek: a row that was edited is left where it is and keeps its version from being retired", "[kek]") {
  Two house;
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'SUSPENDED' WHERE CUSTOMER = 'ACME'");
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  const RewrapAnswer chunk = Chunk(house);
  CHECK(chunk.rewrapped == 1);
  CHECK(chunk.unopened == 1);
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekInUse);
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'ACTIVE' WHERE CUSTOMER = 'ACME'");
  CHECK(Chunk(house).rewrapped == 1);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  house.CheckBothOpen();
}

TEST_CASE("kek: chunks follow one another, and a second rotation is told of the first", "[kek]") {
  Two house;
  // Rows that cannot open are as good as others to count chunks by. They are more than one request takes, however slow the machine.
  house.Edit(
      "WITH RECURSIVE N(I) AS (SELECT 2 UNION ALL SELECT I + 1 FROM N WHERE I < 8300) INSERT INTO KEY_VAULT "
      "SELECT 'ACME/anthropic/default/' || I, CUSTOMER, PROVIDER, I, ENCRYPTED_DEK, ENCRYPTED_KEY, NONCE_DEK, NONCE_KEY, "
      "KEK_VERSION, STATUS, CREATED_AT, LAST_USED_AT, REVOKED_AT, LABEL, ORIGIN, HOSTED, ROW_VERSION, GRACE_UNTIL, "
      "STATE_CHANGED_AT, FINGERPRINT, NULL, NULL FROM KEY_VAULT, N WHERE KEY_REF = 'ACME/anthropic/default/1'");
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  const RewrapAnswer first = Chunk(house);
  CHECK_FALSE(first.next.empty());
  RewrapRequest other{"another", "", "yearly"};
  CHECK(house.RefusalFor(Operation::kRewrapKeys, other.Encode()) == Refusal::kRewrapUnderWay);
  std::int64_t rewrapped = first.rewrapped, unopened = first.unopened;
  std::string next = first.next;
  for (int i = 0; i < 100 && !next.empty(); ++i) {
    const RewrapAnswer chunk = Chunk(house, next);
    rewrapped += chunk.rewrapped;
    unopened += chunk.unopened;
    next = chunk.next;
  }
  CHECK(rewrapped == 2);
  CHECK(unopened == 8299);
  // It has ended, so another may begin.
  CHECK(house.Ask(Operation::kRewrapKeys, other.Encode()).has_value());
  other.run = "";
  CHECK(house.RefusalFor(Operation::kRewrapKeys, other.Encode()) == Refusal::kFieldInvalid);
}

TEST_CASE("kek: a row that was written since it was wrapped ahead is looked at again", "[kek][sqlite]") {
  Half house;
  house.WrapAhead();
  {
    const auto database = house.Open();
    Store store(*database);
    // One is used, which puts it under the new KEK; the other is edited.
    auto used = ProvenKey::Find(*house.vault, store, "BARCO/openai/default/1");
    REQUIRE(used.has_value());
    REQUIRE(used->Touch(*house.vault, store, 1));
    house.Edit("UPDATE KEY_VAULT SET ROW_VERSION = ROW_VERSION + 1 WHERE CUSTOMER = 'ACME'");
    auto act = MakeRewrapKeys(*house.vault, RewrapRequest{"test", "", "yearly"}.Encode(), std::nullopt);
    REQUIRE(act.has_value());
    audit::Draft record;
    REQUIRE((*act)->Decide(store, 1, record));
    CHECK(record.after->at("rewrapped") == "0");
    CHECK(record.after->at("unopened") == "1");
    CHECK(record.after->at("first_unopened") == "ACME/anthropic/default/1");
  }
  house.vault.reset();
  house.Start();
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyTampered);
}

TEST_CASE("kek: what was wrapped ahead is not written past a stop", "[kek][sqlite]") {
  Half house;
  RewrapAhead& ahead = house.vault->ahead;
  const auto keys = house.vault->Keys().value();
  house.WrapAhead();
  const std::vector<Stop> stops{{"ACME/anthropic/default/1", 1000, KeyState::kRevoked}};
  REQUIRE(house.vault->stops->Note(1000, stops));
  const auto chunk = ahead.Take(keys, 1, "");
  REQUIRE(chunk);
  CHECK(chunk->moves.size() == 1);
  CHECK(chunk->unopened == std::vector<std::string>{"ACME/anthropic/default/1"});
  // Another place or set of keys than what was begun is not taken.
  house.WrapAhead();
  CHECK_FALSE(ahead.Take(keys, 1, "ACME/anthropic/default/1"));
  CHECK_FALSE(ahead.Take(keys, 1, ""));
  house.WrapAhead();
  CHECK_FALSE(ahead.Take(std::make_shared<VaultKeys>(*keys), 1, ""));
}

TEST_CASE("kek: what was wrapped ahead and is never asked for keeps no KEK in memory", "[kek][sqlite]") {
  Half house;
  const std::weak_ptr<const VaultKeys> left = house.vault->Keys().value();
  house.WrapAhead();
  house.vault->held.Put(nullptr);
  CHECK(left.expired());
}

TEST_CASE("kek: a file that nobody has a row for is passed over, never written over", "[kek]") {
  Two house;
  const std::string stray = house.home() + "/kek/2.key";
  const int fd = open(stray.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(write(fd, "0123456789abcdef0123456789abcdef", 32) == 32);
  close(fd);
  CHECK(Prepare(house) == 3);
  struct stat facts {};
  REQUIRE(stat(stray.c_str(), &facts) == 0);
  CHECK(facts.st_size == 32);
  // The file of a PREPARED version may be lost: nothing is under it, and another is prepared.
  house.Stop();
  REQUIRE(unlink((house.home() + "/kek/3.key").c_str()) == 0);
  house.Start();
  CHECK(house.RefusalFor(Operation::kActivateKek, Version(3)) == Refusal::kKekMissing);
  CHECK(Prepare(house) == 4);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(4)).has_value());
  house.CheckBothOpen();
}

TEST_CASE("kek: nothing is put under a KEK whose file has gone", "[kek]") {
  Two house;
  Prepare(house);
  const std::string file = house.home() + "/kek/2.key", away = house.home() + "/away.key";
  REQUIRE(rename(file.c_str(), away.c_str()) == 0);
  CHECK(house.RefusalFor(Operation::kActivateKek, Version(2)) == Refusal::kKekFile);
  REQUIRE(rename(away.c_str(), file.c_str()) == 0);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  Chunk(house);
  REQUIRE(rename(file.c_str(), away.c_str()) == 0);
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekFile);
  CHECK(Status(house, 1) == "RETIRING");
  REQUIRE(rename(away.c_str(), file.c_str()) == 0);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
}

TEST_CASE("kek: the census goes by wraps, not by what a row says of itself", "[kek]") {
  Two house;
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  SECTION("a row that claims to be destroyed") {
    house.Edit("UPDATE KEY_VAULT SET STATUS = 'DESTROYED' WHERE CUSTOMER = 'ACME'");
    const RewrapAnswer chunk = Chunk(house);
    CHECK(chunk.unopened == 1);
    CHECK(chunk.first_unopened == "ACME/anthropic/default/1");
  }
  SECTION("a row that claims a KEK version nobody has") {
    house.Edit("INSERT INTO KEK SELECT 900, CHECK_VALUE, 'DESTROYED', CREATED_AT, CHANGED_AT FROM KEK WHERE KEK_VERSION = 1");
    house.Edit("UPDATE KEY_VAULT SET KEK_VERSION = 900 WHERE CUSTOMER = 'ACME'");
    CHECK(Chunk(house).first_unopened == "ACME/anthropic/default/1");
  }
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekInUse);
}

TEST_CASE("kek: a row put back under a retired KEK keeps it from being destroyed", "[kek]") {
  Two house;
  house.Edit("CREATE TABLE OLD AS SELECT * FROM KEY_VAULT");
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  Chunk(house);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  house.Edit("UPDATE KEK SET CHANGED_AT = CHANGED_AT - ?1 WHERE KEK_VERSION = 1", {kKekKept});
  house.Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
  house.Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD WHERE CUSTOMER = 'ACME'");
  CHECK(house.RefusalFor(Operation::kDestroyKek, Version(1)) == Refusal::kKekInUse);
  CHECK(IsFile(house, "1.key"));
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKekRetired);
  CHECK(house.MoveKey("ACME/anthropic/default/1", "revoke").has_value());
}

TEST_CASE("kek: a rotation does not spend a PENDING key's probe", "[kek]") {
  Two house;
  AddKeyRequest add;
  add.customer = "CORAL";
  add.provider = "openai";
  add.reason = "new";
  const std::string ref = house.AddKey(add, kBarcoKey).value();
  Prepare(house);
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
  CHECK(Chunk(house).rewrapped == 3);
  for (int probe = 0; probe < 10; ++probe) CHECK(house.Ask(Operation::kProbe, EncodeText(ref)).has_value());
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyProbeSpent);
}

TEST_CASE("kek: a KEK table that was edited is not worked with", "[kek]") {
  Two house;
  SECTION("a version that no file can have") {
    house.Edit("INSERT INTO KEK SELECT 999999999, CHECK_VALUE, 'DESTROYED', CREATED_AT, CHANGED_AT FROM KEK");
    CHECK(house.RefusalFor(Operation::kPrepareKek, Version(0)) == Refusal::kKekMoveForbidden);
    house.Edit("UPDATE KEK SET KEK_VERSION = 9223372036854775807 WHERE KEK_VERSION = 999999999");
    CHECK(house.RefusalFor(Operation::kPrepareKek, Version(0)) == Refusal::kKekMoveForbidden);
  }
  SECTION("an old version made ACTIVE again") {
    Prepare(house);
    REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
    house.Stop();
    house.Edit("UPDATE KEK SET STATUS = CASE KEK_VERSION WHEN 1 THEN 'ACTIVE' ELSE 'RETIRING' END");
    const auto opened = Service::Open(house.config());
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().text.find("changed outside vaultd") != std::string::npos);
  }
}

TEST_CASE("kek: files that the database does not want keep nobody from starting", "[kek]") {
  Two house;
  house.Stop();
  const int fd = open((house.home() + "/kek/7.key").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  close(fd);
  house.Start();
  house.CheckBothOpen();
}

TEST_CASE("kek: no wrap is written under a version that the database does not call ACTIVE", "[kek]") {
  Two house;
  // As after a commit whose outcome vaultd was not told.
  house.Edit("UPDATE KEK SET STATUS = 'RETIRING' WHERE KEK_VERSION = 1");
  CHECK(house.MoveRefusal("ACME/anthropic/default/1", "suspend") == Refusal::kKekMissing);
  AddKeyRequest add;
  add.customer = "CORAL";
  add.provider = "openai";
  add.reason = "new";
  const auto added = house.AddKey(add, kBarcoKey);
  REQUIRE_FALSE(added.has_value());
  CHECK(RefusalOf(added.error()) == Refusal::kKekMissing);
  house.CheckBothOpen();
  // A key must be stopped whatever became of its row or its KEK.
  CHECK(house.MoveKey("ACME/anthropic/default/1", "revoke").has_value());
}

}  // namespace strongroom::vault
