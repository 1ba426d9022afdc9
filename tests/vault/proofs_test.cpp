// What was proved before saves a proof of the same bytes, and of no others.
#include "vault/proofs.h"

#include <array>
#include <filesystem>
#include <vector>

#include "tests/vault/service_house.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// Kept is a customer who was served twice (the second time on a remembered proof), with both rows laid by.
class Kept : public ServiceHouse {
 public:
  Kept() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Serve();
    Edit("CREATE TABLE KEPT_KEY AS SELECT * FROM KEY_VAULT");
    Edit("CREATE TABLE KEPT_PROFILE AS SELECT * FROM AI_PROFILE");
  }
  void Serve() {
    for (int time = 0; time < 2; ++time) CHECK(Opened("ACME", "ACME_DEFAULT").value_or("refused") == kAcmeKey);
  }
  void Restore() {
    Edit("DELETE FROM KEY_VAULT");
    Edit("INSERT INTO KEY_VAULT SELECT * FROM KEPT_KEY");
    Edit("DELETE FROM AI_PROFILE");
    Edit("INSERT INTO AI_PROFILE SELECT * FROM KEPT_PROFILE");
  }
};

// An edit of one column, and how a resolve answers it; no refusal for what no proof covers and nobody obeys.
struct ColumnEdit {
  const char* column;
  sql::Sql text;
  std::optional<Refusal> refusal;
};

void TryAll(Kept& house, const std::vector<ColumnEdit>& edits) {
  for (const ColumnEdit& edit : edits) {
    INFO(edit.column);
    house.Serve();
    REQUIRE(house.Edit(edit.text) == 1);
    if (!edit.refusal) house.Serve();
    // Twice: a refusal leaves nothing behind that helps the next one.
    for (int time = 0; edit.refusal && time < 2; ++time) {
      CHECK(RefusalName(house.ResolveRefusal("ACME", "ACME_DEFAULT")) == RefusalName(*edit.refusal));
    }
    house.Restore();
  }
  house.Serve();
}

TEST_CASE("proofs: after a resolve, an edit of any column of the key's row is refused as before one", "[proofs][sqlite]") {
  using enum Refusal;
  const std::vector<ColumnEdit> edits{
      {"KEY_REF", "UPDATE KEY_VAULT SET KEY_REF = 'ACME/anthropic/default/2'", kKeyTampered},
      {"CUSTOMER", "UPDATE KEY_VAULT SET CUSTOMER = 'BARCO'", kKeyTampered},
      {"PROVIDER", "UPDATE KEY_VAULT SET PROVIDER = 'openai'", kKeyTampered},
      {"KEY_VERSION", "UPDATE KEY_VAULT SET KEY_VERSION = 2", kKeyTampered},
      {"ENCRYPTED_DEK", "UPDATE KEY_VAULT SET ENCRYPTED_DEK = randomblob(48)", kKeyTampered},
      {"ENCRYPTED_KEY", "UPDATE KEY_VAULT SET ENCRYPTED_KEY = randomblob(length(ENCRYPTED_KEY))", kKeyTampered},
      {"NONCE_DEK", "UPDATE KEY_VAULT SET NONCE_DEK = randomblob(12)", kKeyTampered},
      {"NONCE_KEY", "UPDATE KEY_VAULT SET NONCE_KEY = randomblob(12)", kKeyTampered},
      {"KEK_VERSION", "UPDATE KEY_VAULT SET KEK_VERSION = 2", kKekMissing},
      {"STATUS", "UPDATE KEY_VAULT SET STATUS = 'ROTATED'", kKeyTampered},
      {"CREATED_AT", "UPDATE KEY_VAULT SET CREATED_AT = 1", {}},
      {"LAST_USED_AT", "UPDATE KEY_VAULT SET LAST_USED_AT = 1", {}},
      {"REVOKED_AT", "UPDATE KEY_VAULT SET REVOKED_AT = 1", {}},
      {"LABEL", "UPDATE KEY_VAULT SET LABEL = 'other'", kKeyTampered},
      {"ORIGIN", "UPDATE KEY_VAULT SET ORIGIN = 'https://evil.example:443'", kKeyTampered},
      {"HOSTED", "UPDATE KEY_VAULT SET HOSTED = 'Y'", kKeyTampered},
      {"ROW_VERSION", "UPDATE KEY_VAULT SET ROW_VERSION = ROW_VERSION - 1", kKeyTampered},
      {"GRACE_UNTIL", "UPDATE KEY_VAULT SET GRACE_UNTIL = 9000000000000000", kKeyTampered},
      {"STATE_CHANGED_AT", "UPDATE KEY_VAULT SET STATE_CHANGED_AT = 1", {}},
      {"FINGERPRINT", "UPDATE KEY_VAULT SET FINGERPRINT = 'x'", {}},
      {"LIMIT_RPM", "UPDATE KEY_VAULT SET LIMIT_RPM = 1", kKeyTampered},
      {"LIMIT_TPM", "UPDATE KEY_VAULT SET LIMIT_TPM = 1", kKeyTampered},
  };
  Kept house;
  CHECK(house.Value("SELECT COUNT(*) FROM pragma_table_info('KEY_VAULT')") == std::to_string(edits.size()));
  TryAll(house, edits);
}

