// Somebody edits the database. Each time: no key leaves, and the refusal is on the trail.
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

class TwoCustomers : public ServiceHouse {
 public:
  TwoCustomers() {
    acme = Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    barco = Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
    REQUIRE(Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
    REQUIRE(Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
  }
  void MustRefuse(const std::string& customer, const std::string& profile, Refusal refusal) {
    const std::int64_t before = Records();
    CHECK(RefusalName(ResolveRefusal(customer, profile)) == RefusalName(refusal));
    CHECK(Records() == before + 1);
    const audit::Entry last = Last();
    CHECK(last.draft.action == "resolve");
    CHECK(last.draft.outcome != audit::Outcome::kOk);
    CHECK(last.draft.reason == RefusalName(refusal));
  }
  std::string acme, barco;
};

TEST_CASE("tamper: ciphertext moved between customers", "[tamper]") {
  TwoCustomers house;
  SECTION("the whole row's sealed fields") {
    house.Edit("UPDATE KEY_VAULT SET (ENCRYPTED_KEY, ENCRYPTED_DEK, NONCE_KEY, NONCE_DEK) = "
               "(SELECT ENCRYPTED_KEY, ENCRYPTED_DEK, NONCE_KEY, NONCE_DEK FROM KEY_VAULT WHERE CUSTOMER = 'ACME') "
               "WHERE CUSTOMER = 'BARCO'");
  }
  SECTION("only ENCRYPTED_KEY") {
    house.Edit("UPDATE KEY_VAULT SET (ENCRYPTED_KEY, NONCE_KEY) = "
               "(SELECT ENCRYPTED_KEY, NONCE_KEY FROM KEY_VAULT WHERE CUSTOMER = 'ACME') WHERE CUSTOMER = 'BARCO'");
  }
  SECTION("only ENCRYPTED_DEK") {
    house.Edit("UPDATE KEY_VAULT SET (ENCRYPTED_DEK, NONCE_DEK) = "
               "(SELECT ENCRYPTED_DEK, NONCE_DEK FROM KEY_VAULT WHERE CUSTOMER = 'ACME') WHERE CUSTOMER = 'BARCO'");
  }
  house.MustRefuse("BARCO", "BARCO_DEFAULT", Refusal::kKeyTampered);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("tamper: one row takes another's name", "[tamper]") {
  TwoCustomers house;
  house.Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'BARCO'");
  house.Edit("UPDATE KEY_VAULT SET KEY_REF = 'BARCO/anthropic/default/1', CUSTOMER = 'BARCO'");
  house.MustRefuse("BARCO", "BARCO_DEFAULT", Refusal::kKeyTampered);
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKeyTampered);
}

TEST_CASE("tamper: a deleted row is refused as such, and its name is not given to another key", "[tamper]") {
  TwoCustomers house;
  SECTION("of a key in use") {}
  SECTION("of one that was stopped, its records gone as well") {
    REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
    house.Edit("UPDATE AUDIT_LOG SET ACTION = 'other' WHERE CUSTOMER = 'ACME'");
  }
  house.Edit("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKeyTampered);
  AddKeyRequest request;
  request.customer = "ACME";
  request.provider = "anthropic";
  request.reason = "onboarding";
  CHECK(house.AddKey(request, kAcmeKey).value() == "ACME/anthropic/default/2");
  // A key that did not come in has taken no name.
  request.reason = "";
  CHECK_FALSE(house.AddKey(request, kAcmeKey).has_value());
  request.reason = "onboarding";
  CHECK(house.AddKey(request, kAcmeKey).value() == "ACME/anthropic/default/3");
}

TEST_CASE("tamper: a key that leaked does not come back as another, and its copies are named", "[tamper]") {
  TwoCustomers house;
  AddKeyRequest copy;
  copy.customer = "COPY";
  copy.provider = "anthropic";
  copy.reason = "the same";
  REQUIRE(house.AddKey(copy, kAcmeKey).value() == "COPY/anthropic/default/1");
  REQUIRE(house.MoveKey(house.acme, "compromise").has_value());
  const auto shown = house.Ask(Operation::kShowKey, EncodeText(house.acme));
  REQUIRE(shown.has_value());
  CHECK(DecodeText(shown->body).value().find(R"("copies":["COPY/anthropic/default/1"])") != std::string::npos);
  AddKeyRequest again;
  again.like = house.acme;
  again.reason = "recovery";
  const auto refused = house.AddKey(again, kAcmeKey);
  REQUIRE_FALSE(refused.has_value());
  CHECK(RefusalOf(refused.error()) == Refusal::kKeyLeaked);
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
  // The copy was there before, and is not let in behind it.
  ActivateKeyRequest activate;
  activate.key_ref = "COPY/anthropic/default/1";
  activate.reason = "the same";
  CHECK(house.RefusalFor(Operation::kActivateKey, activate.Encode()) == Refusal::kKeyLeaked);
  CHECK(house.AddKey(again, "sk-ant-another-0123456789abcdef").has_value());
  // Nor does it come back once what leaked was destroyed, in another vaultd's time.
  REQUIRE(house.MoveKey("COPY/anthropic/default/1", "revoke").has_value());
  REQUIRE(house.MoveKey(house.acme, "destroy").has_value());
  house.Stop();
  house.Start();
  const auto later = house.AddKey(copy, kAcmeKey);
  REQUIRE_FALSE(later.has_value());
  CHECK(RefusalOf(later.error()) == Refusal::kKeyLeaked);
}

TEST_CASE("tamper: what was only revoked and destroyed may come back", "[tamper]") {
  TwoCustomers house;
  REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
  house.Edit("UPDATE KEY_VAULT SET STATE_CHANGED_AT = STATE_CHANGED_AT - ?1 WHERE CUSTOMER = 'ACME'", {8 * base::kMicrosPerDay});
  REQUIRE(house.MoveKey(house.acme, "destroy").has_value());
  AddKeyRequest again;
  again.customer = "ACME";
  again.provider = "anthropic";
  again.reason = "it was the right one";
  CHECK(house.AddKey(again, kAcmeKey).value() == "ACME/anthropic/default/2");
}

TEST_CASE("tamper: a stopped key flipped back, a running one flipped off", "[tamper]") {
  TwoCustomers house;
  REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'ACTIVE', REVOKED_AT = NULL WHERE CUSTOMER = 'ACME'");
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKeyTampered);
  CHECK(house.MoveRefusal(house.acme, "suspend") == Refusal::kKeyTampered);
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'REVOKED' WHERE CUSTOMER = 'BARCO'");
  house.MustRefuse("BARCO", "BARCO_DEFAULT", Refusal::kKeyTampered);
  house.Edit("UPDATE KEY_VAULT SET STATUS = 'rubbish' WHERE CUSTOMER = 'BARCO'");
  house.MustRefuse("BARCO", "BARCO_DEFAULT", Refusal::kKeyTampered);
}

TEST_CASE("tamper: each fact that the wrap binds", "[tamper][sqlite]") {
  TwoCustomers house;
  SECTION("HOSTED") { house.Edit("UPDATE KEY_VAULT SET HOSTED = 'Y' WHERE CUSTOMER = 'ACME'"); }
  SECTION("HOSTED, rubbish") { house.Edit("UPDATE KEY_VAULT SET HOSTED = 'n' WHERE CUSTOMER = 'ACME'"); }
  SECTION("ORIGIN") {
    house.Edit("UPDATE KEY_VAULT SET ORIGIN = 'https://evil.example:443' WHERE CUSTOMER = 'ACME'");
  }
  SECTION("ORIGIN, plain http") {
    house.Edit("UPDATE KEY_VAULT SET ORIGIN = 'http://api.anthropic.com:80' WHERE CUSTOMER = 'ACME'");
  }
  SECTION("ROW_VERSION") { house.Edit("UPDATE KEY_VAULT SET ROW_VERSION = ROW_VERSION + 1 WHERE CUSTOMER = 'ACME'"); }
  SECTION("GRACE_UNTIL") { house.Edit("UPDATE KEY_VAULT SET GRACE_UNTIL = 1 WHERE CUSTOMER = 'ACME'"); }
  SECTION("CUSTOMER alone") { house.Edit("UPDATE KEY_VAULT SET CUSTOMER = 'BARCO' WHERE CUSTOMER = 'ACME'"); }
  SECTION("PROVIDER alone") { house.Edit("UPDATE KEY_VAULT SET PROVIDER = 'openai' WHERE CUSTOMER = 'ACME'"); }
  SECTION("KEY_VERSION alone") { house.Edit("UPDATE KEY_VAULT SET KEY_VERSION = 2 WHERE CUSTOMER = 'ACME'"); }
  SECTION("LABEL alone") { house.Edit("UPDATE KEY_VAULT SET LABEL = 'x' WHERE CUSTOMER = 'ACME'"); }
  SECTION("a DEK of nothing") { house.Edit("UPDATE KEY_VAULT SET ENCRYPTED_DEK = ?1 WHERE CUSTOMER = 'ACME'", {ByteView()}); }
  SECTION("a type of another kind") { house.Edit("UPDATE KEY_VAULT SET NONCE_DEK = 7 WHERE CUSTOMER = 'ACME'"); }
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKeyTampered);
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("tamper: KEK_VERSION", "[tamper]") {
  TwoCustomers house;
  house.Edit("UPDATE KEY_VAULT SET KEK_VERSION = 2 WHERE CUSTOMER = 'ACME'");
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKekMissing);
}

TEST_CASE("tamper: a grace prolonged", "[tamper]") {
  TwoCustomers house;
  AddKeyRequest add;
  add.like = house.acme;
  add.reason = "rotation";
  const std::string next = house.AddKey(add, kBarcoKey).value();
  RotateKeyRequest rotate;
  rotate.old_key_ref = house.acme;
  rotate.new_key_ref = next;
  rotate.reason = "rotation";
  REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode()).has_value());
  // Whoever still names the old one finds its grace over, and cannot write himself more of it.
  house.Edit("UPDATE KEY_VAULT SET GRACE_UNTIL = 9000000000000000 WHERE KEY_REF = ?1", {std::string_view(house.acme)});
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.acme)) == Refusal::kKeyTampered);
}

