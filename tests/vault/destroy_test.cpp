// Destruction of a key: when it may be, what is gone afterwards, and how everything else meets the row.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"
#include "vault/key_state.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;

class Destroying : public ServiceHouse {
 public:
  Destroying() : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) {}
  std::string Column(sql::Sql text) { return Value(text, {std::string_view(ref)}); }
  std::string Status() { return Column("SELECT STATUS FROM KEY_VAULT WHERE KEY_REF = ?1"); }
  // StateAge makes the row state that its state is so old.
  void StateAge(base::Micros age) {
    Edit("UPDATE KEY_VAULT SET STATE_CHANGED_AT = ?1 WHERE KEY_REF = ?2",
         {base::WallMicros() - age, std::string_view(ref)});
  }
  void CheckErased() {
    CHECK(Status() == "DESTROYED");
    CHECK(Column("SELECT LENGTH(ENCRYPTED_DEK) + LENGTH(NONCE_DEK) + 1 FROM KEY_VAULT WHERE KEY_REF = ?1") == "1");
  }
  const std::string ref;
};

bool HoldsBytes(const std::string& path, const std::string& hex) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return base::Hex(base::AsBytes(bytes)).find(hex) != std::string::npos;
}

TEST_CASE("destroy: a REVOKED key 7 days later, a COMPROMISED one at once, no other", "[destroy]") {
  Destroying house;
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyNotStopped);
  REQUIRE(house.MoveKey(house.ref, "suspend").has_value());
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyNotStopped);
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyTooSoon);
  CHECK(house.Last().draft.reason == "KEY_TOO_SOON");
  CHECK(house.Status() == "REVOKED");
  SECTION("after the wait") {
    house.StateAge(kRevokedKept - base::kMicrosPerDay);
    CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyTooSoon);
    house.StateAge(kRevokedKept);
  }
  SECTION("compromised") { REQUIRE(house.MoveKey(house.ref, "compromise").has_value()); }
  const std::int64_t epoch = house.service().epoch(), records = house.Records();
  const auto version = std::stoll(house.Column("SELECT ROW_VERSION FROM KEY_VAULT WHERE KEY_REF = ?1"));
  const std::string before = house.Status();
  REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  house.CheckErased();
  CHECK(std::stoll(house.Column("SELECT ROW_VERSION FROM KEY_VAULT WHERE KEY_REF = ?1")) == version + 1);
  CHECK(house.service().epoch() == epoch + 1);
  CHECK(house.Records() == records + 1);
  const audit::Draft record = house.Last().draft;
  CHECK(record.action == "move_key");
  CHECK(record.outcome == audit::Outcome::kOk);
  CHECK(record.before->at("status") == before);
  CHECK(record.after->at("status") == "DESTROYED");
  CHECK(record.after->count("unproven") == 0);
}

TEST_CASE("destroy: the DEK is nowhere in the database file any more, and its log is gone once vaultd stopped", "[destroy][sqlite]") {
  Destroying house;
  REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
  const std::string dek = house.Column("SELECT ENCRYPTED_DEK FROM KEY_VAULT WHERE KEY_REF = ?1");
  REQUIRE(dek.size() == 96);
  house.Stop();
  REQUIRE(HoldsBytes(house.home() + "/vault.db", dek));
  house.Start();
  REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  house.Stop();
  CHECK_FALSE(HoldsBytes(house.home() + "/vault.db", dek));
  CHECK_FALSE(std::filesystem::exists(house.home() + "/vault.db-wal"));
}

