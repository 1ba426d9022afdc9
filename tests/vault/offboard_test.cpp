// A customer leaves: everything of theirs is stopped, nothing of anybody else's, and the record names it.
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

Bytes Offboard(const std::string& customer, const std::string& move = "offboard") { return MoveBody(customer, move, "the contract has ended"); }

struct Leaving : ServiceHouse {
  Leaving() : first(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)), barco(Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey)) {}
  std::string Add(const std::string& label, const std::string& customer = "ACME", bool hosted = false) {
    AddKeyRequest add;
    add.customer = customer;
    add.provider = "anthropic";
    add.label = label;
    add.hosted = hosted;
    add.reason = "onboarding";
    return AddKey(add, kAcmeKey).value();
  }
  std::string Count(sql::Sql text) { return Value(text); }
  std::string Status(const std::string& key_ref) { return Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_REF = ?1", {std::string_view(key_ref)}); }
  // A profile of another customer with a key of the house's.
  std::string Host(const std::string& customer) {
    const std::string house_key = Add("default", "HOUSE", true);
    ActivateKeyRequest alone;
    alone.key_ref = house_key;
    alone.reason = "house key";
    REQUIRE(Ask(Operation::kActivateKey, alone.Encode()).has_value());
    ActivateKeyRequest hosted;
    hosted.reason = "onboarding";
    hosted.profile.emplace();
    hosted.profile->profile_ref = customer + "_HOSTED";
    hosted.profile->customer = customer;
    hosted.profile->provider = "anthropic";
    hosted.profile->model = "some-model";
    hosted.profile->mode = "H";
    hosted.profile->key_ref = house_key;
    REQUIRE(Ask(Operation::kActivateKey, hosted.Encode()).has_value());
    return house_key;
  }
  const std::string first, barco;
};

}  // namespace

TEST_CASE("offboard: profiles TERMINATED and keys REVOKED in one act, whatever their state, and of nobody else", "[service]") {
  Leaving house;
  const std::string pending = house.Add("pending"), second = house.Rotate(house.first, base::kMicrosPerDay);
  const std::string leaked = house.Add("leaked");
  REQUIRE(house.MoveKey(leaked, "compromise").has_value());
  const std::string epoch = house.Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT");
  const auto answer = house.Ask(Operation::kOffboard, Offboard("ACME"));
  REQUIRE(answer.has_value());
  CHECK(StoppedAnswer::Decode(answer->body).has_value());
  const audit::Draft record = house.Last().draft;
  CHECK(record.action == "offboard");
  CHECK(record.customer == "ACME");
  CHECK(record.purpose == "the contract has ended");
  CHECK(record.before->at("keys") == house.first + " ROTATED, " + second + " ACTIVE, " + pending + " PENDING");
  CHECK(record.before->at("profiles") == "ACME_DEFAULT ACTIVE");
  CHECK(*record.after == audit::Facts{{"keys_revoked", "3"}, {"profiles_terminated", "1"}, {"tickets_cancelled", "0"}, {"goes_on", "no"}});
  for (const std::string& key_ref : {house.first, second, pending}) CHECK(house.Status(key_ref) == "REVOKED");
  CHECK(house.Status(leaked) == "COMPROMISED");
  CHECK(house.Value("SELECT STATUS FROM AI_PROFILE WHERE PROFILE_REF = 'ACME_DEFAULT'") == "TERMINATED");
  CHECK(std::stoll(house.Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT")) == std::stoll(epoch) + 1);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kProfileNotActive);
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(second)) == Refusal::kKeyRevoked);
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("offboard: again, there is nothing left to do, and an unknown customer, another move, another role are refused", "[service]") {
  Leaving house;
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  const std::string epoch = house.Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT");
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  CHECK(house.Last().draft.after->at("keys_revoked") == "0");
  CHECK(house.Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT") == epoch);
  CHECK(house.RefusalFor(Operation::kOffboard, Offboard("NOBODY")) == Refusal::kCustomerUnknown);
  CHECK(house.RefusalFor(Operation::kOffboard, Offboard("")) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kOffboard, Offboard("BARCO", "revoke")) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kOffboard, Offboard("BARCO"), static_cast<std::uint8_t>(Role::kWorker)) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kOffboard, MoveBody("BARCO", "offboard", "")) == Refusal::kReasonMissing);
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("offboard: a key of the house's is not the customer's, and who serves others is not offboarded", "[service]") {
  Leaving house;
  const std::string house_key = house.Host("ACME");
  CHECK(house.RefusalFor(Operation::kOffboard, Offboard("HOUSE")) == Refusal::kCustomerServes);
  CHECK(house.Status(house_key) == "ACTIVE");
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  CHECK(house.Status(house_key) == "ACTIVE");
  CHECK(house.Value("SELECT STATUS FROM AI_PROFILE WHERE PROFILE_REF = 'ACME_HOSTED'") == "TERMINATED");
  // Nobody uses it any more.
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("HOUSE")).has_value());
  CHECK(house.Status(house_key) == "REVOKED");
}

TEST_CASE("offboard: rows that were changed outside are stopped too, and stay so when they are put back", "[service]") {
  Leaving house;
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
  SECTION("made to look stopped") { house.Edit("UPDATE KEY_VAULT SET STATUS = 'REVOKED' WHERE CUSTOMER = 'ACME'"); }
  SECTION("another origin") { house.Edit("UPDATE KEY_VAULT SET ORIGIN = 'https://elsewhere.example:443' WHERE CUSTOMER = 'ACME'"); }
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  CHECK(house.Last().draft.after->at("keys_revoked") == "1");
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  CHECK(house.Last().draft.after->at("keys_revoked") == "0");
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'ACTIVE', ORIGIN = (SELECT ORIGIN FROM KEPT), ROW_VERSION = (SELECT ROW_VERSION FROM KEPT) WHERE CUSTOMER = 'ACME'");
  house.Edit("DROP TABLE KEPT");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.first)) == Refusal::kKeyTampered);
}

TEST_CASE("offboard: a customer with more than a record names is stopped in several acts and one answer", "[service]") {
  Leaving house;
  for (int i = 0; i < 90; ++i) house.Add("label-" + std::to_string(i));
  REQUIRE(house.Ask(Operation::kOffboard, Offboard("ACME")).has_value());
  CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM KEY_VAULT WHERE CUSTOMER = 'ACME' AND STATUS = 'REVOKED'") == "91");
  CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'offboard' AND OUTCOME = 'ok'") == "2");
  CHECK(house.Last().draft.after->at("goes_on") == "no");
  CHECK(house.Last().draft.after->at("keys_revoked") == "11");
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

}  // namespace strongroom::vault