TEST_CASE("tamper: a profile's ENDPOINT, KEY_REF, CUSTOMER, MODE, PROVIDER", "[tamper]") {
  TwoCustomers house;
  const char* customer = "ACME";
  SECTION("ENDPOINT at another host") {
    house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://evil.example' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  }
  SECTION("ENDPOINT at another port") {
    house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://api.anthropic.com:8443' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  }
  SECTION("ENDPOINT no URL at all") {
    house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'x' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  }
  SECTION("ENDPOINT and KEY's ORIGIN together") {
    house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://evil.example' WHERE PROFILE_REF = 'ACME_DEFAULT'");
    house.Edit("UPDATE KEY_VAULT SET ORIGIN = 'https://evil.example:443' WHERE CUSTOMER = 'ACME'");
  }
  SECTION("KEY_REF at another customer's key") {
    house.Edit("UPDATE AI_PROFILE SET KEY_REF = ?1 WHERE PROFILE_REF = 'ACME_DEFAULT'",
               {std::string_view(house.barco)});
  }
  SECTION("KEY_REF, with that profile's MAC") {
    house.Edit("UPDATE AI_PROFILE SET (KEY_REF, VAULT_MAC) = (SELECT KEY_REF, VAULT_MAC FROM AI_PROFILE WHERE "
               "PROFILE_REF = 'BARCO_DEFAULT') WHERE PROFILE_REF = 'ACME_DEFAULT'");
  }
  SECTION("CUSTOMER") {
    house.Edit("UPDATE AI_PROFILE SET CUSTOMER = 'BARCO' WHERE PROFILE_REF = 'ACME_DEFAULT'");
    customer = "BARCO";
  }
  SECTION("MODE") { house.Edit("UPDATE AI_PROFILE SET MODE = 'H' WHERE PROFILE_REF = 'ACME_DEFAULT'"); }
  SECTION("PROVIDER") { house.Edit("UPDATE AI_PROFILE SET PROVIDER = 'openai' WHERE PROFILE_REF = 'ACME_DEFAULT'"); }
  SECTION("no MAC") { house.Edit("UPDATE AI_PROFILE SET VAULT_MAC = ?1 WHERE PROFILE_REF = 'ACME_DEFAULT'", {ByteView()}); }
  house.MustRefuse(customer, "ACME_DEFAULT", Refusal::kProfileTampered);
  CHECK(house.RefusalFor(Operation::kGetProfile, EncodeText("ACME_DEFAULT")) == Refusal::kProfileTampered);
  CHECK(house.Last().draft.action == "get_profile");
  CHECK(house.Last().draft.purpose == "profile ACME_DEFAULT");
  CHECK(house.Last().draft.customer == customer);
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("tamper: an act never blesses an edit", "[tamper]") {
  TwoCustomers house;
  house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://evil.example' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  SetProfileRequest set;
  set.fields.profile_ref = "ACME_DEFAULT";
  set.fields.rpm = 60;
  set.reason = "more";
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kProfileTampered);
  AddKeyRequest add;
  add.like = house.acme;
  add.reason = "rotation";
  RotateKeyRequest rotate;
  rotate.old_key_ref = house.acme;
  rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
  rotate.reason = "rotation";
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kProfileTampered);
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_REF = ?1", {std::string_view(house.acme)}) == "ACTIVE");
  // Stated anew in full, it is the vault's word again.
  set.fields.customer = "ACME";
  set.fields.mode = "B";
  set.fields.provider = "anthropic";
  set.fields.endpoint = "https://evil.example";
  set.fields.key_ref = house.acme;
  set.fields.tpm = 0;
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kProfileTampered);
  set.fields.quota = 1000;
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kOriginMismatch);
  set.fields.endpoint = "https://api.anthropic.com";
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  // A suspension that a row states is no edit to be undone by that.
  house.Edit("UPDATE AI_PROFILE SET STATUS = 'SUSPENDED' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kProfileNotActive);
  house.Edit("UPDATE AI_PROFILE SET STATUS = 'OVER_QUOTA', OVER_QUOTA_UNTIL = 9000000000000000 WHERE PROFILE_REF = 'ACME_DEFAULT'");
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("tamper: a profile's row that was edited can be stopped, and stays closed", "[tamper]") {
  TwoCustomers house;
  house.Edit("UPDATE AI_PROFILE SET ENDPOINT = 'https://evil.example' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "suspend")).has_value());
  CHECK(house.RefusalFor(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "resume")) == Refusal::kProfileTampered);
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kProfileTampered);
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "terminate")).has_value());
  // It is the vault's word that it is over, and no edit makes it go on.
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kProfileNotActive);
  house.Edit("UPDATE AI_PROFILE SET STATUS = 'ACTIVE' WHERE PROFILE_REF = 'ACME_DEFAULT'");
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kProfileTampered);
}

