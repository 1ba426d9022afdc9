// Another key for the trail: both sign until what both have signed is out, then the old one is gone; and every place where vaultd can end between.
#include "vault/trail_rotation.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "audit/checkpoint.h"
#include "audit/source.h"
#include "audit/verifier.h"
#include "base/files.h"
#include "tests/vault/eventually.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

class Rotating : public ServiceHouse {
 public:
  Rotating() : old_key(Key()) { Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey); }

  audit::VerifierKey Key() {
    const auto database = Open();
    sql::Statement* row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 0").value();
    const auto entry = audit::Parse(base::AsText(row->Blob(0)));
    row->Reset();
    return audit::VerifierKey::Parse(entry->draft.after->at("verifier_key")).value();
  }
  audit::VerifierKey Rotate() {
    const auto reply = Ask(Operation::kRotateSigningKey, EncodeText("a yearly change"));
    REQUIRE(reply.has_value());
    return audit::VerifierKey::Parse(DecodeText(reply->body).value()).value();
  }
  bool Erased() { return Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM VAULT_SECRET WHERE SECRET_NAME = 'trail-signing-before'") == "0"; }
  audit::Note Anchored() const { return audit::Anchor::Read(anchor()).value(); }
  std::string anchor() const { return home() + "/anchor"; }
  nlohmann::json TrailStatus() { return nlohmann::json::parse(DecodeText(Ask(Operation::kStatus, {})->body).value())["trail"]; }
  std::vector<audit::Rotation> Told() { return audit::RotationsOf(*Open()).value(); }
  // Verify is what somebody finds who noted `key`, with the home's anchor as the only checkpoint.
  audit::Verdict Verify(const audit::VerifierKey& key) {
    const auto database = Open();
    audit::DatabaseSource source(*database);
    audit::Question question;
    question.trust = {key.public_key, key.name};
    question.anchor = [this]() -> Result<std::optional<audit::Claim>> {
      auto claim = audit::Claim::Of("anchor", Anchored());
      claim->own = true;
      return std::move(*claim);
    };
    return audit::Verify(source, question).value();
  }
  void MustVerify(const audit::VerifierKey& key) {
    const audit::Verdict verdict = Verify(key);
    INFO((verdict.fault ? verdict.fault->kind + ": " + verdict.fault->detail : std::string()));
    CHECK_FALSE(verdict.fault);
    CHECK(verdict.weakness == audit::Weakness::kNone);
  }
  const audit::VerifierKey old_key;
};

bool SignedBy(const audit::Note& note, const audit::VerifierKey& key) { return audit::CheckSignature(note, key) == audit::Signed::kYes; }

}  // namespace

TEST_CASE("trail rotation: both keys sign, then the old one is erased, and either key verifies", "[trail][rotation][sqlite]") {
  Rotating house;
  const audit::VerifierKey key = house.Rotate();
  CHECK(key.name == house.old_key.name);
  CHECK(key.public_key != house.old_key.public_key);
  house.MustVerify(house.old_key);
  REQUIRE(Eventually([&] { return house.Erased(); }));
  REQUIRE(Eventually([&] { return house.Last().draft.action == audit::kEraseSigningKey; }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  CHECK(SignedBy(house.Anchored(), key));
  CHECK_FALSE(SignedBy(house.Anchored(), house.old_key));
  CHECK(house.Anchored().signatures.size() == 1);
  house.MustVerify(house.old_key);
  house.MustVerify(key);
  const auto told = house.Told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].before == house.old_key);
  CHECK(told[0].after == key);
  CHECK(told[0].erased.has_value());
  CHECK(audit::SignedByBoth(audit::Note::Parse(told[0].handover).value(), told[0]));
  CHECK(house.TrailStatus()["signing_key_rotating"] == false);
  house.Stop();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.MustVerify(house.old_key);
}

TEST_CASE("trail rotation: while checkpoints cannot be published both keys go on, and another rotation is refused", "[trail][rotation][sqlite]") {
  Rotating house;
  fs::remove_all(house.home() + "/checkpoints");
  REQUIRE(base::WriteFileAtomic(house.home() + "/checkpoints", "no directory", 0600).has_value());
  const audit::VerifierKey key = house.Rotate();
  CHECK(house.TrailStatus()["signing_key_rotating"] == true);
  CHECK(house.RefusalFor(Operation::kRotateSigningKey, EncodeText("again")) == Refusal::kSigningKeyRotating);
  for (int start = 0; start < 2; ++start) {
    REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
    CHECK(house.Anchored().signatures.size() == 2);
    CHECK(SignedBy(house.Anchored(), key));
    CHECK(SignedBy(house.Anchored(), house.old_key));
    CHECK_FALSE(house.Erased());
    house.MustVerify(house.old_key);
    house.MustVerify(key);
    house.Stop();
    house.Start();
  }
  fs::remove(house.home() + "/checkpoints");
  CHECK(Eventually([&] { return house.Erased(); }));
}

