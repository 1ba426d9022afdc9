// The way back from a rotation: what it does, what it refuses, and that it brings back nothing that was stopped.
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kGrace = base::kMicrosPerDay;
constexpr std::string_view kThirdKey = "sk-ant-third-000111222333444555";

Bytes RollBack(const std::string& key_ref, const std::string& move = "rollback") { return MoveBody(key_ref, move, "the new key is wrong"); }

struct Rotated : ServiceHouse {
  explicit Rotated(base::Micros grace = kGrace)
      : first(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)), second(Rotate(first, grace)) {}
  std::string Status(const std::string& key_ref) { return Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_REF = ?1", {std::string_view(key_ref)}); }
  std::string Epoch() { return Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT"); }
  Refusal Refused(const std::string& key_ref) { return RefusalFor(Operation::kRollBackKey, RollBack(key_ref)); }
  nlohmann::json Show(const std::string& key_ref) {
    const auto reply = Ask(Operation::kShowKey, EncodeText(key_ref));
    REQUIRE(reply.has_value());
    return nlohmann::json::parse(DecodeText(reply->body).value());
  }
  const std::string first, second;
};

}  // namespace

TEST_CASE("rollback: the old key is ACTIVE and used again, the new one SUSPENDED, in one act", "[service]") {
  Rotated house;
  CHECK(house.Show(house.first)["replaced_by"] == house.second);
  CHECK(house.Show(house.second)["replaces"] == house.first);
  const std::string epoch = house.Epoch();
  const auto answer = house.Ask(Operation::kRollBackKey, RollBack(house.first));
  REQUIRE(answer.has_value());
  CHECK(StoppedAnswer::Decode(answer->body).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(house.Show(house.first)["grace_until"].is_null());
  CHECK(house.Show(house.first)["intact"] == true);
  CHECK(house.Show(house.second)["status"] == "SUSPENDED");
  CHECK(std::stoll(house.Epoch()) == std::stoll(epoch) + 1);
  // An old row of the new key, from before, is not believed.
  CHECK(house.MoveKey(house.second, "resume").has_value());
  const auto record = [&] {
    const auto database = house.Open();
    auto row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE ACTION = 'rollback_key'");
    REQUIRE((row.has_value() && *row != nullptr));
    const Bytes bytes = (*row)->Blob(0);
    (*row)->Reset();
    return audit::Parse(base::AsText(bytes)).value().draft;
  }();
  CHECK(record.key_ref == house.first);
  CHECK(record.purpose == "the new key is wrong");
  CHECK(*record.before == audit::Facts{{"key_ref", house.second}, {"status", "ACTIVE"}});
  CHECK(*record.after == audit::Facts{{"status", "ACTIVE"}, {"old_status", "SUSPENDED"}, {"profiles", "1"}, {"stop", "3 SUSPENDED " + house.second}});
}

TEST_CASE("rollback: the key that turned out wrong opens no more, nor does its row from before", "[service]") {
  Rotated house;
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_VAULT WHERE KEY_VERSION = 2");
  REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value());
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'ACTIVE', ROW_VERSION = (SELECT ROW_VERSION FROM KEPT), "
             "ENCRYPTED_DEK = (SELECT ENCRYPTED_DEK FROM KEPT), NONCE_DEK = (SELECT NONCE_DEK FROM KEPT) WHERE KEY_VERSION = 2");
  house.Edit("DROP TABLE KEPT");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.second)) == Refusal::kKeyTampered);
}

TEST_CASE("rollback: only a key that is ROTATED and within its grace", "[service]") {
  Rotated house;
  CHECK(house.Refused(house.second) == Refusal::kKeyNotRotated);
  CHECK(house.Refused("ACME/anthropic/default/9") == Refusal::kKeyUnknown);
  CHECK(house.RefusalFor(Operation::kRollBackKey, RollBack(house.first, "revoke")) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kRollBackKey, RollBack(house.first), static_cast<std::uint8_t>(Role::kWorker)) == Refusal::kNoRole);
  SECTION("REVOKED") { REQUIRE(house.MoveKey(house.first, "revoke").has_value()); }
  SECTION("COMPROMISED") { REQUIRE(house.MoveKey(house.first, "compromise").has_value()); }
  SECTION("brought back already") { REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value()); }
  const std::string epoch = house.Epoch();
  CHECK(house.Refused(house.first) == Refusal::kKeyNotRotated);
  CHECK(house.Epoch() == epoch);
  CHECK(house.Last().draft.action == "rollback_key");
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
}

