// Somebody edits vault.db behind vaultd's back: no key leaves, and the trail says so.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {

namespace {

// Edited is a house with two customers of one provider, both served once.
struct Edited {
  House house;
  Edited() {
    house.Ready();
    house.Onboard("BARCO");
    REQUIRE(Field(house.Ask("before", "Hello"), "status") == "success");
  }
  void Change(sql::Sql text) {
    const auto changed = house.Vault()->Execute(text);
    REQUIRE(changed);
    REQUIRE(*changed >= 1);
  }
  // Refused: the next request of ACME gets no key, and the refusal stands on the trail under `reason`.
  void Refused(const std::string& request, const std::string& reason) {
    const std::string reply = house.Ask(request, "Hello");
    INFO(reply);
    const std::string code = Field(reply, "error_code");
    REQUIRE((code == "PROVIDER_AUTH" || code == "PROFILE_NOT_FOUND"));
    REQUIRE(house.sim().CallsOf(request) == 0);
    // The refusal may stand under the request or, where the profile did not even load, under the profile
    // alone.
    bool recorded = false;
    for (const std::string& record : house.Trail({"--outcome", "denied"}))
      recorded = recorded || Has(record, reason);
    INFO(house.Auditlog({"search", "--outcome", "denied"}).out);
    REQUIRE(recorded);
    REQUIRE(house.Auditlog({"verify"}).code == 0);
  }
};

}  // namespace

TEST_CASE("edits: ciphertext moved between customers does not open") {
  Edited edited;
  edited.Change(
      "UPDATE KEY_VAULT SET (ENCRYPTED_DEK, ENCRYPTED_KEY, NONCE_DEK, NONCE_KEY) = (SELECT ENCRYPTED_DEK, "
      "ENCRYPTED_KEY, "
      "NONCE_DEK, NONCE_KEY FROM KEY_VAULT WHERE CUSTOMER = 'BARCO') WHERE CUSTOMER = 'ACME'");
  edited.Refused("r-1", "KEY_TAMPERED");
  // The other customer is not touched.
  REQUIRE(Field(edited.house.Ask("r-2", "Hello", R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})"),
                "status") == "success");
}

TEST_CASE("edits: only the payload moved does not open either") {
  Edited edited;
  edited.Change(
      "UPDATE KEY_VAULT SET (ENCRYPTED_KEY, NONCE_KEY) = (SELECT ENCRYPTED_KEY, NONCE_KEY FROM KEY_VAULT "
      "WHERE CUSTOMER = "
      "'BARCO') WHERE CUSTOMER = 'ACME'");
  const std::string reply = edited.house.Ask("r-1", "Hello");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "PROVIDER_AUTH");
  REQUIRE(edited.house.sim().CallsOf("r-1") == 0);
  REQUIRE(Eventually([&] {
    std::string all;
    for (const std::string& record : edited.house.Trail({"--request-id", "r-1"})) all += record;
    return Has(all, "KEY_TAMPERED");
  }));
}

TEST_CASE("edits: REVOKED set back to ACTIVE stays revoked") {
  Edited edited;
  REQUIRE(edited.house.Act({"revoke", "ACME/anthropic/default/1"}).code == 0);
  edited.Change("UPDATE KEY_VAULT SET STATUS = 'ACTIVE', REVOKED_AT = NULL WHERE CUSTOMER = 'ACME'");
  edited.Refused("r-1", "KEY_TAMPERED");
}

TEST_CASE("edits: a prolonged grace does not count") {
  Edited edited;
  const std::string first = "ACME/anthropic/default/1";
  REQUIRE(
      edited.house.Act({"rotate", first, "--key-file", edited.house.NewKey("next"), "--grace", "1h"}).code ==
      0);
  REQUIRE(edited.house.Act({"profile", "set", "ACME_DEFAULT", "--key-ref", first}).code == 0);
  REQUIRE(Field(edited.house.Ask("in-grace", "Hello"), "status") == "success");
  edited.Change("UPDATE KEY_VAULT SET GRACE_UNTIL = GRACE_UNTIL + 86400000000 WHERE STATUS = 'ROTATED'");
  edited.Refused("r-1", "KEY_TAMPERED");
}

