// Programs that stop and come back in the middle of work.
#include "tests/e2e/house.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {

namespace {

std::int64_t UsageRows(House& house) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG");
}

Process StartBatch(House& house, int rows, int in_flight) {
  return house.Spawn(
      "batch", {"submit", house.Prompts("rows.jsonl", rows), "--customer", "ACME", "--profile",
                "ACME_DEFAULT", "--in-flight", std::to_string(in_flight), "--out", house.Path("rows.out")});
}

// AllOnce: every row succeeded, by one call each.
void AllOnce(House& house, Process& batch, int rows) {
  const Ended ended = batch.Wait();
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS = 'success'") == rows);
  REQUIRE(UsageRows(house) == rows);
  const auto calls = house.sim().Calls();
  REQUIRE(calls.size() == static_cast<std::size_t>(rows));
  for (const auto& [request, times] : calls) {
    INFO(request);
    REQUIRE(times == 1);
  }
  REQUIRE(house.QueueEmpty());
}

}  // namespace

TEST_CASE("restart: vaultd away in mid-batch fails no row") {
  House house;
  house.Ready({{"--latency-ms", "20"}});
  Process batch = StartBatch(house, 150, 8);
  REQUIRE(Eventually([&] { return UsageRows(house) >= 20; }));
  REQUIRE(house.vaultd().Stop().code == 0);
  const std::int64_t stopped_at = UsageRows(house);
  REQUIRE(stopped_at < 150);
  // The worker is left without a vault until what it had in flight is through.
  REQUIRE(Eventually([&] {
    return house.Number(house.work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NOT NULL") >=
               8 ||
           UsageRows(house) > stopped_at;
  }));
  house.StartVaultd();
  AllOnce(house, batch, 150);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("restart: kill -9 of vaultd in mid-batch loses nothing of the trail") {
  House house;
  house.Ready({{"--latency-ms", "20"}});
  Process batch = StartBatch(house, 150, 8);
  REQUIRE(Eventually([&] { return UsageRows(house) >= 20; }));
  house.vaultd().Crash();
  house.StartVaultd();
  const Ended ended = batch.Wait();
  INFO(ended.out << ended.err);
  CHECK(ended.code == 0);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  // No call without its record: each request the provider saw has a release on the trail.
  const auto released = house.Trail({"--customer", "ACME", "--outcome", "ok"});
  for (const auto& [request, times] : house.sim().Calls()) {
    std::int64_t records = 0;
    for (const std::string& record : released) records += Field(record, "request_id") == request ? 1 : 0;
    INFO(request);
    REQUIRE(records >= times);
  }
}

TEST_CASE("restart: a vaultd that hangs is waited for until the deadline, and the worker lives") {
  House house;
  house.Ready();
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  house.vaultd().Signal(SIGSTOP);
  const std::string reply = house.Ask("r-2", "Hello", R"({"timeout_ms":1000})");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "TIMEOUT");
  REQUIRE(house.sim().CallsOf("r-2") == 0);
  house.SendRequest("r-3", "Hello");
  house.vaultd().Signal(SIGCONT);
  REQUIRE(Field(house.AwaitReply("r-3"), "status") == "success");
  // What vaultd released to a caller that had given up was never sent.
  REQUIRE(house.sim().CallsOf("r-2") == 0);
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("restart: SIGTERM drains a worker, SIGINT as well") {
  for (const int signal : {SIGTERM, SIGINT}) {
    House house;
    house.Ready({{"--latency-ms", "400"}});
    for (int i = 0; i < 6; ++i) house.SendRequest("r-" + std::to_string(i), "Hello");
    REQUIRE(Eventually([&] { return house.sim().CallsInAll() >= 1; }));
    house.worker().Signal(signal);
    const Ended ended = house.worker().Wait();
    REQUIRE(ended.code == 0);
    REQUIRE(Has(ended.err, "worker_stop"));
    // What was claimed is answered; what was not waits, untouched, for the next worker.
    REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NOT NULL") ==
            0);
    house.StartWorker(1);
    for (int i = 0; i < 6; ++i)
      REQUIRE(Field(house.AwaitReply("r-" + std::to_string(i)), "status") == "success");
    for (const auto& [request, times] : house.sim().Calls()) REQUIRE(times == 1);
  }
}

TEST_CASE("restart: SIGHUP makes a worker read its configuration again and go on") {
  House house;
  house.Ready();
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  house.SetConfig("max_attempts", "2");
  house.worker().Signal(SIGHUP);
  // The signal is taken at some moment: from then on a request is tried twice and no more.
  int number = 0;
  REQUIRE(Eventually(
      [&] { return Field(house.Ask("h-" + std::to_string(number++), "[[fault:429]]"), "attempts") == "2"; }));
  REQUIRE(house.worker().running());
  // A file that cannot be read is no reason to stop.
  house.SetConfig("max_attempts", "\"many\"");
  house.worker().Signal(SIGHUP);
  REQUIRE(Field(house.Ask("r-3", "Hello"), "status") == "success");
  house.vaultd().Signal(SIGHUP);
  REQUIRE(Field(house.Ask("r-4", "Hello"), "status") == "success");
  REQUIRE(house.vaultd().running());
}

TEST_CASE("restart: K3SAI_RECYCLE_AFTER ends a worker cleanly") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME");
  house.StartWorker(0, {{"K3SAI_RECYCLE_AFTER", "3"}}, {"--in-flight", "1"});
  for (int i = 0; i < 5; ++i) house.SendRequest("r-" + std::to_string(i), "Hello");
  const Ended ended = house.worker().Wait();
  REQUIRE(ended.code == 0);
  REQUIRE(UsageRows(house) == 3);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 2);
}

TEST_CASE("restart: two workers share a queue without calling twice") {
  House house;
  house.Ready({{"--latency-ms", "20"}});
  house.StartWorker(1);
  Process batch = StartBatch(house, 200, 32);
  AllOnce(house, batch, 200);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(DISTINCT WORKER_ID) FROM USAGE_LOG") == 2);
}

TEST_CASE("restart: a worker that was stopped past its lease does not answer twice") {
  House house;
  house.Ready({{"--latency-ms", "300"}});
  house.SendRequest("r-1", "Hello");
  REQUIRE(Eventually([&] { return house.sim().CallsOf("r-1") == 1; }));
  house.worker().Signal(SIGSTOP);
  house.StartWorker(1);
  const std::string reply = house.AwaitReply("r-1");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "TIMEOUT");  // it may have been called: it is not called again
  house.worker().Signal(SIGCONT);
  REQUIRE(Field(house.Ask("r-2", "Hello"), "status") == "success");
  REQUIRE(Eventually([&] { return Has(house.worker(0).Err(), "lease_lost"); }));
  REQUIRE(house.TakeReply("r-1").empty());
  REQUIRE(house.sim().CallsOf("r-1") == 1);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE REQUEST_ID = 'r-1'") == 1);
}

}  // namespace strongroom::e2e
