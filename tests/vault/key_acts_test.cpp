// How keys come in, become active, and are followed by their next version.
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;

Json Document(ServiceHouse& house, Operation operation, Bytes body) {
  const auto reply = house.Ask(operation, std::move(body));
  REQUIRE(reply.has_value());
  const auto text = DecodeText(reply->body);
  REQUIRE(text.has_value());
  return Json::parse(*text);
}

AddKeyRequest AcmeKey() {
  AddKeyRequest request;
  request.customer = "ACME";
  request.provider = "anthropic";
  request.reason = "onboarding";
  return request;
}

Refusal AddRefusal(ServiceHouse& house, const AddKeyRequest& request, std::string_view key = kAcmeKey) {
  const auto added = house.AddKey(request, key);
  REQUIRE_FALSE(added.has_value());
  return RefusalOf(added.error());
}

ActivateKeyRequest Activation(const std::string& key_ref, const std::string& profile) {
  ActivateKeyRequest request;
  request.key_ref = key_ref;
  request.reason = "onboarding";
  request.profile.emplace();
  request.profile->profile_ref = profile;
  request.profile->model = "some-model";
  return request;
}

Refusal ActivateRefusal(ServiceHouse& house, const ActivateKeyRequest& request) {
  return house.RefusalFor(Operation::kActivateKey, request.Encode());
}

TEST_CASE("add_key holds a key as PENDING, with the next version", "[service]") {
  ServiceHouse house;
  CHECK(house.AddKey(AcmeKey(), kAcmeKey).value() == "ACME/anthropic/default/1");
  CHECK(house.AddKey(AcmeKey(), kBarcoKey).value() == "ACME/anthropic/default/2");
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_VERSION = 2") == "PENDING");
  CHECK(house.Value("SELECT COUNT(DISTINCT FINGERPRINT) FROM KEY_VAULT") == "2");
  CHECK(house.Value("SELECT FINGERPRINT, NULL, NULL FROM KEY_VAULT LIMIT 1").size() == 32);
  AddKeyRequest same = AcmeKey();
  same.label = "spare";
  REQUIRE(house.AddKey(same, kAcmeKey).has_value());
  CHECK(house.Value("SELECT COUNT(DISTINCT FINGERPRINT) FROM KEY_VAULT") == "2");
}

TEST_CASE("add_key refuses what is no key, no TLS, no provider, no customer", "[service]") {
  ServiceHouse house;
  CHECK(AddRefusal(house, AcmeKey(), "too short") == Refusal::kKeyFormat);
  CHECK(AddRefusal(house, AcmeKey(), "sk-with a space 0123456789") == Refusal::kKeyFormat);
  CHECK(AddRefusal(house, AcmeKey(), "sk-with-newline-0123456789\n") == Refusal::kKeyFormat);
  AddKeyRequest request = AcmeKey();
  request.endpoint = "http://127.0.0.1:8080";
  CHECK(AddRefusal(house, request) == Refusal::kOriginNotTls);
  request.endpoint = "https://user@host/";
  CHECK(AddRefusal(house, request) == Refusal::kFieldInvalid);
  request = AcmeKey();
  request.provider = "acme-cloud";
  CHECK(AddRefusal(house, request) == Refusal::kFieldInvalid);
  request = AcmeKey();
  request.provider = "ollama";
  request.endpoint = "https://models.acme.example";
  CHECK(AddRefusal(house, request) == Refusal::kKeyProviderMismatch);
  request = AcmeKey();
  request.customer = "A/B";
  CHECK(AddRefusal(house, request) == Refusal::kFieldInvalid);
  request = AcmeKey();
  request.hosted = true;
  CHECK(AddRefusal(house, request) == Refusal::kFieldInvalid);
  request = AcmeKey();
  request.like = "ACME/anthropic/default/9";
  CHECK(AddRefusal(house, request) == Refusal::kKeyUnknown);
  CHECK(house.Value("SELECT KEY_REF FROM KEY_VAULT").empty());
  CHECK(house.Value("SELECT EPOCH FROM VAULT") == "1");
}