TEST_CASE("destroy: everything refuses the row by its own name, also while its KEK is away", "[destroy]") {
  Destroying house;
  REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
  REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  SECTION("as it was written") {}
  SECTION("under another KEK") { house.Edit("UPDATE KEY_VAULT SET KEK_VERSION = 9"); }
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyDestroyed);
  CHECK(house.Last().draft.reason == "KEY_DESTROYED");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.ref)) == Refusal::kKeyDestroyed);
  for (const char* move : {"revoke", "suspend", "resume", "compromise", "destroy"}) {
    CHECK(house.MoveRefusal(house.ref, move) == Refusal::kKeyDestroyed);
  }
  RotateKeyRequest rotate;
  rotate.old_key_ref = rotate.new_key_ref = house.ref;
  rotate.reason = "a test";
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kKeyDestroyed);
  ActivateKeyRequest activate;
  activate.key_ref = house.ref;
  activate.reason = "a test";
  CHECK(house.RefusalFor(Operation::kActivateKey, activate.Encode()) == Refusal::kKeyDestroyed);
  const auto shown = house.Ask(Operation::kShowKey, EncodeText(house.ref));
  REQUIRE(shown.has_value());
  const Json json = Json::parse(DecodeText(shown->body).value());
  CHECK(json["status"] == "DESTROYED");
  CHECK(json["intact"].is_null());
  // The profile gets its customer's next key as after a revoke.
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kBarcoKey);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("destroy: a row that only states DESTROYED, or has only lost its DEK, is a changed one", "[destroy]") {
  Destroying house;
  SECTION("the status") { house.Edit("UPDATE KEY_VAULT SET STATUS = 'DESTROYED'"); }
  SECTION("the status and half of the wrap") {
    house.Edit("UPDATE KEY_VAULT SET STATUS = 'DESTROYED', NONCE_DEK = ?1", {ByteView()});
  }
  SECTION("the wrap") { house.Edit("UPDATE KEY_VAULT SET ENCRYPTED_DEK = ?1, NONCE_DEK = ?1", {ByteView()}); }
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyTampered);
}

TEST_CASE("destroy: a row that does not prove is destroyed by what it states, and the record says so", "[destroy]") {
  Destroying house;
  std::string why = "KEY_TAMPERED";
  SECTION("an edited HOSTED") { house.Edit("UPDATE KEY_VAULT SET HOSTED = 'Y'"); }
  SECTION("a KEK that is not held") {
    house.Edit("INSERT INTO KEK VALUES (9, ?1, 'RETIRED', 1, 1)", {ByteView()});
    house.Edit("UPDATE KEY_VAULT SET KEK_VERSION = 9");
    why = "KEK_MISSING";
  }
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyNotStopped);
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyTooSoon);
  house.StateAge(kRevokedKept);
  REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  CHECK(house.Last().draft.after->at("unproven") == why);
  house.CheckErased();
}

TEST_CASE("destroy: a destroyed key keeps no KEK from being retired", "[destroy]") {
  Destroying house;
  REQUIRE(house.MoveKey(house.ref, "compromise").has_value());
  REQUIRE(house.MoveKey(house.ref, "destroy").has_value());
  KekRequest kek;
  kek.reason = "a test";
  REQUIRE(house.Ask(Operation::kPrepareKek, kek.Encode()).has_value());
  kek.version = 2;
  REQUIRE(house.Ask(Operation::kActivateKek, kek.Encode()).has_value());
  const auto chunk = house.Ask(Operation::kRewrapKeys, RewrapRequest{"test", "", "a test"}.Encode());
  REQUIRE(chunk.has_value());
  CHECK(RewrapAnswer::Decode(chunk->body)->unopened == 0);
  const auto status = house.Ask(Operation::kKekStatus, {});
  REQUIRE(status.has_value());
  for (const Json& row : Json::parse(DecodeText(status->body).value())) CHECK(row["keys"] == 0);
  kek.version = 1;
  CHECK(house.Ask(Operation::kRetireKek, kek.Encode()).has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyDestroyed);
}

TEST_CASE("destroy: a row with a time or a version at the end of its range is refused, not wrapped around", "[destroy]") {
  Destroying house;
  REQUIRE(house.MoveKey(house.ref, "revoke").has_value());
  house.Edit("UPDATE KEY_VAULT SET STATE_CHANGED_AT = 9223372036854775807");
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyTooSoon);
  house.Edit("UPDATE KEY_VAULT SET STATE_CHANGED_AT = -9223372036854775807 - 1, ROW_VERSION = 9223372036854775807");
  CHECK(house.MoveRefusal(house.ref, "destroy") == Refusal::kKeyTampered);
  CHECK(house.Status() == "REVOKED");
}

}  // namespace
}  // namespace strongroom::vault