TEST_CASE("trail rotation: vaultd ends before anything was signed by both", "[trail][rotation][sqlite]") {
  Rotating house;
  const std::string before = base::ReadFile(house.anchor(), 8192).value();
  fs::remove_all(house.home() + "/checkpoints");
  REQUIRE(base::WriteFileAtomic(house.home() + "/checkpoints", "no directory", 0600).has_value());
  const audit::VerifierKey key = house.Rotate();
  house.Stop();
  REQUIRE(base::WriteFileAtomic(house.anchor(), before, 0600).has_value());
  fs::remove(house.home() + "/checkpoints");
  house.Start();
  CHECK(house.TrailStatus()["anchor"] == "sound");
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  REQUIRE(Eventually([&] { return house.Erased(); }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.MustVerify(house.old_key);
  house.MustVerify(key);
}

TEST_CASE("trail rotation: an anchor of the old key's alone is not believed once that was erased", "[trail][rotation][sqlite]") {
  Rotating house;
  const audit::VerifierKey key = house.Rotate();
  REQUIRE(Eventually([&] { return house.Erased(); }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.Stop();
  // A signature line of the new key's that is not valid: nobody's, then.
  audit::Note note = house.Anchored();
  REQUIRE(note.signatures.size() == 1);
  note.signatures[0].signature[0] ^= 1;
  std::string half = note.Print();
  half.resize(audit::Anchor::kHalfBytes);
  REQUIRE(base::WriteFileAtomic(house.anchor(), half + std::string(audit::Anchor::kHalfBytes, '\0'), 0600).has_value());
  house.Start();
  CHECK(house.TrailStatus()["anchor"] == "forged");
  CHECK(house.RefusalFor(Operation::kRotateSigningKey, EncodeText("now")) == Refusal::kDatabaseOlder);
}

TEST_CASE("trail rotation: sealed in between it waits for the unseal", "[trail][rotation][sqlite]") {
  Rotating house;
  fs::remove_all(house.home() + "/checkpoints");
  REQUIRE(base::WriteFileAtomic(house.home() + "/checkpoints", "no directory", 0600).has_value());
  const audit::VerifierKey key = house.Rotate();
  REQUIRE(house.Ask(Operation::kSeal, EncodeText("holidays")).has_value());
  CHECK(house.RefusalFor(Operation::kRotateSigningKey, EncodeText("again")) == Refusal::kSealed);
  fs::remove(house.home() + "/checkpoints");
  CHECK(house.TrailStatus()["signing_key_rotating"] == true);
  CHECK_FALSE(house.Erased());
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("back")).has_value());
  REQUIRE(Eventually([&] { return house.Erased(); }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.MustVerify(house.old_key);
  house.MustVerify(key);
}

TEST_CASE("trail rotation: a KEK rotation takes both keys along", "[trail][rotation][sqlite][kek]") {
  Rotating house;
  fs::remove_all(house.home() + "/checkpoints");
  REQUIRE(base::WriteFileAtomic(house.home() + "/checkpoints", "no directory", 0600).has_value());
  house.Rotate();
  KekRequest request;
  request.reason = "a test";
  REQUIRE(house.Ask(Operation::kPrepareKek, request.Encode()).has_value());
  request.version = 2;
  REQUIRE(house.Ask(Operation::kActivateKek, request.Encode()).has_value());
  CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM VAULT_SECRET WHERE KEK_VERSION = 2") == "5");
  house.Stop();
  house.Start();
  CHECK(house.Anchored().signatures.size() == 2);
  fs::remove(house.home() + "/checkpoints");
  CHECK(Eventually([&] { return house.Erased(); }));
}

TEST_CASE("trail rotation: one after the other, and the first key goes on", "[trail][rotation][sqlite]") {
  Rotating house;
  house.Rotate();
  REQUIRE(Eventually([&] { return house.TrailStatus()["signing_key_rotating"] == false; }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  const audit::VerifierKey third = house.Rotate();
  REQUIRE(Eventually([&] { return house.TrailStatus()["signing_key_rotating"] == false; }));
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  CHECK(house.Anchored().signatures.size() == 1);
  house.MustVerify(house.old_key);
  house.MustVerify(third);
}

TEST_CASE("trail rotation: it asks for a reason, and for two people where one user is not everybody", "[trail][rotation]") {
  Rotating house;
  CHECK(house.RefusalFor(Operation::kRotateSigningKey, EncodeText("")) == Refusal::kReasonMissing);
  CHECK(house.RefusalFor(Operation::kRotateSigningKey, EncodeText("x"), 2) == Refusal::kNoRole);
  house.Configure("single_user", "false");
  const auto alone = house.AskAs(1001, Operation::kRotateSigningKey, EncodeText("a yearly change"), 1);
  REQUIRE_FALSE(alone.has_value());
  CHECK(RefusalOf(alone.error()) == Refusal::kTwoPeople);
  CHECK(house.Told().empty());
}

TEST_CASE("trail rotation: an erased key that an older table brings back signs nothing more, also where the database is taken as it is",
          "[trail][rotation][sqlite]") {
  Rotating house;
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM VAULT_SECRET");
  house.Edit("CREATE TABLE KEPT_VAULT AS SELECT * FROM VAULT");
  const audit::VerifierKey key = house.Rotate();
  REQUIRE(Eventually([&] { return house.Last().draft.action == audit::kEraseSigningKey; }));
  house.Stop();
  house.Edit("UPDATE VAULT_SECRET SET (KEK_VERSION, NONCE, WRAPPED) = (SELECT KEK_VERSION, NONCE, WRAPPED FROM KEPT WHERE SECRET_NAME = 'trail-signing') "
             "WHERE SECRET_NAME = 'trail-signing'");
  house.Edit("UPDATE VAULT SET TRAIL_PUBLIC_KEY = (SELECT TRAIL_PUBLIC_KEY FROM KEPT_VAULT)");
  house.Edit("DROP TABLE KEPT");
  house.Edit("DROP TABLE KEPT_VAULT");
  house.Start();
  CHECK(house.TrailStatus()["anchor"] == "forged");
  const auto taken = house.Ask(Operation::kNewOrigin, EncodeText("the table was put back"));
  REQUIRE(taken.has_value());
  const auto next = audit::VerifierKey::Parse(DecodeText(taken->body).value()).value();
  CHECK(next.public_key != house.old_key.public_key);
  CHECK(next.public_key != key.public_key);
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.MustVerify(next);
  house.Stop();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.MustVerify(next);
}

}  // namespace strongroom::vault
