#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

TEST_CASE("resolve answers the key, its origin and the record that stands for it", "[resolve]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  CHECK(ref == "ACME/anthropic/default/1");
  auto reply = house.Resolve("ACME", "ACME_DEFAULT");
  REQUIRE(reply.has_value());
  const auto answer = ResolveAnswer::Decode(reply->body);
  REQUIRE(answer.has_value());
  CHECK(answer->origin == "https://api.anthropic.com:443");
  CHECK(answer->key_ref == ref);
  CHECK(answer->epoch == house.service().epoch());
  const audit::Entry last = house.Last();
  CHECK(last.place.seq == answer->seq);
  CHECK(last.draft.action == "resolve");
  CHECK(last.draft.outcome == audit::Outcome::kOk);
  CHECK(last.draft.actor.role == "worker");
  CHECK(last.draft.key_ref == ref);
  CHECK(last.draft.key_version == 1);
  CHECK(last.draft.customer == "ACME");
  CHECK(last.draft.request_id == "request-1");
  CHECK(last.draft.purpose == "attempt 1 profile ACME_DEFAULT");
  const auto secret = reply->open_secret();
  REQUIRE(secret.has_value());
  CHECK(base::AsText(SecretProbe::Copy(secret->View())) == kAcmeKey);
}

TEST_CASE("a foreign profile is refused as if it were none", "[resolve]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  CHECK(house.ResolveRefusal("BARCO", "ACME_DEFAULT") == Refusal::kProfileUnknown);
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
  CHECK(house.Last().draft.reason == "PROFILE_UNKNOWN");
  CHECK(house.Last().draft.customer == "BARCO");
  CHECK_FALSE(house.Last().draft.key_ref.has_value());
  CHECK(house.ResolveRefusal("ACME", "NOBODY") == Refusal::kProfileUnknown);
}

TEST_CASE("only workers resolve, and only well-formed requests", "[resolve]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const Bytes body = Ask1("ACME", "ACME_DEFAULT").Encode();
  CHECK(house.RefusalFor(Operation::kResolve, body, static_cast<std::uint8_t>(Role::kAdmin)) == Refusal::kNoRole);
  CHECK(house.Last().draft.reason == "NO_ROLE");
  CHECK(house.Last().draft.actor.role.empty());
  CHECK(house.RefusalFor(Operation::kResolve, Bytes{1, 2, 3}) == Refusal::kMalformed);
  CHECK(house.Last().draft.action == "resolve");
  for (const auto& [id, attempt] : {std::pair<std::string, int>{"", 1}, {"a\nb", 1}, {std::string(145, 'x'), 1},
                                    {"ok", 0}, {"ok", 1'000'001}}) {
    ResolveRequest request = Ask1("ACME", "ACME_DEFAULT");
    request.request_id = id;
    request.attempt = attempt;
    CHECK(house.RefusalFor(Operation::kResolve, request.Encode()) == Refusal::kFieldInvalid);
  }
}

