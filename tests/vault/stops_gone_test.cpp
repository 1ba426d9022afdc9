// A key whose row somebody has deleted: it is stopped all the same, and does not open when the row is put back.
#include "tests/vault/service_house.h"
#include "vault/key_trail.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

struct Deleted : ServiceHouse {
  Deleted() : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)), barco(Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey)) {
    Edit("CREATE TABLE OLD AS SELECT * FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
    Edit("CREATE TABLE OLD_PROFILE AS SELECT * FROM AI_PROFILE WHERE CUSTOMER = 'ACME'");
    Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
  }
  void PutRowBack() { Edit("INSERT INTO KEY_VAULT SELECT * FROM OLD"); }
  // ForgetTrail takes the key's name from the columns of the trail, as if those records had been pruned.
  void ForgetTrail() { Edit("UPDATE AUDIT_LOG SET KEY_REF = NULL WHERE KEY_REF = ?1", {std::string_view(ref)}); }
  std::int64_t Epoch() { return std::stoll(Value("SELECT CAST(EPOCH AS VARCHAR(20)) FROM VAULT")); }
  void MustNotOpen() {
    PutRowBack();
    CHECK(Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "ACTIVE");
    CHECK(RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyTampered);
    Stop();
    Start();
    CHECK(RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyTampered);
    CHECK(Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
  }
  const std::string ref, barco;
};

TEST_CASE("a deleted row: the key is revoked or compromised without it, on record, and a row that is put back does not open", "[stops]") {
  Deleted house;
  const std::string move = GENERATE("revoke", "compromise");
  SECTION("the trail knows it") { house.Edit("DELETE FROM AI_PROFILE WHERE CUSTOMER = 'ACME'"); }
  SECTION("a profile knows it") { house.ForgetTrail(); }
  const std::int64_t epoch = house.Epoch();
  const auto moved = house.MoveKey(house.ref, move);
  REQUIRE(moved.has_value());
  CHECK(StoppedAnswer::Decode(moved->body).has_value());
  CHECK(house.Epoch() == epoch + 1);
  const audit::Draft record = house.Last().draft;
  const std::string state = move == "revoke" ? "REVOKED" : "COMPROMISED";
  CHECK(record.outcome == audit::Outcome::kOk);
  CHECK(record.key_ref == house.ref);
  CHECK(record.customer == "ACME");
  CHECK(record.key_version == 1);
  CHECK(record.before == audit::Facts{{"row", "gone"}});
  CHECK(record.after == audit::Facts{{"move", move}, {"status", state}, {"unproven", "KEY_TAMPERED"}, {"stop", "1 " + state + " " + house.ref}});
  house.MustNotOpen();
}

TEST_CASE("a deleted row: again, and after a stop that was noted before", "[stops]") {
  Deleted house;
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
  CHECK(house.MoveRefusal(house.ref, "revoke") == Refusal::kKeyMoveForbidden);
  house.PutRowBack();
  // What vaultd has in its memory alone is in the row then too.
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "REVOKED");
}

TEST_CASE("a deleted row: whatever else is asked of the key says that its row is gone", "[stops]") {
  Deleted house;
  const std::int64_t epoch = house.Epoch();
  for (const char* move : {"suspend", "resume", "destroy"}) CHECK(house.MoveRefusal(house.ref, move) == Refusal::kKeyTampered);
  CHECK(house.Last().draft.reason == "KEY_TAMPERED");
  CHECK(house.Last().draft.customer == "ACME");
  CHECK(house.RefusalFor(Operation::kShowKey, EncodeText(house.ref)) == Refusal::kKeyTampered);
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.ref)) == Refusal::kKeyTampered);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyTampered);
  CHECK(RefusalError(Refusal::kKeyTampered).Message().find("revoke or compromise") != std::string::npos);
  ReadKeyTrailRequest acts;
  acts.key_ref = house.ref;
  acts.what = kActsOnKey;
  CHECK(house.Ask(Operation::kReadKeyTrail, acts.Encode()).has_value());
  CHECK(house.Epoch() == epoch);
  house.PutRowBack();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("a deleted row: a name that neither trail nor profile knows is unknown, as ever", "[stops]") {
  Deleted house;
  for (const std::string& name : {std::string("ACME/anthropic/default/2"), std::string("NOBODY/openai/default/1"), std::string("rubbish"), std::string()}) {
    for (const char* move : {"revoke", "suspend", "compromise", "destroy"}) CHECK(house.MoveRefusal(name, move) == Refusal::kKeyUnknown);
    // To have been asked for is not to have been.
    CHECK(house.MoveRefusal(name, "revoke") == Refusal::kKeyUnknown);
    CHECK(house.RefusalFor(Operation::kShowKey, EncodeText(name)) == Refusal::kKeyUnknown);
  }
}

TEST_CASE("offboard: keys whose rows were deleted are stopped too, and counted", "[stops]") {
  Deleted house;
  std::string profiles = "1";
  SECTION("as a profile names them") { house.ForgetTrail(); }
  SECTION("as the trail names them") {
    house.Edit("DELETE FROM AI_PROFILE WHERE CUSTOMER = 'ACME'");
    profiles = "0";
  }
  REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard")).has_value());
  const audit::Draft record = house.Last().draft;
  CHECK(record.before->at("keys") == house.ref + " GONE");
  CHECK(record.after->at("keys_revoked") == "1");
  CHECK(record.after->at("rows_gone") == "1");
  CHECK(record.after->at("profiles_terminated") == profiles);
  // Done is done.
  REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard")).has_value());
  CHECK(house.Last().draft.after->at("keys_revoked") == "0");
  CHECK_FALSE(house.Last().draft.after->contains("rows_gone"));
  house.Edit("DELETE FROM AI_PROFILE WHERE CUSTOMER = 'ACME'");
  house.Edit("INSERT INTO AI_PROFILE SELECT * FROM OLD_PROFILE");
  house.MustNotOpen();
}

TEST_CASE("offboard: a name that is another customer's is not stopped, whoever names it", "[stops]") {
  Deleted house;
  house.Edit("CREATE TABLE OTHERS AS SELECT * FROM KEY_VAULT WHERE CUSTOMER = 'BARCO'");
  house.Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'BARCO'");
  house.Edit("UPDATE AI_PROFILE SET KEY_REF = ?1 WHERE CUSTOMER = 'ACME'", {std::string_view(house.barco)});
  REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard")).has_value());
  CHECK(house.Last().draft.before->at("keys") == house.ref + " GONE");
  house.Edit("INSERT INTO KEY_VAULT SELECT * FROM OTHERS");
  house.MustNotOpen();
}

TEST_CASE("offboard: with more deleted rows than a record names there are several acts", "[stops]") {
  Deleted house;
  for (int i = 0; i < 85; ++i) {
    AddKeyRequest add;
    add.customer = "ACME";
    add.provider = "anthropic";
    add.label = "label-" + std::to_string(i);
    add.reason = "onboarding";
    REQUIRE(house.AddKey(add, kAcmeKey).has_value());
  }
  house.Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
  REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard")).has_value());
  CHECK(house.Last().draft.after->at("goes_on") == "no");
  CHECK(house.Last().draft.after->at("rows_gone") == "6");
  house.MustNotOpen();
}

}  // namespace
}  // namespace strongroom::vault
