#include <nlohmann/json.hpp>
#include <set>

#include "audit/verifier.h"
#include "tests/vault/service_house.h"
#include "vault/operations.h"

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

ListAnswer Page(ServiceHouse& house, Operation operation, const ListRequest& request) {
  const auto reply = house.Ask(operation, request.Encode());
  REQUIRE(reply.has_value());
  const auto answer = ListAnswer::Decode(reply->body);
  REQUIRE(answer.has_value());
  return *answer;
}

AddKeyRequest AcmeKey() {
  AddKeyRequest request;
  request.customer = "ACME";
  request.provider = "anthropic";
  request.reason = "onboarding";
  return request;
}

TEST_CASE("the table has each operation once, and every role it names exists", "[service]") {
  std::map<int, int> seen;
  for (const OperationRow& row : Operations()) {
    ++seen[static_cast<int>(row.operation)];
    CHECK(row.roles != 0);
    CHECK(FindOperation(static_cast<std::uint8_t>(row.operation)) == &row);
  }
  CHECK(seen.size() == Operations().size());
}

TEST_CASE("what is not in the table is denied and recorded", "[service]") {
  ServiceHouse house;
  for (int number = 0; number < 256; ++number) {
    if (FindOperation(static_cast<std::uint8_t>(number)) != nullptr) continue;
    CHECK(house.RefusalFor(static_cast<Operation>(number), Bytes{}) == Refusal::kUnknownOperation);
  }
  CHECK(house.Last().draft.action == "unknown_operation");
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
  CHECK(house.Last().draft.purpose == "operation 255");
}

TEST_CASE("each operation asks for a role, and refuses rubbish", "[service]") {
  ServiceHouse house;
  for (const OperationRow& row : Operations()) {
    for (const std::uint8_t roles : std::initializer_list<std::uint8_t>{0, 1, 2, 4}) {
      if ((row.roles & roles) != 0) continue;
      CHECK(house.RefusalFor(row.operation, Bytes{}, roles) == Refusal::kNoRole);
      CHECK(house.Last().draft.action == row.action);
    }
    std::optional<SecretValue> secret;
    if (row.carries == Carries::kKey) secret = SecretProbe::Of(kAcmeKey);
    const auto rubbish = house.Ask(row.operation, Bytes{0xff, 0xff, 0xff}, 7, std::move(secret));
    REQUIRE_FALSE(rubbish.has_value());
    CHECK(RefusalOf(rubbish.error()) == Refusal::kMalformed);
  }
  const auto stray = house.Ask(Operation::kStatus, Bytes{}, 7, SecretProbe::Of(kAcmeKey));
  REQUIRE_FALSE(stray.has_value());
  CHECK(RefusalOf(stray.error()) == Refusal::kMalformed);
  CHECK(house.RefusalFor(Operation::kAddKey, AcmeKey().Encode()) == Refusal::kMalformed);
}

TEST_CASE("every act needs a reason, and its refusal is a record", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  MoveRequest move;
  move.ref = ref;
  move.move = "revoke";
  for (const char* blank : {"", "  "}) {
    move.reason = blank;
    CHECK(house.RefusalFor(Operation::kMoveKey, move.Encode()) == Refusal::kReasonMissing);
  }
  CHECK(house.Last().draft.reason == "REASON_MISSING");
  CHECK(house.Last().draft.key_ref == ref);
  for (const std::string& bad : {std::string(501, 'x'), std::string("a\x1b[2Jb"), std::string("a\nb")}) {
    move.reason = bad;
    CHECK(house.RefusalFor(Operation::kMoveKey, move.Encode()) == Refusal::kFieldInvalid);
  }
  move.reason = "left the company";
  const std::int64_t epoch = house.service().epoch();
  REQUIRE(house.Ask(Operation::kMoveKey, move.Encode()).has_value());
  const audit::Entry last = house.Last();
  CHECK(last.draft.purpose == "left the company");
  CHECK(last.draft.before->at("status") == "ACTIVE");
  CHECK(last.draft.after->at("status") == "REVOKED");
  CHECK(last.draft.epoch == epoch + 1);
  CHECK(house.service().epoch() == epoch + 1);
  CHECK(house.Value("SELECT EPOCH FROM VAULT") == std::to_string(epoch + 1));
}

TEST_CASE("the epoch's handler hears each commit that moved it, and no refusal", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  std::atomic<std::int64_t> heard = 0;
  house.service().OnEpoch([&heard](std::int64_t epoch) { heard = epoch; });
  CHECK(house.MoveRefusal(ref, "resume") == Refusal::kKeyMoveForbidden);
  CHECK(heard == 0);
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  CHECK(heard == house.service().epoch());
  house.service().OnEpoch({});
}

