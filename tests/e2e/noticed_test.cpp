// A key that dies at its provider while a batch runs: noticed, suspended, and recovered without a row that is lost or run twice.
#include <fstream>

#include "tests/e2e/dying.h"

namespace strongroom::e2e {

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

TEST_CASE("noticed: forbidden rows just before a key dies do not hide that it dies") {
  House house;
  house.Ready({});
  house.StartWorker(1);
  const auto forbidden = [&](const std::string& id) { REQUIRE(Field(house.Ask(id, "[[fault:403]]"), "error_code") == "PROVIDER_AUTH"); };
  for (int i = 0; i < 6; ++i) forbidden("forbidden-" + std::to_string(i));
  REQUIRE(Eventually([&] { return !house.Trail({"--action", "report_probe"}).empty(); }));
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  house.ForgetKey("ACME");
  SECTION("under load") {
    std::string rows;
    for (int i = 0; i < 600; ++i) rows += R"({"id":"row-)" + std::to_string(i) + R"(","prompt":"[[latency:100]]"})" "\n";
    std::ofstream(house.Path("dead.jsonl")) << rows;
    Process batch = house.Spawn("batch", {"submit", house.Path("dead.jsonl"), "--customer", "ACME", "--profile", "ACME_DEFAULT", "--in-flight", "16", "--out",
                                          house.Path("dead.out")});
    REQUIRE(Eventually([&] { return StatusOf(house, kFirst) == "SUSPENDED"; }));
    REQUIRE(Eventually([&] { return Held(house) == 16; }));
    // A tenth of a second for each 16 of them: well under a second in all.
    const std::int64_t failed = Rows(house, "error") - 6;
    INFO(failed);
    CHECK(failed < 16 * 10);
    REQUIRE(batch.Stop().code == 1);
  }
  SECTION("in a burst that nothing follows") {
    // Not one after the other: the key may be SUSPENDED behind the first, and the rest would wait.
    for (int i = 0; i < 3; ++i) house.SendRequest("burst-" + std::to_string(i), "hello");
    REQUIRE(Eventually([&] { return StatusOf(house, kFirst) == "SUSPENDED"; }, 3));
  }
}

TEST_CASE("noticed: a stream of forbidden models makes few probes") {
  House house;
  house.Ready({{"--fault", "403:1.0"}});
  for (int i = 0; i < 60; ++i) REQUIRE(Field(house.Ask("forbidden-" + std::to_string(i), "hello"), "error_code") == "PROVIDER_AUTH");
  const std::size_t probes = house.Trail({"--action", "report_probe"}).size();
  CHECK(probes >= 1);
  CHECK(probes <= 8);
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
