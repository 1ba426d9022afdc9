// What a worker that has been taken over cannot do: the rules by themselves, and the Service under them.
#include "vault/releases.h"

#include <future>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kCorpoKey = "sk-corpo-0123456789-abcdefghij";

ResolveRequest Numbered(const std::string& request_id, std::int64_t attempt, const std::string& customer = "ACME") {
  ResolveRequest request = Ask1(customer, customer + "_DEFAULT");
  request.request_id = request_id;
  request.attempt = attempt;
  return request;
}

void SetRpm(ServiceHouse& house, const std::string& profile, std::int64_t rpm) {
  SetProfileRequest set;
  set.fields.profile_ref = profile;
  set.fields.rpm = rpm;
  set.reason = "a test";
  REQUIRE(house.Ask(Operation::kSetProfile, set.Encode()).has_value());
}

nlohmann::json Ceilings(ServiceHouse& house) {
  auto reply = house.Ask(Operation::kStatus, {});
  REQUIRE(reply.has_value());
  return nlohmann::json::parse(DecodeText(reply->body).value())["ceilings"];
}

// Given is how many of `asks` resolves of a customer's are answered before the first refusal, which `refusal` then is.
int Given(ServiceHouse& house, const std::string& customer, int asks, std::optional<Refusal>& refusal) {
  for (int given = 0; given < asks; ++given) {
    const auto reply = house.Resolve(customer, customer + "_DEFAULT");
    if (reply) continue;
    refusal = RefusalOf(reply.error());
    return given;
  }
  return asks;
}

TEST_CASE("releases: a key is released once for a request and attempt", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  REQUIRE(house.Ask(Operation::kResolve, Numbered("r-1", 1).Encode()).has_value());
  CHECK(house.RefusalFor(Operation::kResolve, Numbered("r-1", 1).Encode()) == Refusal::kAttemptSpent);
  const audit::Entry last = house.Last();
  CHECK(last.draft.outcome == audit::Outcome::kDenied);
  CHECK(last.draft.reason == "ATTEMPT_SPENT");
  CHECK(last.draft.request_id == "r-1");
  CHECK(last.draft.key_ref == "ACME/anthropic/default/1");
  CHECK(house.Ask(Operation::kResolve, Numbered("r-1", 2).Encode()).has_value());
  CHECK(house.Ask(Operation::kResolve, Numbered("r-2", 1).Encode()).has_value());
  CHECK(house.Ask(Operation::kResolve, Numbered("r-1", 1, "BARCO").Encode()).has_value());
  CHECK(Ceilings(house)["denied_attempts"] == 1);
}