TEST_CASE("every state but ACTIVE and ROTATED in grace withholds the key", "[resolve]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeySuspended);
  CHECK(house.Last().draft.key_ref == ref);
  REQUIRE(house.MoveKey(ref, "resume").has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  REQUIRE(house.MoveKey(ref, "revoke").has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyRevoked);
  REQUIRE(house.MoveKey(ref, "compromise").has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyCompromised);
  CHECK(house.MoveRefusal(ref, "resume") == Refusal::kKeyMoveForbidden);
}

TEST_CASE("a profile that is not ACTIVE, or has no key, resolves nothing", "[resolve]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  MoveRequest move;
  move.ref = "ACME_DEFAULT";
  move.reason = "a test";
  move.move = "suspend";
  REQUIRE(house.Ask(Operation::kMoveProfile, move.Encode()).has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kProfileNotActive);
  ActivateKeyRequest keyless;
  keyless.reason = "local models";
  keyless.profile.emplace();
  keyless.profile->profile_ref = "LOCAL";
  keyless.profile->customer = "ACME";
  keyless.profile->provider = "ollama";
  keyless.profile->model = "llama3";
  REQUIRE(house.Ask(Operation::kActivateKey, keyless.Encode()).has_value());
  CHECK(house.ResolveRefusal("ACME", "LOCAL") == Refusal::kProfileNeedsKey);
}

TEST_CASE("a payload that is damaged after its record is durable sends nothing, and the trail says so", "[resolve]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  // Past format and commitment (33 bytes) lies the ciphertext, which only Open reads.
  const std::string hex = house.Value("SELECT ENCRYPTED_KEY FROM KEY_VAULT");
  Bytes damaged = base::Unhex(hex).value();
  damaged[40] ^= 1;
  house.Edit("UPDATE KEY_VAULT SET ENCRYPTED_KEY = ?1", {ByteView(damaged)});
  auto reply = house.Resolve("ACME", "ACME_DEFAULT");
  REQUIRE(reply.has_value());
  const auto secret = reply->open_secret();
  REQUIRE_FALSE(secret.has_value());
  CHECK(RefusalOf(secret.error()) == Refusal::kKeyTampered);
  house.Stop();  // what was submitted is in the trail by then
  CHECK(house.Value("SELECT OUTCOME FROM AUDIT_LOG WHERE SEQ = (SELECT MAX(SEQ) - 1 FROM AUDIT_LOG)") == "error");
}

TEST_CASE("a key decided before an act was acknowledged does not open after it", "[resolve]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  auto early = house.Resolve("ACME", "ACME_DEFAULT");
  REQUIRE(early.has_value());
  SECTION("its own revoke") {
    REQUIRE(house.MoveKey(ref, "revoke").has_value());
    const auto secret = early->open_secret();
    REQUIRE_FALSE(secret.has_value());
    CHECK(RefusalOf(secret.error()) == Refusal::kBusy);
    CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyRevoked);
  }
  SECTION("another's: asking again is answered") {
    house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
    const auto secret = early->open_secret();
    REQUIRE_FALSE(secret.has_value());
    CHECK(RefusalOf(secret.error()) == Refusal::kBusy);
    CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  }
  house.Stop();
  CHECK(house.Value("SELECT COUNT(*) FROM AUDIT_LOG WHERE ACTION = 'resolve' AND OUTCOME = 'error'") == "1");
}

TEST_CASE("a probe decided before its key was revoked does not open after it", "[resolve]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  auto early = house.Ask(Operation::kProbe, EncodeText(ref));
  REQUIRE(early.has_value());
  REQUIRE(house.MoveKey(ref, "revoke").has_value());
  const auto secret = early->open_secret();
  REQUIRE_FALSE(secret.has_value());
  CHECK(RefusalOf(secret.error()) == Refusal::kBusy);
}

TEST_CASE("while the trail cannot be written no key goes out", "[resolve][trail][sqlite]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Stop();
  house.Edit("CREATE TRIGGER FULL BEFORE INSERT ON AUDIT_LOG WHEN NEW.ACTION = 'resolve' "
             "BEGIN SELECT RAISE(ABORT, 'disk full'); END");
  house.Start();
  const std::int64_t before = house.Records();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kTrailUnavailable);
  CHECK(house.Records() == before);
  house.Edit("DROP TRIGGER FULL");
  const auto deadline = base::MonoMicros() + 20 * base::kMicrosPerSecond;
  auto opened = house.Opened("ACME", "ACME_DEFAULT");
  while (!opened && base::MonoMicros() < deadline) opened = house.Opened("ACME", "ACME_DEFAULT");
  REQUIRE(opened.has_value());
  CHECK(*opened == kAcmeKey);
}

TEST_CASE("a resolve waits for another writer, and is refused when that one does not end", "[resolve][trail][sqlite]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  auto other = house.Open();
  REQUIRE(other->Begin().has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kTrailUnavailable);  // after the busy time
  REQUIRE(other->Rollback().has_value());
}

}  // namespace
}  // namespace strongroom::vault