TEST_CASE("profiles: what may be set, what may not, and what is final", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  SetProfileRequest set;
  set.fields.profile_ref = "ACME_DEFAULT";
  set.reason = "tuning";
  set.fields.rpm = 60;
  set.fields.system_prompt = "Be brief.\n\tAlways.";
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  const auto got = house.Ask(Operation::kGetProfile, EncodeText("ACME_DEFAULT"));
  REQUIRE(got.has_value());
  const auto answer = ProfileAnswer::Decode(got->body);
  REQUIRE(answer.has_value());
  CHECK(answer->rpm == 60);
  CHECK(answer->system_prompt == "Be brief.\n\tAlways.");
  CHECK(answer->key_ref == ref);
  CHECK(answer->customer == "ACME");
  CHECK(answer->epoch == house.service().epoch());
  set.fields.rpm = 0;
  set.fields.system_prompt = "";
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  CHECK(Document(house, Operation::kShowProfile, EncodeText("ACME_DEFAULT"))["rate_limit_rpm"].is_null());
  set.fields.customer = "BARCO";
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kFieldInvalid);
  set.fields.customer.reset();
  set.fields.system_prompt = "a\x07";
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kFieldInvalid);
  set.fields.system_prompt.reset();
  set.fields.key_ref = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kKeyNotYours);
  set.fields.key_ref.reset();
  // Limits may be set while the key is stopped.
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  set.fields.rpm = 5;
  CHECK(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
  MoveRequest move;
  move.ref = "ACME_DEFAULT";
  move.reason = "gone";
  move.move = "terminate";
  REQUIRE(house.Ask(Operation::kMoveProfile, move.Encode()).has_value());
  move.move = "resume";
  CHECK(house.RefusalFor(Operation::kMoveProfile, move.Encode()) == Refusal::kKeyMoveForbidden);
  CHECK(house.RefusalFor(Operation::kSetProfile, set.Encode()) == Refusal::kProfileNotActive);
}

TEST_CASE("rates: seeded, set, and read by workers", "[service]") {
  ServiceHouse house;
  SetRateRequest set;
  set.rate.model = "claude-sonnet-4-5";
  set.rate.input_micro_usd = 2'500'000;
  set.rate.output_micro_usd = 12'000'000;
  set.reason = "our contract";
  REQUIRE(house.Ask(Operation::kSetRate, set.Encode()).has_value());
  CHECK(house.Last().draft.before->at("input_micro_usd") == "3000000");
  const auto reply = house.Ask(Operation::kGetRates, RatesRequest{}.Encode(), static_cast<std::uint8_t>(Role::kWorker));
  REQUIRE(reply.has_value());
  const auto rates = RatesAnswer::Decode(reply->body);
  REQUIRE(rates.has_value());
  int found = 0;
  for (const Rate& rate : rates->rates) {
    if (rate.model != "claude-sonnet-4-5") continue;
    ++found;
    CHECK(rate.input_micro_usd == 2'500'000);
    CHECK(rate.provider == "anthropic");
  }
  CHECK(found == 1);
  set.rate.model = "never-heard-of";
  CHECK(house.RefusalFor(Operation::kSetRate, set.Encode()) == Refusal::kFieldInvalid);
  set.rate.provider = "openai";
  CHECK(house.Ask(Operation::kSetRate, set.Encode()).has_value());
  set.rate.input_micro_usd = -1;
  CHECK(house.RefusalFor(Operation::kSetRate, set.Encode()) == Refusal::kFieldInvalid);
}

TEST_CASE("facts: lists, status and KEKs name no ciphertext", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT").has_value());
  const ListAnswer keys = Page(house, Operation::kListKeys, {});
  REQUIRE(keys.rows.size() == 1);
  CHECK(keys.next.empty());
  const Json key = Json::parse(keys.rows[0]);
  CHECK(key["key_ref"] == ref);
  CHECK(key["last_used_at"].is_string());
  CHECK_FALSE(key.contains("encrypted_key"));
  ListRequest none;
  none.customer = "BARCO";
  CHECK(Page(house, Operation::kListKeys, none).rows.empty());
  CHECK(Page(house, Operation::kListProfiles, {}).rows.size() == 1);
  CHECK(Document(house, Operation::kShowKey, EncodeText(ref))["profiles"][0] == "ACME_DEFAULT");
  const Json status = Document(house, Operation::kStatus, Bytes{});
  CHECK(status["keys"]["ACTIVE"] == 1);
  CHECK(status["profiles"] == 1);
  CHECK(status["newest_kek"] == 1);
  CHECK(status["trail"]["healthy"] == true);
  CHECK(status["sealed"] == false);
  const Json keks = Document(house, Operation::kKekStatus, Bytes{});
  CHECK(keks[0]["check_value"].get<std::string>().size() == 8);
  CHECK(keks[0]["keys"] == 1);
  CHECK(keks[0]["held"] == true);
  CHECK(house.RefusalFor(Operation::kShowKey, EncodeText("X/anthropic/y/1")) == Refusal::kKeyUnknown);
  CHECK(house.RefusalFor(Operation::kShowProfile, EncodeText("NONE")) == Refusal::kProfileUnknown);
}

