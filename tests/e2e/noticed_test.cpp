// A key that dies at its provider while a batch runs: noticed, suspended, and recovered without a row that is lost or run twice.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace strongroom::e2e {
namespace {

constexpr const char* kFirst = "ACME/anthropic/default/1";
constexpr const char* kSecond = "ACME/anthropic/default/2";
constexpr int kRows = 200;
constexpr int kInFlight = 8;

std::string StatusOf(House& house, const std::string& key_ref) {
  return Field(house.Keytool({"show", key_ref, "--json"}).out, "status");
}

std::int64_t Rows(House& house, const std::string& status) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS = ?1", {std::string_view(status)});
}

std::int64_t Held(House& house) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER LIKE 'held:%'");
}

// Dying is a house whose batch is under way when the provider begins to refuse ACME's key, and the key was suspended.
class Dying : public House {
 public:
  Dying() {
    Ready({{"--latency-ms", "20"}});
    StartWorker(1);
    batch_ = Spawn("batch", {"submit", Prompts("rows.jsonl", kRows), "--customer", "ACME", "--profile", "ACME_DEFAULT", "--in-flight",
                             std::to_string(kInFlight), "--out", Path("rows.out")});
    REQUIRE(Eventually([&] { return Rows(*this, "success") >= 20; }));
    ForgetKey("ACME");
    REQUIRE(Eventually([&] { return StatusOf(*this, kFirst) == "SUSPENDED"; }));
    // The calls that were under way have failed by then or shortly after; all the others wait.
    REQUIRE(Eventually([&] { return Held(*this) == kInFlight; }));
  }

  // Finish waits for the batch: every row has one reply, and those in flight when the key died are the only ones that failed.
  void Finish() {
    const Ended ended = batch_.Wait();
    INFO(ended.out << ended.err);
    const std::int64_t failed = Rows(*this, "error");
    REQUIRE(failed >= 3);
    REQUIRE(failed <= 2 * kInFlight);
    REQUIRE(Rows(*this, "success") + failed == kRows);
    REQUIRE(Number(work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS = 'error' AND ERROR_CODE <> 'PROVIDER_AUTH'") == 0);
    REQUIRE(QueueEmpty());
    for (const auto& [request, calls] : sim().Calls()) {
      INFO(request);
      CHECK(calls == 1);
    }
  }

  std::string BatchLog() { return batch_.Err(); }
  Ended StopBatch() { return batch_.Stop(); }

 private:
  Process batch_;
};

}  // namespace

TEST_CASE("noticed: a key that comes back is resumed by one command, and what waited goes on") {
  Dying house;
  const Ended refused = house.Act({"resume", kFirst});
  REQUIRE(refused.code == 1);
  REQUIRE(Has(refused.err, "stays SUSPENDED: the provider refused the key (HTTP 401)"));
  REQUIRE(Has(refused.err, "keytool rotate"));
  REQUIRE(Field(house.Keytool({"status", "--json"}).out, "noticed") == "1");
  // The provider takes it again.
  std::ofstream(house.Path("keys/valid"), std::ios::app) << house.KeyText("ACME") << "\n";
  const Ended resumed = house.Act({"resume", kFirst});
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.code == 0);
  house.Finish();
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(house.Trail({"--action", "resume_noticed"}).size() == 1);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("noticed: a key that stays dead is replaced, and what waited goes on with the new one") {
  Dying house;
  const Ended rotated = house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")});
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.code == 0);
  REQUIRE(Has(rotated.out, "REVOKED"));
  house.Finish();
  REQUIRE(StatusOf(house, kFirst) == "REVOKED");
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE KEY_REF = ?1", {std::string_view(kSecond)}) > 100);

  // What the provider refused is sent again, and nothing else.
  const std::int64_t failed = Rows(house, "error");
  const std::string batch = house.Text(house.work(), "SELECT BATCH_ID FROM AI_BATCH");
  const Ended replayed = house.Batch({"resume", batch, "--replay"});
  INFO(replayed.out << replayed.err);
  REQUIRE(replayed.code == 0);
  REQUIRE(Has(replayed.err, std::to_string(failed) + " rows that ended in PROVIDER_AUTH were sent again"));
  REQUIRE(Rows(house, "success") == kRows);
  std::int64_t twice = 0;
  for (const auto& [request, calls] : house.sim().Calls()) twice += calls == 2 ? 1 : 0;
  REQUIRE(twice == failed);
  const Ended again = house.Batch({"resume", batch, "--replay"});
  REQUIRE(again.code == 0);
  REQUIRE_FALSE(Has(again.err, "sent again"));
}

TEST_CASE("noticed: a batch says what it waits for, and can be left waiting") {
  Dying house;
  REQUIRE(Eventually([&] { return Has(house.BatchLog(), "rows wait: their key is SUSPENDED, for its provider refuses it"); }));
  const Ended stopped = house.StopBatch();
  REQUIRE(stopped.code == 1);
  REQUIRE(house.QueueEmpty());
  REQUIRE(house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  const Ended ended = house.Batch({"resume", house.Text(house.work(), "SELECT BATCH_ID FROM AI_BATCH"), "--replay"});
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  REQUIRE(Rows(house, "success") == kRows);
}

TEST_CASE("noticed: a model that is forbidden stops no key") {
  House house;
  house.Ready({{"--fault", "403:1.0"}});
  for (int i = 0; i < 6; ++i) {
    const std::string id = "forbidden-" + std::to_string(i);
    REQUIRE(Field(house.Ask(id, "hello"), "error_code") == "PROVIDER_AUTH");
  }
  REQUIRE(Eventually([&] { return !house.Trail({"--action", "report_probe"}).empty(); }));
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
}

TEST_CASE("noticed: what waits goes on waiting while vaultd is away") {
  Dying house;
  house.vaultd().Stop();
  // Longer than the workers' leases, and than they look for work.
  const std::int64_t claims = house.Number(house.work(), "SELECT SUM(CLAIMS) FROM QUEUE_MESSAGE");
  REQUIRE_FALSE(Eventually([&] { return Held(house) != kInFlight; }, 2));
  REQUIRE(house.Number(house.work(), "SELECT SUM(CLAIMS) FROM QUEUE_MESSAGE") == claims);
  house.StartVaultd();
  const Ended rotated = house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")});
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.code == 0);
  house.Finish();
}

TEST_CASE("noticed: a worker that starts looks after what another has held") {
  Dying house;
  REQUIRE(house.worker(0).Stop().code == 0);
  REQUIRE(house.worker(1).Stop().code == 0);
  const Ended rotated = house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")});
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.code == 0);
  house.StartWorker(2);
  house.Finish();
}

}  // namespace strongroom::e2e
