#include "vault/store.h"

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

struct OpenHome {
  OpenHome() {
    home.Init();
    database = home.Open();
  }
  Home home;
  std::unique_ptr<sql::Database> database;
};

KeyRow SomeKey() {
  KeyRow row;
  row.key_ref = "ACME/openai/default/1";
  row.customer = "ACME";
  row.provider = "openai";
  row.key_version = 1;
  row.sealed = {{{1, 2, 3}, Bytes(2048, 0xab)}, {{0, 0, 0}, {9, 0, 9}}};
  row.kek_version = 1;
  row.status = "PENDING";
  row.created_at = 5;
  row.label = "default";
  row.origin = "https://api.openai.com:443";
  row.hosted = "N";
  row.row_version = 1;
  row.state_changed_at = 6;
  row.fingerprint = "00ff";
  return row;
}

TEST_CASE("store: a key's row comes back as it went in, absent fields absent", "[store]") {
  OpenHome open;
  Store store(*open.database);
  const KeyRow row = SomeKey();
  REQUIRE(store.InsertKey(row).has_value());
  CHECK(store.InsertKey(row).error().code() == Code::kAlreadyExists);
  const auto found = store.FindKey(row.key_ref);
  REQUIRE((found.has_value() && found->has_value()));
  const KeyRow& back = **found;
  CHECK(back.sealed.key.ciphertext == row.sealed.key.ciphertext);
  CHECK(back.sealed.dek.nonce == row.sealed.dek.nonce);
  CHECK(back.sealed.dek.ciphertext == row.sealed.dek.ciphertext);
  CHECK_FALSE(back.grace_until.has_value());
  CHECK_FALSE(back.last_used_at.has_value());
  CHECK(back.fingerprint == "00ff");
  CHECK(back.state_changed_at == 6);
  CHECK_FALSE(store.FindKey("nobody")->has_value());
}

TEST_CASE("store: a key's row is swapped in by its ROW_VERSION or not at all", "[store]") {
  OpenHome open;
  Store store(*open.database);
  KeyRow row = SomeKey();
  REQUIRE(store.InsertKey(row).has_value());
  row.status = "ACTIVE";
  row.row_version = 2;
  REQUIRE(store.UpdateKey(row, 1).has_value());
  row.status = "REVOKED";
  row.row_version = 3;
  const auto stale = store.UpdateKey(row, 1);
  REQUIRE_FALSE(stale.has_value());
  CHECK(stale.error().code() == Code::kConflict);
  CHECK((*store.FindKey(row.key_ref))->status == "ACTIVE");
}

TEST_CASE("store: a key cannot be wrapped by a KEK that is not there", "[store]") {
  OpenHome open;
  Store store(*open.database);
  KeyRow row = SomeKey();
  row.kek_version = 7;
  CHECK(store.InsertKey(row).error().code() == Code::kRefused);
}

TEST_CASE("store: a profile's row comes back as it went in, and a name is one customer's once", "[store]") {
  OpenHome open;
  Store store(*open.database);
  ProfileRow row;
  row.profile_ref = "P1";
  row.customer = "ACME";
  row.profile_name = "main";
  row.mode = "B";
  row.provider = "openai";
  row.model = "gpt-5";
  row.endpoint = "https://api.openai.com";
  row.default_temp_tenths = 0;
  row.quota = 1'000'000'000'000;
  row.vault_mac = Bytes(32, 7);
  row.status = "ACTIVE";
  REQUIRE(store.InsertProfile(row).has_value());
  const auto back = store.FindProfile("P1");
  REQUIRE((back.has_value() && back->has_value()));
  CHECK((*back)->default_temp_tenths == 0);
  CHECK((*back)->quota == 1'000'000'000'000);
  CHECK_FALSE((*back)->rpm.has_value());
  CHECK_FALSE((*back)->key_ref.has_value());
  CHECK((*back)->vault_mac == row.vault_mac);
  row.profile_ref = "P2";
  CHECK(store.InsertProfile(row).error().code() == Code::kAlreadyExists);
  CHECK(store.UpdateProfile(row).error().code() == Code::kConflict);
}

TEST_CASE("store: the rate in force is the newest that has begun", "[store]") {
  OpenHome open;
  Store store(*open.database);
  for (const std::int64_t from : {10, 20, 30}) REQUIRE(store.InsertRate({"m", "openai", from, from, from}).has_value());
  const auto rates = store.CurrentRates(25);
  REQUIRE(rates.has_value());
  REQUIRE(rates->size() == 1);  // the seeded ones begin later
  CHECK(rates->front().input_micro_usd == 20);
}

TEST_CASE("store: a VAULT table without its one row is corrupt", "[store]") {
  OpenHome open;
  Store store(*open.database);
  REQUIRE(store.MoveEpoch().value() == 2);
  REQUIRE(open.database->Execute("INSERT INTO VAULT SELECT 'x', 1, 1, TRAIL_PUBLIC_KEY FROM VAULT").has_value());
  CHECK(store.FindVault().error().code() == Code::kCorrupt);
  REQUIRE(open.database->Execute("DELETE FROM VAULT").has_value());
  CHECK(store.FindVault().error().code() == Code::kCorrupt);
}

}  // namespace
}  // namespace strongroom::vault