TEST_CASE("activation makes the profile in the same act, or nothing", "[service]") {
  ServiceHouse house;
  const std::string ref = house.AddKey(AcmeKey(), kAcmeKey).value();
  ActivateKeyRequest request = Activation(ref, "ACME_DEFAULT");
  request.profile->endpoint = "https://elsewhere.example";
  CHECK(ActivateRefusal(house, request) == Refusal::kOriginMismatch);
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "PENDING");
  request.profile->endpoint = "http://api.anthropic.com";
  CHECK(ActivateRefusal(house, request) == Refusal::kOriginNotTls);
  request.profile->endpoint.reset();
  request.profile->default_temp_tenths = 11;
  CHECK(ActivateRefusal(house, request) == Refusal::kFieldInvalid);
  request.profile->default_temp_tenths = 7;
  request.profile->provider = "openai";
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyProviderMismatch);
  request.profile->provider.reset();
  request.profile->customer = "BARCO";
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyNotYours);
  request.profile->customer.reset();
  REQUIRE(house.Ask(Operation::kActivateKey, request.Encode()).has_value());
  CHECK(house.Last().draft.after->at("probed") == "no");
  CHECK(house.Last().draft.after->at("status") == "ACTIVE");
  const Json profile = Document(house, Operation::kShowProfile, EncodeText("ACME_DEFAULT"));
  CHECK(profile["endpoint"] == "https://api.anthropic.com");
  CHECK(profile["default_temp"] == 0.7);
  CHECK(profile["default_max_tokens"] == 1024);
  CHECK(profile["profile_name"] == "ACME_DEFAULT");
  CHECK(profile["mode"] == "B");
  CHECK(profile["intact"] == true);
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyMoveForbidden);
}

TEST_CASE("another customer's profile is not taken over, one's own is repointed once its key is stopped", "[service]") {
  ServiceHouse house;
  const std::string first = house.Onboard("ACME", "anthropic", "SHARED", kAcmeKey);
  AddKeyRequest barco = AcmeKey();
  barco.customer = "BARCO";
  const std::string foreign = house.AddKey(barco, kBarcoKey).value();
  CHECK(ActivateRefusal(house, Activation(foreign, "SHARED")) == Refusal::kProfileExists);
  AddKeyRequest openai = AcmeKey();
  openai.provider = "openai";
  const std::string own = house.AddKey(openai, kBarcoKey).value();
  CHECK(ActivateRefusal(house, Activation(own, "SHARED")) == Refusal::kProfileExists);
  REQUIRE(house.MoveKey(first, "revoke").has_value());
  REQUIRE(house.Ask(Operation::kActivateKey, Activation(own, "SHARED").Encode()).has_value());
  CHECK(house.Opened("ACME", "SHARED").value() == kBarcoKey);
  CHECK(Document(house, Operation::kShowProfile, EncodeText("SHARED"))["endpoint"] == "https://api.openai.com");
}

TEST_CASE("a hosted key serves other customers' profiles of mode H, and only those", "[service]") {
  ServiceHouse house;
  AddKeyRequest add = AcmeKey();
  add.customer = "HOUSE";
  add.hosted = true;
  const std::string ref = house.AddKey(add, kAcmeKey).value();
  ActivateKeyRequest alone;
  alone.key_ref = ref;
  alone.reason = "house key";
  ActivateKeyRequest request = Activation("", "GUEST");
  request.profile->customer = "GUEST";
  request.profile->provider = "anthropic";
  request.profile->mode = "H";
  request.profile->key_ref = ref;
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyPending);
  REQUIRE(house.Ask(Operation::kActivateKey, alone.Encode()).has_value());
  request.profile->mode = "B";
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyNotYours);
  request.profile->mode = "H";
  REQUIRE(house.Ask(Operation::kActivateKey, request.Encode()).has_value());
  CHECK(house.Opened("GUEST", "GUEST").value() == kAcmeKey);
  const std::string own = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kBarcoKey);
  request.profile->profile_ref = "GUEST2";
  request.profile->key_ref = own;
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyNotYours);
}

TEST_CASE("a profile without a key: only where the provider needs none, http only on loopback", "[service]") {
  ServiceHouse house;
  ActivateKeyRequest request = Activation("", "LOCAL");
  request.profile->customer = "ACME";
  request.profile->provider = "anthropic";
  CHECK(ActivateRefusal(house, request) == Refusal::kProfileNeedsKey);
  request.profile->provider = "ollama";
  request.profile->endpoint = "http://10.0.0.7:11434";
  CHECK(ActivateRefusal(house, request) == Refusal::kOriginNotTls);
  request.profile->endpoint.reset();
  REQUIRE(house.Ask(Operation::kActivateKey, request.Encode()).has_value());
  CHECK(Document(house, Operation::kShowProfile, EncodeText("LOCAL"))["endpoint"] == "http://127.0.0.1:11434");
  CHECK(ActivateRefusal(house, ActivateKeyRequest{"", "nothing at all", false, std::nullopt}) ==
        Refusal::kFieldInvalid);
}