TEST_CASE("proofs: after a resolve, an edit of any bound column of the profile is refused as before one", "[proofs][sqlite]") {
  using enum Refusal;
  const std::vector<ColumnEdit> edits{
      {"PROFILE_REF", "UPDATE AI_PROFILE SET PROFILE_REF = 'OTHER'", kProfileUnknown},
      {"CUSTOMER", "UPDATE AI_PROFILE SET CUSTOMER = 'BARCO'", kProfileUnknown},
      {"MODE", "UPDATE AI_PROFILE SET MODE = 'H'", kProfileTampered},
      {"PROVIDER", "UPDATE AI_PROFILE SET PROVIDER = 'openai'", kProfileTampered},
      {"ENDPOINT", "UPDATE AI_PROFILE SET ENDPOINT = 'https://evil.example'", kProfileTampered},
      {"ENDPOINT's path", "UPDATE AI_PROFILE SET ENDPOINT = ENDPOINT || '/v9'", {}},
      {"KEY_REF", "UPDATE AI_PROFILE SET KEY_REF = 'ACME/anthropic/default/2'", kProfileTampered},
      {"KEY_REF, none", "UPDATE AI_PROFILE SET KEY_REF = NULL", kProfileTampered},
      {"VAULT_MAC", "UPDATE AI_PROFILE SET VAULT_MAC = randomblob(32)", kProfileTampered},
      {"STATUS", "UPDATE AI_PROFILE SET STATUS = 'SUSPENDED'", kProfileTampered},
      {"RATE_LIMIT_RPM", "UPDATE AI_PROFILE SET RATE_LIMIT_RPM = 1", kProfileTampered},
      {"RATE_LIMIT_TPM", "UPDATE AI_PROFILE SET RATE_LIMIT_TPM = 1", kProfileTampered},
      {"MONTHLY_QUOTA_TOKENS", "UPDATE AI_PROFILE SET MONTHLY_QUOTA_TOKENS = 1", kProfileTampered},
      {"OVER_QUOTA_UNTIL", "UPDATE AI_PROFILE SET OVER_QUOTA_UNTIL = 1", kProfileTampered},
      {"MODEL", "UPDATE AI_PROFILE SET MODEL = 'x'", {}},
  };
  Kept house;
  TryAll(house, edits);
}

// Forge makes rows that would prove, under a vault's own keys.
class Forge {
 public:
  Forge() {
    house_.Stop();
    vault = Load();
  }
  std::unique_ptr<OpenVault> Load() {
    auto loaded = LoadVault(house_.config());
    if (!loaded) FAIL(loaded.error().text);
    return std::move(*loaded);
  }
  KeyRow Key(std::int64_t version) const {
    KeyRow row;
    row.customer = "ACME";
    row.provider = "openai";
    row.label = "default";
    row.key_version = version;
    row.kek_version = 1;
    row.status = "ACTIVE";
    row.origin = "https://api.openai.com:443";
    row.hosted = "N";
    row.row_version = 1;
    KeyRef ref = KeyRef::Make(row.customer, row.provider, row.label, version).value();
    row.key_ref = ref.text();
    WrapContext context(KeyContext(vault->vault_id, std::move(ref)), Origin::Parse(row.origin).value(), false);
    context.state = KeyState::kActive;
    row.sealed = Seal(*vault->held.Get()->keyring.Find(1).value(), context, SecretProbe::Of(kAcmeKey).View()).value();
    return row;
  }
  BoundProfile Profile(const std::string& ref) const {
    BoundProfile row;
    row.profile_ref = ref;
    row.customer = "ACME";
    row.mode = "B";
    row.provider = "openai";
    row.endpoint = "https://api.openai.com";
    row.key_ref = "ACME/openai/default/1";
    row.status = "ACTIVE";
    row.vault_mac = ProfileMac(*vault->held.Get()->profile_key, vault->vault_id, row).value();
    return row;
  }

 private:
  ServiceHouse house_;

 public:
  std::unique_ptr<OpenVault> vault;
};

TEST_CASE("proofs: the same bytes are proved once, and a failed proof is not remembered", "[proofs]") {
  const Forge forge;
  Proofs& proofs = forge.vault->proofs;
  const KeyRow row = forge.Key(1);
  KeyRow edited = row;
  edited.hosted = "Y";
  const BoundProfile profile = forge.Profile("P");
  BoundProfile elsewhere = profile;
  elsewhere.endpoint = "https://evil.example";
  const auto refused = [&] {
    CHECK(RefusalOf(proofs.OfKey(edited).error()) == Refusal::kKeyTampered);
    CHECK(RefusalOf(proofs.OfProfile(elsewhere).error()) == Refusal::kProfileTampered);
  };
  refused();
  refused();
  CHECK(proofs.keys() == 0);
  CHECK(proofs.profiles() == 0);
  const auto key = proofs.OfKey(row).value();
  const auto bound = proofs.OfProfile(profile).value();
  CHECK(proofs.OfKey(row).value() == key);
  CHECK(proofs.OfProfile(profile).value() == bound);
  refused();
  CHECK(proofs.OfKey(row).value() == key);
  CHECK(proofs.OfProfile(profile).value() == bound);
  // Bytes that no proof covers make another row all the same, and its proof takes the place of the first.
  KeyRow touched = row;
  touched.last_used_at = 7;
  CHECK(proofs.OfKey(touched).value() != key);
  CHECK(proofs.OfKey(touched).value()->row() == touched);
  CHECK(proofs.keys() == 1);
}