TEST_CASE("edits: ENDPOINT pointed at another host sends nothing there") {
  Edited edited;
  House& house = edited.house;
  const auto other = house.MakeSim({});
  REQUIRE(other->endpoint() != house.sim().endpoint());
  const auto changed = house.Vault()->Execute("UPDATE AI_PROFILE SET ENDPOINT = ?1 WHERE CUSTOMER = 'ACME'",
                                              {other->endpoint()});
  REQUIRE(changed);
  edited.Refused("r-1", "PROFILE_TAMPERED");
  // A worker that has not seen the profile before is told the same.
  house.worker().Crash();
  house.StartWorker(1);
  edited.Refused("r-2", "PROFILE_TAMPERED");
  REQUIRE(other->CallsInAll() == 0);
  REQUIRE(other->Answers() == 0);
}

TEST_CASE("edits: ORIGIN and ENDPOINT both pointed elsewhere send nothing there") {
  Edited edited;
  House& house = edited.house;
  const auto other = house.MakeSim({});
  REQUIRE(house.Vault()->Execute("UPDATE AI_PROFILE SET ENDPOINT = ?1 WHERE CUSTOMER = 'ACME'",
                                 {other->endpoint()}));
  REQUIRE(house.Vault()->Execute("UPDATE KEY_VAULT SET ORIGIN = ?1 WHERE CUSTOMER = 'ACME'",
                                 {other->endpoint()}));
  edited.Refused("r-1", "TAMPERED");
  REQUIRE(other->CallsInAll() == 0);
}

TEST_CASE("edits: KEY_REF pointed at another customer's key is refused") {
  Edited edited;
  edited.Change("UPDATE AI_PROFILE SET KEY_REF = 'BARCO/anthropic/default/1' WHERE CUSTOMER = 'ACME'");
  edited.Refused("r-1", "PROFILE_TAMPERED");
}

TEST_CASE("edits: a key made HOSTED by hand serves nobody else") {
  Edited edited;
  edited.Change("UPDATE KEY_VAULT SET HOSTED = 'Y' WHERE CUSTOMER = 'BARCO'");
  edited.Change(
      "UPDATE AI_PROFILE SET KEY_REF = 'BARCO/anthropic/default/1', MODE = 'H' WHERE CUSTOMER = 'ACME'");
  edited.Refused("r-1", "TAMPERED");
}

TEST_CASE("edits: another customer's key through keytool is refused too") {
  Edited edited;
  const Ended set =
      edited.house.Act({"profile", "set", "ACME_DEFAULT", "--key-ref", "BARCO/anthropic/default/1"});
  INFO(set.out << set.err);
  REQUIRE(set.code == 1);
  REQUIRE(Lines(set.err).size() == 1);
  REQUIRE(Field(edited.house.Ask("r-1", "Hello"), "status") == "success");
}

TEST_CASE("edits: a changed, dropped or inserted record is found by auditlog verify") {
  struct Edit {
    sql::Sql text;
    const char* first_bad;
  };
  const Edit edits[] = {
      {"UPDATE AUDIT_LOG SET RECORD = CAST(REPLACE(CAST(RECORD AS TEXT), 'ACME', 'ACMA') AS BLOB) WHERE SEQ "
       "= 3",
       "3"},
      {"DELETE FROM AUDIT_LOG WHERE SEQ = 2", "2"},
      {"UPDATE AUDIT_LOG SET OUTCOME = 'denied' WHERE SEQ = 3", "3"},
      {"UPDATE AUDIT_LOG SET RECORD = (SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 2) WHERE SEQ = 3", "3"}};
  for (const auto& [edit, first_bad] : edits) {
    Edited edited;
    edited.house.vaultd().Stop();
    edited.Change(edit);
    const Ended verdict = edited.house.Auditlog({"verify", "--json"});
    INFO(edit.view() << ": " << verdict.out);
    REQUIRE(verdict.code == 1);
    REQUIRE(Field(verdict.out, "verdict") == "tampered");
    REQUIRE(Field(verdict.out, "first_bad_seq") == first_bad);
  }
}

}  // namespace strongroom::e2e
