// What the account of a house key takes, and the shares of it: never more than there is, whoever asks in which order.
#include <atomic>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kHouseKey = "sk-ant-house-0123456789abcdef";

// Hosting is a house with a hosted key, and no profile yet.
struct Hosting : ServiceHouse {
  Hosting() {
    AddKeyRequest add;
    add.customer = "HOUSE";
    add.provider = "anthropic";
    add.hosted = true;
    add.reason = "the house's own";
    key = AddKey(add, kHouseKey).value();
    ActivateKeyRequest activate;
    activate.key_ref = key;
    activate.reason = "the house's own";
    REQUIRE(Ask(Operation::kActivateKey, activate.Encode()).has_value());
  }
  Bytes HostBody(const std::string& customer, std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) const {
    ActivateKeyRequest activate;
    activate.reason = "hosted";
    ProfileFields& fields = activate.profile.emplace();
    fields.profile_ref = customer + "_DEFAULT";
    fields.customer = customer;
    fields.mode = "H";
    fields.provider = "anthropic";
    fields.model = "some-model";
    fields.key_ref = key;
    fields.rpm = rpm;
    fields.tpm = tpm;
    return activate.Encode();
  }
  void Host(const std::string& customer, std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) {
    REQUIRE(Ask(Operation::kActivateKey, HostBody(customer, rpm, tpm)).has_value());
  }
  Refusal HostRefusal(const std::string& customer, std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) {
    return RefusalFor(Operation::kActivateKey, HostBody(customer, rpm, tpm));
  }
  static Bytes LimitBody(const std::string& key_ref, std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) {
    LimitKeyRequest request;
    request.key_ref = key_ref;
    request.rpm = rpm;
    request.tpm = tpm;
    request.reason = "tier 3 of the provider's";
    return request.Encode();
  }
  void Limit(std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) {
    REQUIRE(Ask(Operation::kLimitKey, LimitBody(key, rpm, tpm)).has_value());
  }
  Refusal LimitRefusal(std::optional<std::int64_t> rpm, std::optional<std::int64_t> tpm) {
    return RefusalFor(Operation::kLimitKey, LimitBody(key, rpm, tpm));
  }
  static Bytes ShareBody(const std::string& profile, std::int64_t rpm) {
    SetProfileRequest set;
    set.fields.profile_ref = profile;
    set.fields.rpm = rpm;
    set.reason = "another share";
    return set.Encode();
  }
  nlohmann::json Show(const std::string& key_ref) {
    const auto shown = Ask(Operation::kShowKey, EncodeText(key_ref));
    REQUIRE(shown.has_value());
    return nlohmann::json::parse(DecodeText(shown->body).value());
  }
  void Terminate(const std::string& profile) {
    REQUIRE(Ask(Operation::kMoveProfile, MoveBody(profile, "terminate")).has_value());
  }
  std::string key;
};

}  // namespace

TEST_CASE("limits: shares add up to the account's limit and no further, in either number", "[limits]") {
  Hosting house;
  house.Limit(100, 1000);
  house.Host("ACME", 60, 500);
  CHECK(house.HostRefusal("BARCO", 41, 100) == Refusal::kSharesOverLimit);
  CHECK(house.HostRefusal("BARCO", 40, 501) == Refusal::kSharesOverLimit);
  CHECK(house.Last().draft.reason == "SHARES_OVER_LIMIT");
  // Nothing of it was done.
  CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AI_PROFILE") == "1");
  house.Host("BARCO", 40, 500);
  const auto shown = house.Show(house.key);
  CHECK(shown["limit_rpm"] == 100);
  CHECK(shown["shares_rpm"] == 100);
  CHECK(shown["left_rpm"] == 0);
  CHECK(shown["left_tpm"] == 0);
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kHouseKey);
  CHECK(house.RefusalFor(Operation::kSetProfile, Hosting::ShareBody("ACME_DEFAULT", 61)) == Refusal::kSharesOverLimit);
  REQUIRE(house.Ask(Operation::kSetProfile, Hosting::ShareBody("ACME_DEFAULT", 59)).has_value());
  CHECK(house.Show(house.key)["left_rpm"] == 1);
}

