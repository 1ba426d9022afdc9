// A month's tokens: who may say that they are spent, what becomes of the profile, and how it comes back.
#include "vault/quota_watch.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/vault/service_house.h"
#include "vault/open_vault.h"
#include "vault/profile_mac.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kQuota = 1000;
constexpr std::uint8_t kAsWorker = static_cast<std::uint8_t>(Role::kWorker);

struct Metered : ServiceHouse {
  Metered() {
    Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    SetQuota(kQuota);
  }
  void SetQuota(std::int64_t quota) {
    SetProfileRequest set;
    set.fields.profile_ref = "ACME_DEFAULT";
    set.fields.quota = quota;
    set.reason = "the plan";
    REQUIRE(Ask(Operation::kSetProfile, set.Encode()).has_value());
  }
  static ReportQuotaRequest Report(std::int64_t tokens = kQuota) {
    ReportQuotaRequest report;
    report.profile_ref = "ACME_DEFAULT";
    report.request_id = "r-1";
    report.month = base::MonthOf(base::WallMicros());
    report.tokens = tokens;
    return report;
  }
  void Spend() {
    REQUIRE(Resolve("ACME", "ACME_DEFAULT").has_value());
    REQUIRE(Ask(Operation::kReportQuota, Report().Encode(), kAsWorker).has_value());
  }
  std::string Status() { return Value("SELECT STATUS FROM AI_PROFILE WHERE PROFILE_REF = 'ACME_DEFAULT'"); }
  nlohmann::json Show() {
    return nlohmann::json::parse(DecodeText(Ask(Operation::kShowProfile, EncodeText("ACME_DEFAULT"))->body).value());
  }
  // LastMonth has the profile be OVER_QUOTA since a month that is over: what vaultd would have written then, under its own key.
  void LastMonth() {
    Stop();
    auto loaded = LoadVault(config());
    if (!loaded) FAIL(loaded.error().text);
    vault = std::move(*loaded);
    const auto database = Open();
    Store store(*database);
    ProfileRow row = store.FindProfile("ACME_DEFAULT")->value();
    row.status = "OVER_QUOTA";
    row.over_quota_until = base::MonthOf(base::WallMicros());
    REQUIRE(SignProfile(*vault, row).has_value());
    REQUIRE(store.UpdateProfile(row).has_value());
  }
  // Look has the errand run, and everything it handed over be written.
  void Look() {
    vault->quota_watch.Look(base::WallMicros());
    for (int i = 0; i < 3; ++i) {
      audit::Draft behind;
      behind.action = "heartbeat";
      behind.actor = SystemActor();
      REQUIRE(vault->log->Append(behind).has_value());
    }
  }
  std::int64_t Count(std::string_view action, std::string_view outcome) {
    return std::stoll(Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = ?1 AND OUTCOME = ?2", {action, outcome}));
  }
  std::unique_ptr<OpenVault> vault;
};

}  // namespace

TEST_CASE("quota: a spent month makes a profile OVER_QUOTA, on the record and under its MAC", "[quota]") {
  Metered house;
  const std::int64_t epoch = house.service().epoch();
  house.Spend();
  CHECK(house.Status() == "OVER_QUOTA");
  CHECK(house.service().epoch() == epoch + 1);
  const audit::Entry last = house.Last();
  CHECK(last.draft.action == "report_quota");
  CHECK(last.draft.customer == "ACME");
  CHECK(last.draft.request_id == "r-1");
  CHECK(last.draft.before->at("status") == "ACTIVE");
  CHECK(last.draft.after->at("status") == "OVER_QUOTA");
  CHECK(last.draft.after->at("over_quota_until") == base::FormatTime(base::MonthAfter(base::WallMicros())));
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kProfileOverQuota);
  const auto answer = ProfileAnswer::Decode(house.Ask(Operation::kGetProfile, EncodeText("ACME_DEFAULT"))->body);
  REQUIRE(answer.has_value());
  CHECK(answer->status == "OVER_QUOTA");
  CHECK(answer->over_quota_until == base::MonthAfter(base::WallMicros()));
  CHECK(house.Show()["intact"] == true);
  const auto status = nlohmann::json::parse(DecodeText(house.Ask(Operation::kStatus, {})->body).value());
  CHECK(status["over_quota"] == 1);
  // A second worker says the same: nothing moves, and nobody is refused.
  REQUIRE(house.Ask(Operation::kReportQuota, Metered::Report(5000).Encode(), kAsWorker).has_value());
  CHECK(house.service().epoch() == epoch + 1);
}