TEST_CASE("a long list comes in pages, each well below what a frame holds", "[service]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Edit(
      "WITH RECURSIVE N(I) AS (SELECT 2 UNION ALL SELECT I + 1 FROM N WHERE I < 5000) INSERT INTO KEY_VAULT "
      "SELECT 'ACME/anthropic/default/' || I, CUSTOMER, PROVIDER, I, ENCRYPTED_DEK, ENCRYPTED_KEY, "
      "NONCE_DEK, NONCE_KEY, "
      "KEK_VERSION, CASE I % 2 WHEN 0 THEN 'ROTATED' ELSE 'ACTIVE' END, CREATED_AT, LAST_USED_AT, "
      "REVOKED_AT, LABEL, "
      "ORIGIN, HOSTED, ROW_VERSION, GRACE_UNTIL, STATE_CHANGED_AT, FINGERPRINT, NULL, NULL FROM KEY_VAULT, N");
  const std::string prompt(20'000, '0');
  house.Edit(
      "WITH RECURSIVE N(I) AS (SELECT 1 UNION ALL SELECT I + 1 FROM N WHERE I < 100) INSERT INTO AI_PROFILE "
      "(PROFILE_REF, "
      "CUSTOMER, PROFILE_NAME, MODE, PROVIDER, MODEL, ENDPOINT, SYSTEM_PROMPT, VAULT_MAC, STATUS, "
      "CREATED_AT, UPDATED_AT) "
      "SELECT 'P' || I, 'ACME', 'N' || I, MODE, PROVIDER, MODEL, ENDPOINT, ?1, VAULT_MAC, "
      "STATUS, "
      "CREATED_AT, UPDATED_AT FROM AI_PROFILE, N",
      {std::string_view(prompt)});
  const auto all = [&house](Operation operation, ListRequest request, const char* ref) {
    std::set<std::string> seen;
    for (int pages = 1;; ++pages) {
      REQUIRE(pages < 1000);
      const ListAnswer page = Page(house, operation, request);
      CHECK(page.Encode().size() < kMostBodyBytes / 2);
      for (const std::string& row : page.rows) CHECK(seen.insert(Json::parse(row)[ref]).second);
      if (page.next.empty()) return std::pair(seen.size(), pages);
      request.after = page.next;
    }
  };
  CHECK(all(Operation::kListKeys, {}, "key_ref").first == 5000);
  CHECK(all(Operation::kListKeys, {"", "ROTATED", ""}, "key_ref").first == 2500);
  const auto [profiles, pages] = all(Operation::kListProfiles, {}, "profile_ref");
  CHECK(profiles == 101);
  CHECK(pages > 1);  // by their bytes
  CHECK(Page(house, Operation::kListKeys, {"", "", "ZZZ"}).rows.empty());
}

TEST_CASE("what was taken in opens after a restart, and the trail of it all verifies", "[service]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  REQUIRE(house.MoveKey(ref, "resume").has_value());
  const std::int64_t epoch = house.service().epoch();
  house.Stop();
  CHECK(house.Last().draft.action == "vaultd_stop");
  house.Start();
  CHECK(house.Last().draft.action == "vaultd_start");
  CHECK(house.service().epoch() == epoch);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  Peer stranger;
  stranger.uid = 12345;
  stranger.name = "nobody";
  house.service().RecordStrangers(17, stranger);
  house.Stop();
  auto database = house.Open();
  const auto verdict = audit::Verify(*database);
  REQUIRE(verdict.has_value());
  CHECK_FALSE(verdict->fault.has_value());
  CHECK(house.Value("SELECT ACTOR FROM AUDIT_LOG WHERE ACTION = 'strangers_closed'") == "nobody");
}

}  // namespace
}  // namespace strongroom::vault