TEST_CASE("limits: what was given away is not taken back by a smaller limit, and what ended is free again", "[limits]") {
  Hosting house;
  house.Limit(100, 0);
  house.Host("ACME", 60, std::nullopt);
  CHECK(house.LimitRefusal(59, std::nullopt) == Refusal::kSharesOverLimit);
  CHECK(house.Show(house.key)["limit_rpm"] == 100);
  house.Limit(60, std::nullopt);
  CHECK(house.Last().draft.before->at("limit_rpm") == "100");
  CHECK(house.Last().draft.after->at("limit_rpm") == "60");
  CHECK(house.HostRefusal("BARCO", 1, std::nullopt) == Refusal::kSharesOverLimit);
  // A suspended profile may go on any time.
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "suspend")).has_value());
  CHECK(house.HostRefusal("BARCO", 1, std::nullopt) == Refusal::kSharesOverLimit);
  house.Terminate("ACME_DEFAULT");
  house.Host("BARCO", 60, std::nullopt);
}

TEST_CASE("limits: under a limit nobody is without a share", "[limits]") {
  Hosting house;
  house.Host("ACME", std::nullopt, 7);
  CHECK(house.LimitRefusal(100, std::nullopt) == Refusal::kShareMissing);
  CHECK(house.Show(house.key)["without_share"] == nlohmann::json::array({"ACME_DEFAULT"}));
  house.Limit(std::nullopt, 10);
  REQUIRE(house.Ask(Operation::kSetProfile, Hosting::ShareBody("ACME_DEFAULT", 5)).has_value());
  house.Limit(100, std::nullopt);
  CHECK(house.HostRefusal("BARCO", 1, std::nullopt) == Refusal::kShareMissing);
  CHECK(house.RefusalFor(Operation::kSetProfile, Hosting::ShareBody("ACME_DEFAULT", 0)) == Refusal::kShareMissing);
  house.Limit(0, 0);
  CHECK(house.Show(house.key)["limit_rpm"].is_null());
  house.Host("BARCO", std::nullopt, std::nullopt);
}

