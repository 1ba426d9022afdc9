// Recovery sets: what is sealed to them and when, and what is refused of a table that somebody edited.
#include "vault/recovery.h"

#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"
#include "vault/cipher.h"
#include "vault/kek_acts.h"
#include "vault/kek_file.h"
#include "vault/sealed_box.h"
#include "vault/shares.h"

namespace strongroom::vault {
namespace {

// Set is a recovery key as a ceremony makes it, its private half still at hand.
struct Set {
  explicit Set(std::int64_t shares = 3, std::int64_t threshold = 2) : pair(*SealedBox::Generate()) {
    const ShareFacts facts{SetIdOf(pair.public_key), 1, shares, threshold, ""};
    const auto pieces = Shares::Split(pair.private_key.View(), facts);
    for (const Share& piece : *pieces) request.digests.push_back(base::Hex(*Shares::DigestOf(piece)));
    request.public_key = base::Hex(pair.public_key);
    request.threshold = threshold;
    request.custodians = "Ada\nBert\nClea";
    request.reason = "yearly";
  }
  std::string id() const { return SetIdOf(pair.public_key); }
  SealedBox::KeyPair pair;
  PutRecoveryRequest request;
};

void Put(ServiceHouse& house, const Set& set) {
  const auto reply = house.Ask(Operation::kPutRecovery, set.request.Encode());
  if (!reply) FAIL(RefusalName(RefusalOf(reply.error())));
}

Bytes Version(std::int64_t version) {
  KekRequest request;
  request.version = version;
  request.reason = "yearly";
  return request.Encode();
}

// Opens what is sealed of a version with the set's private half, and compares it with the KEK's file.
void CheckOpens(ServiceHouse& house, const Set& set, std::int64_t version) {
  const std::string sealed = house.Value("SELECT SEALED FROM KEK_RECOVERY WHERE KEK_VERSION = ?1", {version});
  const auto kek = SealedBox::OpenSealed(set.pair.private_key.View(), set.pair.public_key, *base::Unhex(sealed));
  REQUIRE(kek.has_value());
  const auto file = KekFile::Read(house.home() + "/kek/" + std::to_string(version) + ".key");
  REQUIRE(file.has_value());
  CHECK(SecretProbe::Copy(kek->View()) == SecretProbe::Copy(file->View()));
}

void Rotate(ServiceHouse& house, std::int64_t to) {
  REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  REQUIRE(house.Ask(Operation::kActivateKek, Version(to)).has_value());
  RewrapRequest rewrap{"test", "", "yearly"};
  REQUIRE(house.Ask(Operation::kRewrapKeys, rewrap.Encode()).has_value());
}

}  // namespace

TEST_CASE("recovery: every KEK is sealed to the set in force, later ones too", "[recovery]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const Set set;
  Put(house, set);
  CheckOpens(house, set, 1);
  CHECK(house.Last().draft.after->at("set_id") == set.id());
  CHECK(house.Last().draft.after->at("kek_versions") == "1");
  Rotate(house, 2);
  CheckOpens(house, set, 2);
  CheckOpens(house, set, 1);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  house.Edit("UPDATE KEK SET CHANGED_AT = CHANGED_AT - ?1 WHERE KEK_VERSION = 1", {kKekKept});
  REQUIRE(house.Ask(Operation::kDestroyKek, Version(1)).has_value());
  // A KEK that is destroyed must not come back from shares either.
  CHECK(house.Value("SELECT COUNT(*) FROM KEK_RECOVERY WHERE KEK_VERSION = 1").empty());  // 0
  house.Stop();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("recovery: a new set replaces the one before, and what was sealed to that is erased", "[recovery]") {
  ServiceHouse house;
  const Set old, fresh;
  Put(house, old);
  Put(house, fresh);
  CHECK(house.Last().draft.before->at("set_id") == old.id());
  CHECK(house.Value("SELECT COUNT(*) FROM KEK_RECOVERY") == "1");
  CheckOpens(house, fresh, 1);
  Rotate(house, 2);
  CheckOpens(house, fresh, 2);
}

TEST_CASE("recovery: a version that is not sealed to the set cannot activate", "[recovery]") {
  ServiceHouse house;
  const Set set;
  Put(house, set);
  REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  SECTION("its row was taken away") {
    house.Edit("DELETE FROM KEK_RECOVERY WHERE KEK_VERSION = 2");
    CHECK(house.RefusalFor(Operation::kActivateKek, Version(2)) == Refusal::kRecoveryMissing);
  }
  SECTION("its row is another version's") {
    house.Edit("DELETE FROM KEK_RECOVERY WHERE KEK_VERSION = 2");
    house.Edit("UPDATE KEK_RECOVERY SET KEK_VERSION = 2");
    CHECK(house.RefusalFor(Operation::kActivateKek, Version(2)) == Refusal::kRecoveryTampered);
  }
  SECTION("what is sealed was exchanged") {
    const Set stranger;
    const SecretValue other = SecretProbe::Of(std::string(32, 'x'));
    const Bytes sealed = *SealedBox::SealTo(set.pair.public_key, other.View());
    house.Edit("UPDATE KEK_RECOVERY SET SEALED = ?1 WHERE KEK_VERSION = 2", {ByteView(sealed)});
    CHECK(house.RefusalFor(Operation::kActivateKek, Version(2)) == Refusal::kRecoveryTampered);
  }
  CHECK(house.Last().draft.reason.value_or("").starts_with("RECOVERY_"));
  CHECK(house.Value("SELECT STATUS FROM KEK WHERE KEK_VERSION = 1") == "ACTIVE");
  // A new set mends it.
  Put(house, Set());
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
}

TEST_CASE("recovery: nothing is sealed to a public key that somebody put there", "[recovery]") {
  ServiceHouse house;
  const Set set, stranger;
  Put(house, set);
  SECTION("the key") { house.Edit("UPDATE RECOVERY_SET SET PUBLIC_KEY = ?1", {ByteView(stranger.pair.public_key)}); }
  SECTION("the key and its name") {
    house.Edit("UPDATE RECOVERY_SET SET PUBLIC_KEY = ?1, SET_ID = ?2",
               {ByteView(stranger.pair.public_key), std::string_view(SetIdOf(stranger.pair.public_key))});
  }
  SECTION("the threshold") { house.Edit("UPDATE RECOVERY_SET SET THRESHOLD = 1"); }
  SECTION("a set of the stranger's own") {
    house.Edit("INSERT INTO RECOVERY_SET SELECT 2, SET_ID, PUBLIC_KEY, THRESHOLD, DIGESTS, CUSTODIANS, CREATED_AT, VAULT_MAC "
               "FROM RECOVERY_SET");
  }
  CHECK(house.RefusalFor(Operation::kPrepareKek, Version(0)) == Refusal::kRecoveryTampered);
  CHECK(house.Last().draft.reason == "RECOVERY_TAMPERED");
  CHECK(house.Value("SELECT COUNT(*) FROM KEK_RECOVERY WHERE KEK_VERSION = 2").empty());  // 0
  const auto status = nlohmann::json::parse(*DecodeText(house.Ask(Operation::kStatus, {})->body));
  CHECK(status["recovery"]["intact"] == false);
}

TEST_CASE("recovery: a set that was deleted is missed, and no KEK comes into force without shares", "[recovery][tamper]") {
  ServiceHouse house;
  {
    const Set set;
    Put(house, set);
  }
  REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  REQUIRE(house.Edit("DELETE FROM KEK_RECOVERY") > 0);
  REQUIRE(house.Edit("DELETE FROM RECOVERY_SET") == 1);
  CHECK(house.RefusalFor(Operation::kActivateKek, Version(2)) == Refusal::kRecoveryTampered);
  const Set another;
  Put(house, another);
  CHECK(house.Ask(Operation::kActivateKek, Version(2)).has_value());
}

TEST_CASE("recovery: status tells of the set", "[recovery]") {
  ServiceHouse house;
  const auto recovery = [&house] {
    return nlohmann::json::parse(*DecodeText(house.Ask(Operation::kStatus, {})->body))["recovery"];
  };
  CHECK(recovery().is_null());
  const Set set;
  Put(house, set);
  CHECK(recovery()["set_id"] == set.id());
  CHECK(recovery()["shares"] == 3);
  CHECK(recovery()["threshold"] == 2);
  CHECK(recovery()["intact"] == true);
}

TEST_CASE("recovery: what no ceremony of ours says is refused", "[recovery]") {
  ServiceHouse house;
  const Set set;
  const auto refused = [&house, &set](auto change) {
    PutRecoveryRequest request = set.request;
    change(request);
    return house.RefusalFor(Operation::kPutRecovery, request.Encode());
  };
  CHECK(refused([](auto& r) { r.public_key = "zz"; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.public_key += "00"; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.threshold = 1; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.threshold = 4; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.digests[1] = "00"; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.digests.resize(33, r.digests[0]); }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.custodians = "Ada\nBert"; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.custodians = "Ada\x1b[2J\nBert\nClea"; }) == Refusal::kFieldInvalid);
  CHECK(refused([](auto& r) { r.reason = ""; }) == Refusal::kReasonMissing);
  // One of the points whose boxes everybody can open.
  CHECK_FALSE(house.Ask(Operation::kPutRecovery, [&set] {
    PutRecoveryRequest request = set.request;
    request.public_key = std::string(64, '0');
    return request.Encode();
  }()).has_value());
  CHECK(house.Value("SELECT COUNT(*) FROM RECOVERY_SET").empty());  // 0
  const auto worker = static_cast<std::uint8_t>(Role::kWorker), auditor = static_cast<std::uint8_t>(Role::kAuditor);
  for (const std::uint8_t role : {worker, auditor}) {
    CHECK(house.RefusalFor(Operation::kPutRecovery, set.request.Encode(), role) == Refusal::kNoRole);
  }
  NoteRecoveryRequest note{"verified", "set x", "drill"};
  REQUIRE(house.Ask(Operation::kNoteRecovery, note.Encode()).has_value());
  CHECK(house.Last().draft.after->at("act") == "verified");
  note.act = "anything";
  CHECK(house.RefusalFor(Operation::kNoteRecovery, note.Encode()) == Refusal::kFieldInvalid);
}

}  // namespace strongroom::vault