TEST_CASE("quota: a worker is believed of whom it serves, this month, and against the vault's own quota", "[quota]") {
  Metered house;
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report().Encode(), kAsWorker) == Refusal::kNotServed);
  CHECK(house.Last().draft.reason == "NOT_SERVED");
  // Another customer's key says nothing of this one.
  house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  REQUIRE(house.Resolve("BARCO", "BARCO_DEFAULT").has_value());
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report().Encode(), kAsWorker) == Refusal::kNotServed);
  REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report(kQuota - 1).Encode(), kAsWorker) == Refusal::kQuotaNotSpent);
  ReportQuotaRequest past = Metered::Report();
  past.month = base::MonthOf(past.month - 1);
  CHECK(house.RefusalFor(Operation::kReportQuota, past.Encode(), kAsWorker) == Refusal::kQuotaNotSpent);
  ReportQuotaRequest unknown = Metered::Report();
  unknown.profile_ref = "NOBODY";
  CHECK(house.RefusalFor(Operation::kReportQuota, unknown.Encode(), kAsWorker) == Refusal::kProfileUnknown);
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report(-1).Encode(), kAsWorker) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report().Encode(), static_cast<std::uint8_t>(Role::kAdmin)) == Refusal::kNoRole);
  house.SetQuota(0);
  CHECK(house.RefusalFor(Operation::kReportQuota, Metered::Report().Encode(), kAsWorker) == Refusal::kQuotaNotSpent);
  CHECK(house.Status() == "ACTIVE");
}

TEST_CASE("quota: a profile that an admin has stopped stays as the admin left it", "[quota]") {
  Metered house;
  REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "suspend")).has_value());
  REQUIRE(house.Ask(Operation::kReportQuota, Metered::Report().Encode(), kAsWorker).has_value());
  CHECK(house.Status() == "SUSPENDED");
}

TEST_CASE("quota: a quota that is raised brings the profile back at once, a smaller one does not", "[quota]") {
  Metered house;
  house.Spend();
  CHECK(house.RefusalFor(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "resume")) == Refusal::kProfileOverQuota);
  house.SetQuota(kQuota - 1);
  CHECK(house.Status() == "OVER_QUOTA");
  house.SetQuota(kQuota);
  CHECK(house.Status() == "ACTIVE");
  CHECK(house.Show()["over_quota_until"].is_null());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  house.Spend();
  house.SetQuota(0);
  CHECK(house.Status() == "ACTIVE");
  house.SetQuota(kQuota);
  house.Spend();
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "suspend")).has_value());
  CHECK(house.Show()["over_quota_until"].is_null());
  REQUIRE(house.Ask(Operation::kMoveProfile, MoveBody("ACME_DEFAULT", "resume")).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("quota: what is edited by hand releases nothing, and no errand blesses it", "[quota][tamper]") {
  Metered house;
  house.Spend();
  SECTION("STATUS") { house.Edit("UPDATE AI_PROFILE SET STATUS = 'ACTIVE'"); }
  SECTION("STATUS and time") { house.Edit("UPDATE AI_PROFILE SET STATUS = 'ACTIVE', OVER_QUOTA_UNTIL = NULL"); }
  SECTION("quota") { house.Edit("UPDATE AI_PROFILE SET MONTHLY_QUOTA_TOKENS = 100000000"); }
  SECTION("time") { house.Edit("UPDATE AI_PROFILE SET OVER_QUOTA_UNTIL = 1"); }
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kProfileTampered);
  CHECK(house.RefusalFor(Operation::kGetProfile, EncodeText("ACME_DEFAULT")) == Refusal::kProfileTampered);
  CHECK(house.Show()["intact"] == false);
}

TEST_CASE("quota: another month brings the profile back by itself, on the record, once", "[quota]") {
  Metered house;
  house.LastMonth();
  const std::int64_t epoch = house.vault->epoch.value();
  house.Look();
  CHECK(house.Status() == "ACTIVE");
  CHECK(house.vault->epoch.value() == epoch + 1);
  house.Look();
  CHECK(house.Count("renew_quota", "ok") == 1);
  CHECK(house.Count("renew_quota", "denied") == 0);
  house.vault.reset();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(house.Show()["over_quota_until"].is_null());
}

TEST_CASE("quota: this month's profiles wait, and an edited row is told of and left alone", "[quota]") {
  Metered house;
  SECTION("this month's") {
    house.Spend();
    house.Stop();
    house.vault = std::move(LoadVault(house.config()).value());
    house.Look();
    CHECK(house.Count("renew_quota", "denied") == 0);
  }
  SECTION("edited") {
    house.Spend();
    house.Edit("UPDATE AI_PROFILE SET OVER_QUOTA_UNTIL = 1");
    house.Stop();
    house.vault = std::move(LoadVault(house.config()).value());
    house.Look();
    house.Look();
    CHECK(house.Count("renew_quota", "denied") == 1);
  }
  CHECK(house.Status() == "OVER_QUOTA");
  house.vault.reset();
  house.Start();
}

}  // namespace strongroom::vault