TEST_CASE("tamper: an edited ORIGIN does not carry over to the key's next version", "[tamper]") {
  TwoCustomers house;
  house.Edit("UPDATE KEY_VAULT SET ORIGIN = 'https://evil.example:443' WHERE CUSTOMER = 'ACME'");
  AddKeyRequest add;
  add.like = house.acme;
  add.reason = "rotation";
  const auto added = house.AddKey(add, kBarcoKey);
  REQUIRE_FALSE(added.has_value());
  CHECK(RefusalOf(added.error()) == Refusal::kKeyTampered);
}

TEST_CASE("tamper: a key whose row does not open can still be stopped, and stays closed", "[tamper]") {
  TwoCustomers house;
  house.Edit("UPDATE KEY_VAULT SET HOSTED = 'Y' WHERE CUSTOMER = 'ACME'");
  CHECK(house.MoveRefusal(house.acme, "resume") == Refusal::kKeyTampered);
  REQUIRE(house.MoveKey(house.acme, "revoke").has_value());
  CHECK(house.Last().draft.after->at("unproven") == "KEY_TAMPERED");
  house.Edit("UPDATE KEY_VAULT SET HOSTED = 'N' WHERE CUSTOMER = 'ACME'");
  house.MustRefuse("ACME", "ACME_DEFAULT", Refusal::kKeyTampered);
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "REVOKED");
}