TEST_CASE("a provider that takes no key gets none: neither taken in, nor in a profile", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  ActivateKeyRequest request = Activation("", "LOCAL");
  request.profile->customer = "ACME";
  request.profile->provider = "ollama";
  request.profile->endpoint = "https://api.anthropic.com";
  request.profile->key_ref = ref;
  CHECK(ActivateRefusal(house, request) == Refusal::kKeyProviderMismatch);
}

TEST_CASE("rotation: the new key serves at once, the old one within its grace", "[service]") {
  ServiceHouse house;
  const std::string old_ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  AddKeyRequest add;
  add.like = old_ref;
  add.reason = "yearly";
  RotateKeyRequest rotate;
  rotate.old_key_ref = old_ref;
  rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
  rotate.reason = "yearly";
  rotate.grace = -1;
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kFieldInvalid);
  rotate.grace = 30 * base::kMicrosPerDay;
  REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode()).has_value());
  CHECK(house.Last().draft.after->at("profiles") == "1");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
  auto old_probe = house.Ask(Operation::kProbe, EncodeText(old_ref));
  REQUIRE(old_probe.has_value());
  CHECK(base::AsText(SecretProbe::Copy(old_probe->open_secret()->View())) == kAcmeKey);
  const Json shown = Document(house, Operation::kShowKey, EncodeText(old_ref));
  CHECK(shown["status"] == "ROTATED");
  CHECK(shown["intact"] == true);
  CHECK(shown["profiles"].empty());
  CHECK(shown["grace_until"].is_string());
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kKeyMoveForbidden);
  rotate.old_key_ref = rotate.new_key_ref;
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kKeyMoveForbidden);
}

TEST_CASE("rotation without grace closes the old key at once", "[service]") {
  ServiceHouse house;
  const std::string old_ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  AddKeyRequest add;
  add.like = old_ref;
  add.reason = "leak";
  RotateKeyRequest rotate;
  rotate.old_key_ref = old_ref;
  rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
  rotate.reason = "leak";
  REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode()).has_value());
  // vaultd revokes it by itself, some moments later.
  const Refusal refusal = house.RefusalFor(Operation::kProbe, EncodeText(old_ref));
  CHECK((refusal == Refusal::kKeyGraceOver || refusal == Refusal::kKeyRevoked));
  static_cast<void>(house.MoveKey(old_ref, "revoke"));
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(old_ref)) == Refusal::kKeyRevoked);
}

TEST_CASE("rotation: a key that was stopped for good, and that no profile waits for, gets no new version", "[service]") {
  ServiceHouse house;
  const std::string old = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const auto refusal = [&] {
    AddKeyRequest add;
    add.like = old;
    add.reason = "next";
    RotateKeyRequest rotate;
    rotate.old_key_ref = old;
    rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
    rotate.reason = "rotation";
    return house.RefusalFor(Operation::kRotateKey, rotate.Encode());
  };
  REQUIRE(house.MoveKey(old, "revoke").has_value());
  SECTION("another has its place") {
    house.Rotate(old, 0);
    CHECK(refusal() == Refusal::kKeyUnused);
  }
  SECTION("its profile is over") {
    REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "terminate")).has_value());
    CHECK(refusal() == Refusal::kKeyUnused);
  }
}

TEST_CASE("rotation only goes to the same place", "[service]") {
  ServiceHouse house;
  RotateKeyRequest rotate;
  rotate.old_key_ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  rotate.reason = "yearly";
  AddKeyRequest add = AcmeKey();
  SECTION("another customer") { add.customer = "BARCO"; }
  SECTION("another provider") { add.provider = "openai"; }
  SECTION("another label") { add.label = "spare"; }
  SECTION("another origin") { add.endpoint = "https://gateway.example"; }
  rotate.new_key_ref = house.AddKey(add, kBarcoKey).value();
  CHECK(house.RefusalFor(Operation::kRotateKey, rotate.Encode()) == Refusal::kFieldInvalid);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

}  // namespace
}  // namespace strongroom::vault
