// A key in memory while the worker is busy: stopped at random moments, it hardly ever shows a piece of one.
#include "tests/e2e/house.h"
#include "tests/fault/memory_scan.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <thread>

namespace strongroom::e2e {

TEST_CASE("memory: under full load at most one moment in a hundred shows a piece of a key") {
  if (geteuid() != 0) {
    WARN("not checked: needs root");
    return;
  }
  // OpenSSL encrypts in place: for that long a key is in its write buffer, and 5 of 2,600 samples met one.
  // 200 samples are enough where they show half the limit; if not, 1,000
  // decide.
  constexpr int kEnough = 200, kMost = 1'000;
  House house;
  house.Init();
  house.StartSim({{"--latency-ms", "5"}});
  house.StartVaultd();
  house.Onboard("ACME");
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  house.StartWorker(0, {}, {"--in-flight", "64"});
  const fault::MemoryScan scan({house.KeyText("ACME"), house.KeyText("BARCO")});
  const pid_t worker = house.worker().pid();
  const auto submit = [&](const std::string& customer) {
    return house.Spawn("batch", {"submit", house.Prompts(customer + ".jsonl", 20'000), "--customer", customer,
                                 "--profile", customer + "_DEFAULT", "--out", house.Path(customer + ".out")});
  };
  Process acme = submit("ACME"), barco = submit("BARCO");
  REQUIRE(Eventually([&] { return house.sim().CallsInAll() > 500; }));

  // The scan finds what is there: provider-sim knows the keys it compares with.
  REQUIRE(scan.OfProcess(house.sim().process().pid(), fault::MemoryScan::Mappings::kWritable).hits >= 2);
  std::mt19937 random(std::random_device{}());
  const std::int64_t before = house.sim().CallsInAll();
  int samples = 0, with_pieces = 0;
  std::string seen;
  while (samples < kEnough || (samples < kMost && with_pieces * 200 > samples)) {
    ++samples;
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution(1'000, 15'000)(random)));
    const fault::Stopped still(worker);
    const fault::Scan found = scan.OfProcess(worker, fault::MemoryScan::Mappings::kWritable);
    REQUIRE(found.bytes > 1'000'000);
    if (found.hits == 0) continue;
    ++with_pieces;
    seen += found.Text() + "\n";
  }
  const std::int64_t calls = house.sim().CallsInAll() - before;
  INFO(with_pieces << " of " << samples << " samples, " << calls << " calls between them\n" << seen);
  REQUIRE((acme.running() && barco.running()));
  CHECK(calls > samples);
  // Locked pages, where the kernel has no secret ones, are there for root to read.
  if (Has(house.worker().Err(), "memfd_secret")) {
    CHECK(with_pieces <= samples / 100);
  } else {
    WARN("not checked: no memfd_secret here; " << with_pieces << " of " << samples << " samples");
  }
}

}  // namespace strongroom::e2e
