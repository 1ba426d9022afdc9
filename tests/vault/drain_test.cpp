// A worker that has been taken over asks for keys by the side doors: reports of calls, and the probes that follow.
#include <nlohmann/json.hpp>

#include "tests/vault/eventually.h"
#include "tests/vault/service_house.h"
#include "vault/releases.h"

namespace strongroom::vault {
namespace {

constexpr auto kWorker = static_cast<std::uint8_t>(Role::kWorker), kAdmin = static_cast<std::uint8_t>(Role::kAdmin);
constexpr uid_t kHis = 2003;  // the worker's that was taken over
const std::string kAcme = "ACME/anthropic/default/1";

// Drained is a house and what somebody with a worker's uid may send it. Each answer is "" or the refusal's name.
struct Drained : ServiceHouse {
  std::string Said(const Result<Reply>& reply) { return reply ? "" : std::string(RefusalName(RefusalOf(reply.error()))); }

  std::string Resolve(std::int64_t attempt, const std::string& customer = "ACME", uid_t uid = kHis) {
    ResolveRequest ask = Ask1(customer, customer + "_DEFAULT");
    ask.attempt = attempt;
    return Said(AskAs(uid, Operation::kResolve, ask.Encode(), kWorker));
  }
  // Report is of the call under "request-1" that ACME's key was released for.
  std::string Report(std::int64_t attempt, uid_t uid = kHis) { return Report({kAcme, "request-1", 401, "ACME", attempt}, uid); }
  std::string Report(const ReportCallRequest& call, uid_t uid = kHis) {
    const auto reply = AskAs(uid, Operation::kReportCall, call.Encode(), kWorker);
    if (reply) told = ReportCallAnswer::Decode(reply->body).value();
    return Said(reply);
  }
  std::string Probe(const std::string& key_ref = kAcme) { return Said(AskAs(kHis, Operation::kProbeSuspect, EncodeText(key_ref), kWorker)); }
  std::string ReportProbe(std::int64_t status) {
    const auto reply = AskAs(kHis, Operation::kReportProbe, ReportProbeRequest{kAcme, status}.Encode(), kWorker);
    if (reply) told = ReportCallAnswer::Decode(reply->body).value();
    return Said(reply);
  }
  std::string Test(const std::string& key_ref, uid_t uid) { return Said(AskAs(uid, Operation::kProbe, EncodeText(key_ref), kAdmin)); }
  // Refuse has ACME's key refused three times, honestly: a probe is ordered.
  void Suspect() {
    for (int i = 1; i <= 3; ++i) {
      REQUIRE(Resolve(i) == "");
      REQUIRE(Report(i) == "");
    }
    REQUIRE(told.probe);
  }
  void SetRpm(std::int64_t rpm) {
    SetProfileRequest set;
    set.fields.profile_ref = "ACME_DEFAULT";
    set.fields.rpm = rpm;
    set.reason = "a test";
    REQUIRE(Ask(Operation::kSetProfile, set.Encode()).has_value());
  }
  std::int64_t DeniedReports() {
    const auto status = Ask(Operation::kStatus, {});
    REQUIRE(status.has_value());
    return nlohmann::json::parse(DecodeText(status->body).value())["ceilings"]["denied_reports"];
  }