TEST_CASE("tamper: a row that states a final state is not moved out of it, and numbers do not overflow", "[tamper]") {
  TwoCustomers house;
  SECTION("COMPROMISED") {
    house.Edit("UPDATE KEY_VAULT SET STATUS = 'COMPROMISED' WHERE CUSTOMER = 'ACME'");
    CHECK(house.MoveRefusal(house.acme, "revoke") == Refusal::kKeyMoveForbidden);
    CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "COMPROMISED");
  }
  SECTION("DESTROYED") {
    house.Edit("UPDATE KEY_VAULT SET STATUS = 'DESTROYED' WHERE CUSTOMER = 'ACME'");
    CHECK(house.MoveRefusal(house.acme, "revoke") == Refusal::kKeyMoveForbidden);
    CHECK(house.MoveRefusal(house.acme, "compromise") == Refusal::kKeyMoveForbidden);
    CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE CUSTOMER = 'ACME'") == "DESTROYED");
  }
  SECTION("the largest ROW_VERSION") {
    house.Edit("UPDATE KEY_VAULT SET ROW_VERSION = 9223372036854775807 WHERE CUSTOMER = 'ACME'");
    CHECK(house.MoveRefusal(house.acme, "revoke") == Refusal::kKeyTampered);
  }
  SECTION("the largest KEY_VERSION") {
    house.Edit("UPDATE KEY_VAULT SET KEY_VERSION = 9223372036854775807 WHERE CUSTOMER = 'ACME'");
    AddKeyRequest add;
    add.customer = "ACME";
    add.provider = "anthropic";
    add.reason = "one more";
    const auto added = house.AddKey(add, kAcmeKey);
    REQUIRE_FALSE(added.has_value());
    CHECK(RefusalOf(added.error()) == Refusal::kFieldInvalid);
  }
}

TEST_CASE("tamper: more probes of a PENDING key than there are are not had by an edit", "[tamper]") {
  ServiceHouse house;
  AddKeyRequest add;
  add.customer = "ACME";
  add.provider = "anthropic";
  add.reason = "onboarding";
  const std::string ref = house.AddKey(add, kAcmeKey).value();
  auto first = house.Ask(Operation::kProbe, EncodeText(ref));
  REQUIRE(first.has_value());
  const auto key = first->open_secret();
  REQUIRE(key.has_value());
  CHECK(base::AsText(SecretProbe::Copy(key->View())) == kAcmeKey);
  for (int probe = 1; probe < 10; ++probe) CHECK(house.Ask(Operation::kProbe, EncodeText(ref)).has_value());
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyProbeSpent);
  house.Edit("UPDATE KEY_VAULT SET LAST_USED_AT = NULL");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyProbeSpent);
  house.Edit("UPDATE KEY_VAULT SET ROW_VERSION = 1");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(ref)) == Refusal::kKeyTampered);
}

}  // namespace
}  // namespace strongroom::vault