TEST_CASE("rollback: not after the grace", "[service]") {
  Rotated house(base::kMicrosPerSecond / 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  // Until vaultd has revoked it, some seconds later.
  const Refusal refusal = house.Refused(house.first);
  CHECK((refusal == Refusal::kRollbackLate || refusal == Refusal::kKeyNotRotated));
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
  CHECK(house.Status(house.second) == "ACTIVE");
}

TEST_CASE("rollback: a row of before a stop that was put back is not brought back", "[service]") {
  Rotated house;
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_VAULT WHERE KEY_VERSION = 1");
  REQUIRE(house.MoveKey(house.first, "revoke").has_value());
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'ROTATED', ROW_VERSION = (SELECT ROW_VERSION FROM KEPT), STATE_CHANGED_AT = (SELECT STATE_CHANGED_AT FROM KEPT), "
             "ENCRYPTED_DEK = (SELECT ENCRYPTED_DEK FROM KEPT), NONCE_DEK = (SELECT NONCE_DEK FROM KEPT) WHERE KEY_VERSION = 1");
  house.Edit("DROP TABLE KEPT");
  CHECK(house.Refused(house.first) == Refusal::kKeyTampered);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("rollback: a grace that was prolonged in the database is no grace", "[service]") {
  Rotated house;
  house.Edit("UPDATE KEY_VAULT SET GRACE_UNTIL = GRACE_UNTIL + 86400000000 WHERE KEY_VERSION = 1");
  CHECK(house.Refused(house.first) == Refusal::kKeyTampered);
}

TEST_CASE("rollback: where the new key was stopped meanwhile, it stays so, and the old one takes its profiles back", "[service]") {
  Rotated house;
  std::string status;
  SECTION("revoked") { status = "REVOKED"; REQUIRE(house.MoveKey(house.second, "revoke").has_value()); }
  SECTION("compromised") { status = "COMPROMISED"; REQUIRE(house.MoveKey(house.second, "compromise").has_value()); }
  SECTION("suspended") { status = "SUSPENDED"; REQUIRE(house.MoveKey(house.second, "suspend").has_value()); }
  REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value());
  CHECK(house.Status(house.second) == status);
  CHECK(house.Last().draft.after->at("old_status") == status);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("rollback: over two rotations, to the first key, and a rotation after it can be rolled back again", "[service]") {
  Rotated house;
  const std::string third = house.Rotate(house.second, kGrace, kThirdKey);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kThirdKey);
  CHECK(house.Show(third)["replaces"] == house.second);
  REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(house.Status(third) == "SUSPENDED");
  CHECK(house.Status(house.second) == "ROTATED");
  const std::string fourth = house.Rotate(house.first, kGrace, kThirdKey);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kThirdKey);
  REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value());
  CHECK(house.Status(fourth) == "SUSPENDED");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("rollback: another key of the same place, which took nobody's, is left alone", "[service]") {
  Rotated house;
  const std::string beside = house.Onboard("ACME", "anthropic", "ACME_OTHER", kThirdKey);
  REQUIRE(beside == "ACME/anthropic/default/3");
  const std::string fourth = house.Rotate(beside, kGrace);
  REQUIRE(house.Ask(Operation::kRollBackKey, RollBack(house.first)).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(house.Opened("ACME", "ACME_OTHER").value() == kBarcoKey);
  CHECK(house.Status(fourth) == "ACTIVE");
  CHECK(house.Status(house.second) == "SUSPENDED");
}

TEST_CASE("rollback: not where the trail does not say what took its place, nor to profiles that were changed outside", "[service]") {
  Rotated house;
  SECTION("no record") {
    house.Edit("UPDATE KEY_VAULT SET STATE_CHANGED_AT = STATE_CHANGED_AT - 1 WHERE KEY_VERSION = 1");
    CHECK(house.Refused(house.first) == Refusal::kRollbackUnclear);
  }
  SECTION("a changed profile") {
    house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://elsewhere.example'");
    CHECK(house.Refused(house.first) == Refusal::kProfileTampered);
  }
  CHECK(house.Status(house.first) == "ROTATED");
  CHECK(house.Status(house.second) == "ACTIVE");
}

TEST_CASE("rollback: where what took its place has no profile and is stopped, it would bring nobody back", "[service]") {
  Rotated house;
  const std::string third = house.Rotate(house.second, kGrace, kThirdKey);
  REQUIRE(house.MoveKey(house.second, "revoke").has_value());
  CHECK(house.Refused(house.first) == Refusal::kRollbackUnclear);
  CHECK(house.Status(house.first) == "ROTATED");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kThirdKey);
}

}  // namespace strongroom::vault