  ReportCallAnswer told;
};

TEST_CASE("drain: reports of calls that never were open no key", "[drain]") {
  Drained house;
  std::vector<std::string> keys;
  for (const std::string customer : {"C1", "C2", "C3", "C4", "C5"}) {
    keys.push_back(house.Onboard(customer, "anthropic", customer + "_DEFAULT", "sk-of-" + customer + "-0123456789abcdef"));
  }
  house.Configure("keys_per_minute", "2");
  for (const std::string& key : keys) {
    for (int i = 0; i < 3; ++i) CHECK(house.Report({key, "never-asked", 401, key.substr(0, 2), 1}) == "CALL_UNKNOWN");
    CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
    CHECK(house.Last().draft.reason == "CALL_UNKNOWN");
    CHECK(house.Last().draft.key_ref == key);
    CHECK(house.Last().draft.request_id == "never-asked");
    CHECK(house.Probe(key) == "NO_PROBE_ORDERED");
  }
  CHECK(house.DeniedReports() == 15);
}

TEST_CASE("drain: a call is reported once, by whom it was made, and of its key", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const std::string barco = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  REQUIRE(house.Resolve(1) == "");
  CHECK(house.Report(1, 2004) == "CALL_UNKNOWN");
  CHECK(house.Report(2) == "CALL_UNKNOWN");
  CHECK(house.Report({barco, "request-1", 401, "ACME", 1}) == "CALL_UNKNOWN");
  CHECK(house.Report({kAcme, "request-1", 401, "BARCO", 1}) == "CALL_UNKNOWN");
  CHECK(house.Report({kAcme, "request-2", 401, "ACME", 1}) == "CALL_UNKNOWN");
  CHECK(house.Report(1) == "");
  for (int i = 0; i < 3; ++i) CHECK(house.Report(1) == "CALL_UNKNOWN");
  CHECK(house.Probe() == "NO_PROBE_ORDERED");
}

TEST_CASE("drain: a success that was made up does not clear a key of suspicion", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  for (int i = 1; i <= 2; ++i) {
    REQUIRE(house.Resolve(i) == "");
    REQUIRE(house.Report(i) == "");
  }
  CHECK(house.Report({kAcme, "request-1", 200, "ACME", 3}) == "CALL_UNKNOWN");
  REQUIRE(house.Resolve(3) == "");
  REQUIRE(house.Report(3) == "");
  CHECK(house.told.probe);
}

TEST_CASE("drain: a restart of vaultd forgets neither a call that is under way nor one that was reported", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  REQUIRE(house.Resolve(1) == "");
  REQUIRE(house.Resolve(10'001) == "");
  REQUIRE(house.Report(10'001) == "");
  house.Stop();
  house.Start();
  CHECK(house.Report(10'001) == "CALL_UNKNOWN");
  CHECK(house.Report(1, 2004) == "CALL_UNKNOWN");
  CHECK(house.Report(1) == "");
  CHECK(house.Report(1) == "CALL_UNKNOWN");
}

TEST_CASE("drain: a probe is one of the key's releases within a minute", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.SetRpm(1);
  house.Suspect();
  SECTION("which it uses up") {
    CHECK(house.Probe() == "");
    // One probe a suspicion.
    CHECK(house.Probe() == "NO_PROBE_ORDERED");
    SECTION("also across a restart") {
      house.Stop();
      house.Start();
    }
    CHECK(house.Resolve(4) == "");
    CHECK(house.Resolve(5) == "KEY_CEILING");
  }
  SECTION("and does not go beyond") {
    CHECK(house.Resolve(4) == "");
    CHECK(house.Resolve(5) == "");
    CHECK(house.Probe() == "KEY_CEILING");
    CHECK(house.Last().draft.action == "probe_suspect");
    CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
    CHECK(house.Last().draft.reason == "KEY_CEILING");
    // No key was opened for it, so nobody can say what became of it.
    CHECK(house.ReportProbe(401) == "NO_PROBE_ORDERED");
    // It stays ordered.
    house.SetRpm(2);
    CHECK(house.Probe() == "");
  }
  SECTION("unless its record could not be written") {
    house.Edit("ALTER TABLE AUDIT_LOG RENAME TO HIDDEN");
    CHECK(house.Probe() == "TRAIL_UNAVAILABLE");
    house.Edit("ALTER TABLE HIDDEN RENAME TO AUDIT_LOG");
    CHECK(house.Resolve(4) == "");
    CHECK(house.Resolve(5) == "");
    CHECK(house.Resolve(6) == "KEY_CEILING");
  }
}

TEST_CASE("drain: a probe is not given before it is due", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Suspect();
  REQUIRE(house.Probe() == "");
  const base::Micros ordered = base::MonoMicros();
  REQUIRE(house.ReportProbe(500) == "");
  REQUIRE(house.told.probe);
  REQUIRE(house.told.wait_ms == 200);
  std::string said;
  REQUIRE(Eventually([&] {
    said = house.Probe();
    return said != "PROBE_EARLY";
  }));
  CHECK(said == "");
  CHECK(base::MonoMicros() - ordered >= 200 * base::kMicrosPerMilli);
  CHECK(house.Probe() == "NO_PROBE_ORDERED");
}

TEST_CASE("drain: an admin's program is given so many different keys a minute as well", "[drain]") {
  Drained house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const std::string barco = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  AddKeyRequest add;
  add.customer = "CORPO";
  add.provider = "openai";
  add.reason = "onboarding";
  const std::string pending = house.AddKey(add, "sk-corpo-0123456789-abcdefghij").value();
  house.Configure("keys_per_minute", "2");
  CHECK(house.Test(kAcme, 2001) == "");
  CHECK(house.Test(barco, 2001) == "");
  // That it was refused uses up none of the ten times that a PENDING key opens.
  for (int i = 0; i < 10; ++i) CHECK(house.Test(pending, 2001) == "USER_CEILING");
  CHECK(house.Last().draft.action == "probe");
  CHECK(house.Last().draft.outcome == audit::Outcome::kDenied);
  CHECK(house.Last().draft.reason == "USER_CEILING");
  CHECK(house.Test(barco, 2001) == "");
  CHECK(house.Test(pending, 2002) == "");
  house.Stop();
  house.Start();
  CHECK(house.Test(pending, 2001) == "USER_CEILING");
  // The key's own ceiling is for those who use it.
  house.SetRpm(1);
  for (int i = 0; i < 6; ++i) CHECK(house.Test(kAcme, 2001) == "");
  CHECK(house.Resolve(1) == "");
}

}  // namespace
}  // namespace strongroom::vault