TEST_CASE("limits: only of a hosted key in use, in whole numbers, and for a reason", "[limits]") {
  Hosting house;
  const std::string acme = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  CHECK(house.RefusalFor(Operation::kLimitKey, Hosting::LimitBody(acme, 1, 1)) == Refusal::kKeyNotHosted);
  CHECK(house.RefusalFor(Operation::kLimitKey, Hosting::LimitBody("HOUSE/openai/default/1", 1, 1)) == Refusal::kKeyUnknown);
  CHECK(house.LimitRefusal(-1, std::nullopt) == Refusal::kFieldInvalid);
  CHECK(house.LimitRefusal(std::nullopt, 2'147'483'648) == Refusal::kFieldInvalid);
  LimitKeyRequest silent;
  silent.key_ref = house.key;
  silent.rpm = 1;
  CHECK(house.RefusalFor(Operation::kLimitKey, silent.Encode()) == Refusal::kReasonMissing);
  CHECK(house.RefusalFor(Operation::kLimitKey, Hosting::LimitBody(house.key, 1, 1), static_cast<std::uint8_t>(Role::kWorker)) == Refusal::kNoRole);
  REQUIRE(house.MoveKey(house.key, "suspend").has_value());
  house.Limit(5, 5);
  REQUIRE(house.MoveKey(house.key, "revoke").has_value());
  CHECK(house.LimitRefusal(6, 6) == Refusal::kKeyMoveForbidden);
}

TEST_CASE("limits: a rotation carries the limit over, a rollback carries it back, and both versions are one account", "[limits]") {
  Hosting house;
  house.Limit(100, 1000);
  house.Host("ACME", 60, 600);
  const std::string first = house.key;
  house.key = house.Rotate(first, base::kMicrosPerDay);
  CHECK(house.Show(house.key)["limit_rpm"] == 100);
  CHECK(house.Show(house.key)["left_tpm"] == 400);
  CHECK(house.HostRefusal("BARCO", 41, 1) == Refusal::kSharesOverLimit);
  house.Limit(70, 1000);
  // The one before it opens still, and is of the same account.
  SetProfileRequest back;
  back.fields.profile_ref = "ACME_DEFAULT";
  back.fields.key_ref = first;
  back.reason = "back";
  REQUIRE(house.Ask(Operation::kSetProfile, back.Encode()).has_value());
  CHECK(house.HostRefusal("BARCO", 11, 1) == Refusal::kSharesOverLimit);
  REQUIRE(house.Ask(Operation::kRollBackKey, MoveBody(first, "rollback")).has_value());
  CHECK(house.Show(first)["limit_rpm"] == 70);
}

TEST_CASE("limits: a limit is the account's, whichever version it is set on, and a version onboarded later has it too", "[limits]") {
  Hosting house;
  house.Limit(100, 1000);
  house.Host("ACME", 60, 600);
  const std::string first = house.key, second = house.Rotate(first, base::kMicrosPerDay);
  REQUIRE(house.Ask(Operation::kLimitKey, Hosting::LimitBody(first, 80, 0)).has_value());
  CHECK(house.Last().draft.after->at("others") == second);
  CHECK(house.Show(second)["limit_rpm"] == 80);
  CHECK(house.Show(second)["limit_tpm"].is_null());
  // No way round by the version that is older, for a profile.
  house.key = first;
  CHECK(house.HostRefusal("BARCO", 21, 1) == Refusal::kSharesOverLimit);
  AddKeyRequest add;
  add.customer = "HOUSE";
  add.provider = "anthropic";
  add.hosted = true;
  add.reason = "another of the house's own";
  house.key = house.AddKey(add, kBarcoKey).value();
  CHECK(house.Show(house.key)["limit_rpm"].is_null());
  ActivateKeyRequest activate;
  activate.key_ref = house.key;
  activate.reason = "another";
  REQUIRE(house.Ask(Operation::kActivateKey, activate.Encode()).has_value());
  CHECK(house.Show(house.key)["limit_rpm"] == 80);
  CHECK(house.HostRefusal("BARCO", 21, 1) == Refusal::kSharesOverLimit);
  CHECK(house.Show(house.key)["intact"] == true);
}

TEST_CASE("limits: an account keeps its limit behind a version that was stopped for good", "[limits]") {
  Hosting house;
  house.Limit(100, 1000);
  house.Host("ACME", 60, 600);
  const std::string first = house.key;
  AddKeyRequest add;
  add.like = first;
  add.reason = "the next";
  SECTION("onboarded anew") {
    REQUIRE(house.MoveKey(first, "compromise").has_value());
    ActivateKeyRequest activate;
    activate.key_ref = house.key = house.AddKey(add, kBarcoKey).value();
    activate.reason = "the next";
    REQUIRE(house.Ask(Operation::kActivateKey, activate.Encode()).has_value());
    CHECK(house.Last().draft.after->at("limit_rpm") == "100");
  }
  SECTION("recovered, when another version has had another limit since") {
    const std::string second = house.Rotate(first, base::kMicrosPerDay);
    SetProfileRequest back;
    back.fields.profile_ref = "ACME_DEFAULT";
    back.fields.key_ref = first;
    back.reason = "back";
    REQUIRE(house.Ask(Operation::kSetProfile, back.Encode()).has_value());
    REQUIRE(house.MoveKey(first, "compromise").has_value());
    REQUIRE(house.Ask(Operation::kLimitKey, Hosting::LimitBody(second, 80, 1000)).has_value());
    house.key = house.Rotate(first, 0, "sk-ant-third-0123456789abcdef");
    CHECK(house.Show(house.key)["limit_rpm"] == 80);
    CHECK(house.Last().draft.after->at("limit_rpm") == "80");
  }
  CHECK(house.Show(house.key)["limit_tpm"] == 1000);
  CHECK(house.Show(house.key)["intact"] == true);
}

TEST_CASE("limits: two onboardings at once do not get the same share", "[limits]") {
  Hosting house;
  house.Limit(100, std::nullopt);
  std::atomic<int> taken = 0, refused = 0;
  std::vector<std::future<void>> answers;
  for (int i = 0; i < 8; ++i) {
    auto answered = std::make_shared<std::promise<void>>();
    answers.push_back(answered->get_future());
    Peer peer;
    peer.uid = geteuid();
    peer.roles = static_cast<std::uint8_t>(Role::kAdmin);
    house.service().Handle(peer, static_cast<std::uint8_t>(Operation::kActivateKey), house.HostBody("C" + std::to_string(i), 40, std::nullopt), std::nullopt,
                           [&, answered](const Result<Reply>& reply) {
                             if (reply) ++taken;
                             else if (RefusalOf(reply.error()) == Refusal::kSharesOverLimit) ++refused;
                             answered->set_value();
                           });
  }
  for (auto& answer : answers) REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  CHECK(taken == 2);
  CHECK(refused == 6);
}

TEST_CASE("limits: edits by hand of a limit, a share, or a profile's end are found", "[limits][tamper]") {
  Hosting house;
  house.Limit(100, 1000);
  house.Host("ACME", 60, 600);
  SECTION("the limit raised") {
    house.Edit("UPDATE KEY_VAULT SET LIMIT_RPM = 100000");
    CHECK(house.HostRefusal("BARCO", 50, 1) == Refusal::kKeyTampered);
    CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyTampered);
    CHECK(house.Show(house.key)["intact"] == false);
  }
  SECTION("the limit taken away") {
    house.Edit("UPDATE KEY_VAULT SET LIMIT_RPM = NULL, LIMIT_TPM = NULL");
    CHECK(house.HostRefusal("BARCO", 50, 1) == Refusal::kKeyTampered);
  }
  SECTION("a share made smaller") {
    house.Edit("UPDATE AI_PROFILE SET RATE_LIMIT_RPM = 1");
    CHECK(house.HostRefusal("BARCO", 50, 1) == Refusal::kShareTampered);
    CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kProfileTampered);
    CHECK(house.Show(house.key)["left_rpm"].is_null());
    // The way out: what was ended counts no more.
    house.Terminate("ACME_DEFAULT");
    house.Host("BARCO", 100, 1);
  }
  SECTION("a profile ended") {
    house.Edit("UPDATE AI_PROFILE SET STATUS = 'TERMINATED'");
    CHECK(house.HostRefusal("BARCO", 50, 1) == Refusal::kShareTampered);
  }
  SECTION("a profile pointed at another key") {
    house.Edit("UPDATE AI_PROFILE SET MODE = 'B'");
    CHECK(house.HostRefusal("BARCO", 50, 1) == Refusal::kShareTampered);
  }
}

TEST_CASE("limits: a KEK's rotation keeps them", "[limits]") {
  Hosting house;
  house.Limit(100, 1000);
  KekRequest kek;
  kek.reason = "yearly";
  const auto prepared = house.Ask(Operation::kPrepareKek, kek.Encode());
  REQUIRE(prepared.has_value());
  kek.version = DecodeNumber(prepared->body).value();
  REQUIRE(house.Ask(Operation::kActivateKek, kek.Encode()).has_value());
  RewrapRequest rewrap;
  rewrap.run = "a run";
  rewrap.reason = "yearly";
  const auto rewrapped = house.Ask(Operation::kRewrapKeys, rewrap.Encode());
  REQUIRE(rewrapped.has_value());
  CHECK(RewrapAnswer::Decode(rewrapped->body)->rewrapped == 1);
  CHECK(house.Show(house.key)["intact"] == true);
  CHECK(house.Show(house.key)["limit_tpm"] == 1000);
  house.Host("ACME", 60, 600);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kHouseKey);
}

}  // namespace strongroom::vault