TEST_CASE("proofs: a row needs no reading until somebody may have written it", "[proofs][sqlite]") {
  const Forge forge;
  Proofs& proofs = forge.vault->proofs;
  const std::string url = forge.vault->config.vault.database;
  const auto database = sql::Open(url, {}).value(), other = sql::Open(url, {}).value();
  Store store(*database);
  const KeyRow row = forge.Key(1);
  const BoundProfile profile = forge.Profile("P");
  const auto prove = [&] {
    proofs.Look(store);
    CHECK(proofs.UnchangedKey(row.key_ref) == nullptr);
    CHECK(proofs.UnchangedProfile("P") == nullptr);
    REQUIRE(proofs.OfKey(row));
    REQUIRE(proofs.OfProfile(profile));
    CHECK(proofs.UnchangedKey(row.key_ref) != nullptr);
  };
  prove();
  proofs.Look(store);
  CHECK(proofs.UnchangedKey(row.key_ref) == proofs.OfKey(row).value());
  CHECK(proofs.UnchangedProfile("P") == proofs.OfProfile(profile).value());
  SECTION("an act of our own") { proofs.Written(); }
  SECTION("a commit by somebody else") { REQUIRE(other->Execute("UPDATE VAULT SET CREATED_AT = CREATED_AT + 1")); }
  SECTION("a new connection") { REQUIRE(database->Reconnect()); }
  SECTION("a database that does not answer") {
    std::filesystem::remove(url.substr(url.find(':') + 1));
    CHECK_FALSE(database->Reconnect());
  }
  SECTION("keys that are given up") { proofs.Forget(); }
  prove();
}

TEST_CASE("proofs: a proof is of no use while the vault is sealed, or after a stop", "[proofs][sqlite]") {
  const Forge forge;
  const KeyRow row = forge.Key(1);
  forge.vault->proofs.OfKey(row).value();
  REQUIRE(forge.vault->proofs.UnchangedKey(row.key_ref));
  SECTION("sealed") { forge.vault->held.Put(nullptr); }
  SECTION("stopped") {
    const std::array<Stop, 1> stop{Stop{row.key_ref, 2, KeyState::kRevoked}};
    REQUIRE(forge.vault->stops->Note(forge.vault->stops->epoch() + 1, stop));
  }
  CHECK(forge.vault->proofs.UnchangedKey(row.key_ref) == nullptr);
}

TEST_CASE("proofs: a proof holds under its own KEK only", "[proofs][sqlite]") {
  Forge forge;
  const KeyRow row = forge.Key(1);
  const auto key = forge.vault->proofs.OfKey(row).value();
  CHECK(key->IsProofOf(*forge.vault, row));
  const auto again = forge.Load();  // the same home, another keyring in memory
  CHECK_FALSE(key->IsProofOf(*again, row));
  KeyRow foreign = row;
  foreign.kek_version = 2;
  CHECK(RefusalOf(forge.vault->proofs.OfKey(foreign).error()) == Refusal::kKekMissing);
}

TEST_CASE("proofs: so many rows are kept and no more, the oldest goes first, and none that is huge", "[proofs]") {
  const Forge forge;
  Proofs& proofs = forge.vault->proofs;
  constexpr auto kMost = static_cast<std::int64_t>(Proofs::kMostRows);
  const KeyRow first = forge.Key(1), second = forge.Key(2);
  const auto first_proof = proofs.OfKey(first).value();
  const auto second_proof = proofs.OfKey(second).value();
  for (std::int64_t version = 3; version <= kMost + 1; ++version) REQUIRE(proofs.OfKey(forge.Key(version)));
  CHECK(proofs.keys() == Proofs::kMostRows);
  CHECK(proofs.OfKey(second).value() == second_proof);
  CHECK(proofs.OfKey(first).value() != first_proof);
  CHECK(proofs.keys() == Proofs::kMostRows);
  KeyRow huge = first;
  huge.fingerprint.assign(Proofs::kMostFreeBytes, 'f');
  CHECK(proofs.OfKey(huge).value() != proofs.OfKey(huge).value());

  for (std::int64_t i = 0; i <= kMost; ++i) REQUIRE(proofs.OfProfile(forge.Profile(std::to_string(i))));
  CHECK(proofs.profiles() == Proofs::kMostRows);
}

}  // namespace
}  // namespace strongroom::vault