TEST_CASE("releases: what vaultd released before it was restarted stays released", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.Ask(Operation::kResolve, Numbered("r-1", 10'001).Encode()).has_value());
  house.Stop();
  house.Start();
  CHECK(house.RefusalFor(Operation::kResolve, Numbered("r-1", 10'001).Encode()) == Refusal::kAttemptSpent);
  CHECK(house.Ask(Operation::kResolve, Numbered("r-1", 10'002).Encode()).has_value());
}

TEST_CASE("releases: of many asks with one number at once, one is answered", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Peer peer;
  peer.roles = static_cast<std::uint8_t>(Role::kWorker);
  std::vector<std::future<bool>> answers;
  for (int i = 0; i < 64; ++i) {
    const auto answered = std::make_shared<std::promise<bool>>();
    answers.push_back(answered->get_future());
    house.service().Handle(peer, static_cast<std::uint8_t>(Operation::kResolve), Numbered("r-1", 1).Encode(), {},
                           [answered](const Result<Reply>& reply) { answered->set_value(reply.has_value()); });
  }
  int given = 0;
  for (auto& answer : answers) given += answer.get() ? 1 : 0;
  CHECK(given == 1);
}

TEST_CASE("releases: an ask whose record could not be written spends nothing", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  // Everything is decided as ever, and then there is no table for the record.
  house.Edit("ALTER TABLE AUDIT_LOG RENAME TO HIDDEN");
  CHECK(house.RefusalFor(Operation::kResolve, Numbered("r-1", 1).Encode()) == Refusal::kTrailUnavailable);
  house.Edit("ALTER TABLE HIDDEN RENAME TO AUDIT_LOG");
  CHECK(house.Ask(Operation::kResolve, Numbered("r-1", 1).Encode()).has_value());
  CHECK(house.RefusalFor(Operation::kResolve, Numbered("r-1", 1).Encode()) == Refusal::kAttemptSpent);
}

TEST_CASE("releases: an ask that was refused for another reason spends nothing", "[releases]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  CHECK(house.RefusalFor(Operation::kResolve, Numbered("r-1", 1).Encode()) == Refusal::kKeySuspended);
  REQUIRE(house.MoveKey(ref, "resume").has_value());
  CHECK(house.Ask(Operation::kResolve, Numbered("r-1", 1).Encode()).has_value());
}

TEST_CASE("releases: a key is released five times its profiles' RPM a minute", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  SetRpm(house, "ACME_DEFAULT", 2);
  std::optional<Refusal> refusal;
  CHECK(Given(house, "ACME", 12, refusal) == 10);
  CHECK(refusal == Refusal::kKeyCeiling);
  CHECK(house.Last().draft.reason == "KEY_CEILING");
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
  CHECK(Ceilings(house)["denied_keys"] == 1);
  // Others are not held up, and a limit that was raised counts at once.
  CHECK(Given(house, "BARCO", 50, refusal) == 50);
  SetRpm(house, "ACME_DEFAULT", 3);
  CHECK(Given(house, "ACME", 12, refusal) == 5);
  // A restart forgets no minute.
  house.Stop();
  house.Start();
  CHECK(Given(house, "ACME", 12, refusal) == 0);
}

TEST_CASE("releases: a key with a profile without RPM has the ceiling of strongroom.toml, or none", "[releases]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  ActivateKeyRequest second;
  second.reason = "a second profile";
  second.profile.emplace();
  second.profile->profile_ref = "ACME_2";
  second.profile->customer = "ACME";
  second.profile->provider = "anthropic";
  second.profile->model = "m";
  second.profile->key_ref = ref;
  second.profile->rpm = 1;
  REQUIRE(house.Ask(Operation::kActivateKey, second.Encode()).has_value());
  std::optional<Refusal> refusal;
  CHECK(Given(house, "ACME", 40, refusal) == 40);
  house.Configure("releases_per_minute", "45");
  CHECK(Given(house, "ACME", 40, refusal) == 5);
  CHECK(refusal == Refusal::kKeyCeiling);
  // Where each ACTIVE profile has an RPM their sum counts.
  SetRpm(house, "ACME_DEFAULT", 9);
  CHECK(Given(house, "ACME", 40, refusal) == 5);
}

TEST_CASE("releases: a uid is given so many different keys a minute", "[releases]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  house.Onboard("CORPO", "anthropic", "CORPO_DEFAULT", kCorpoKey);
  house.Configure("keys_per_minute", "2");
  std::optional<Refusal> refusal;
  CHECK(Given(house, "ACME", 3, refusal) == 3);
  CHECK(Given(house, "BARCO", 3, refusal) == 3);
  CHECK(Given(house, "CORPO", 3, refusal) == 0);
  CHECK(refusal == Refusal::kUserCeiling);
  CHECK(house.Last().draft.reason == "USER_CEILING");
  CHECK(house.Last().draft.customer == "CORPO");
  CHECK(Ceilings(house)["denied_users"] == 1);
  CHECK(Given(house, "ACME", 3, refusal) == 3);
}

TEST_CASE("releases: a minute is counted by what of it is not over", "[releases]") {
  constexpr base::Micros kSecond = base::kMicrosPerSecond;
  const base::Micros start = 1'000 * kSecond;
  MinuteCount count;
  CHECK(count.At(start) == 0);
  for (int i = 0; i < 10; ++i) count.Add(start);
  CHECK(count.At(start + 59 * kSecond) == 10);
  CHECK(count.At(start + 60 * kSecond) == 10);
  CHECK(count.At(start + 90 * kSecond) == 5);
  count.Add(start + 90 * kSecond);
  CHECK(count.At(start + 90 * kSecond) == 6);
  CHECK(count.At(start + 119 * kSecond) == 1);
  CHECK(count.At(start + 150 * kSecond) == 0);
  CHECK_FALSE(count.IsOver(start + 179 * kSecond));
  CHECK(count.IsOver(start + 180 * kSecond));
  count.Remove();
  CHECK(count.At(start + 120 * kSecond) == 0);
}

// Counter is a count of releases by itself, over a vault that is not served.
struct Counter {
  Counter(std::int64_t keys_per_minute, std::int64_t releases_per_minute)
      : database(OpenVaultOf(home)), store(*database), releases(Limits(keys_per_minute, releases_per_minute)) {}
  static std::unique_ptr<sql::Database> OpenVaultOf(const Home& home) {
    REQUIRE(InitVault(home.path).has_value());
    auto opened = sql::Open("sqlite:" + home.path + "/vault.db", {});
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  static base::Config::Vault Limits(std::int64_t keys_per_minute, std::int64_t releases_per_minute) {
    base::Config::Vault limits;
    limits.keys_per_minute = keys_per_minute;
    limits.releases_per_minute = releases_per_minute;
    return limits;
  }
  Home home;
  std::unique_ptr<sql::Database> database;
  Store store;
  Releases releases;
};

TEST_CASE("releases: ceilings open again, and what is over leaves nothing behind", "[releases]") {
  Counter counter(100, 3);
  Releases& releases = counter.releases;
  Store& store = counter.store;
  std::int64_t number = 0;
  const auto take = [&](std::int64_t uid, const std::string& key_ref, base::Micros now) {
    const auto taken = releases.Take(store, 1, {uid, "ACME", "r", ++number, key_ref}, now);
    return taken ? std::optional<Refusal>() : RefusalOf(taken.error());
  };
  base::Micros now = 500 * kMinute;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(take(1, "A", now));
  CHECK(take(1, "A", now) == Refusal::kKeyCeiling);
  CHECK(take(2, "A", now) == Refusal::kKeyCeiling);
  now += kMinute + kMinute / 2;
  CHECK_FALSE(take(1, "A", now));
  // 100 keys in the minute before; each one's own minute makes room for another.
  for (int i = 0; i < 99; ++i) CHECK_FALSE(take(1, "K" + std::to_string(i), now + i));
  CHECK(take(1, "ONE MORE", now + 99) == Refusal::kUserCeiling);
  CHECK_FALSE(take(1, "K7", now + 99));
  CHECK_FALSE(take(2, "ONE MORE", now + 99));
  CHECK(take(1, "ONE MORE", now + kMinute - 1) == Refusal::kUserCeiling);
  CHECK_FALSE(take(1, "ONE MORE", now + kMinute));
  CHECK_FALSE(take(1, "TWO MORE", now + kMinute));  // two were given at `now`: A and K0
  CHECK(take(1, "THREE MORE", now + kMinute) == Refusal::kUserCeiling);
}

TEST_CASE("drain: a probe is one of a uid's different keys, and calls are remembered for an hour or two", "[drain]") {
  Counter counter(2, 100);
  Releases& releases = counter.releases;
  Store& store = counter.store;
  const std::string a = "A", b = "B", c = "C";
  const auto call = [](std::int64_t uid, const std::string& key, std::int64_t attempt) { return ReleaseAsk{uid, "ACME", "r", attempt, key}; };
  const auto said = [](const Result<void>& done) { return done ? std::optional<Refusal>() : RefusalOf(done.error()); };
  const base::Micros start = 500 * kMinute;
  REQUIRE(releases.Take(store, 1, call(1, a, 1), start).has_value());
  CHECK_FALSE(said(releases.TakeProbe(store, 1, {1, "ACME", {}, 0, b}, start)));
  CHECK(said(releases.TakeProbe(store, 1, {1, "ACME", {}, 0, c}, start)) == Refusal::kUserCeiling);
  CHECK(said(releases.Take(store, 1, call(1, c, 2), start)) == Refusal::kUserCeiling);
  CHECK_FALSE(said(releases.TakeProbe(store, 1, {1, "ACME", {}, 0, a}, start)));
  CHECK_FALSE(said(releases.TakeTest({2, "ACME", {}, 0, c}, start)));
  CHECK(releases.denials().users == 2);

  REQUIRE(releases.Take(store, 1, call(1, a, 3), start).has_value());
  CHECK_FALSE(said(releases.TakeReport(call(1, a, 1), start + kLongestCall)));
  CHECK(said(releases.TakeReport(call(1, a, 3), start + 2 * kLongestCall)) == Refusal::kCallUnknown);
  // What was taken back was never released.
  const base::Micros later = start + 3 * kLongestCall;
  REQUIRE(releases.Take(store, 1, call(1, a, 4), later).has_value());
  releases.GiveBack(call(1, a, 4));
  CHECK(said(releases.TakeReport(call(1, a, 4), later)) == Refusal::kCallUnknown);
}

TEST_CASE("spent numbers: the newest are remembered, in two generations", "[releases]") {
  SpentNumbers spent;
  const auto number = [&](std::int64_t attempt) { return spent.Number("ACME", "r-1", attempt); };
  const auto least = static_cast<std::int64_t>(SpentNumbers::kLeastKept);
  for (std::int64_t i = 0; i < 2 * least + 1; ++i) spent.Add(number(i));
  std::int64_t kept = 0, forgotten = 0;
  for (std::int64_t i = least; i < 2 * least + 1; ++i) kept += spent.Has(number(i)) ? 1 : 0;
  for (std::int64_t i = 0; i < least; ++i) forgotten += spent.Has(number(i)) ? 0 : 1;
  CHECK(kept == least + 1);
  CHECK(forgotten == least);
}

TEST_CASE("spent numbers: one that is taken back hides no other", "[releases]") {
  SpentNumbers spent;
  const auto number = [&](std::int64_t attempt) { return spent.Number("ACME", "r-1", attempt); };
  const auto most = static_cast<std::int64_t>(SpentNumbers::kLeastKept);
  for (std::int64_t i = 0; i < most; ++i) spent.Add(number(i));
  for (std::int64_t i = 0; i < most; i += 2) spent.Remove(number(i));
  spent.Remove(number(most + 5));
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < most; ++i) wrong += spent.Has(number(i)) == (i % 2 == 1) ? 0 : 1;
  CHECK(wrong == 0);
  CHECK(spent.Number("A", "BC", 1) != spent.Number("AB", "C", 1));
}

}  // namespace
}  // namespace strongroom::vault
