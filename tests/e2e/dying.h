// Dying: a house whose batch is under way when the provider begins to refuse ACME's key.
#pragma once

#include <string>

#include "tests/e2e/house.h"

#include <catch2/catch.hpp>

namespace strongroom::e2e {

inline constexpr const char* kFirst = "ACME/anthropic/default/1";
inline constexpr const char* kSecond = "ACME/anthropic/default/2";
inline constexpr int kRows = 200;
inline constexpr int kInFlight = 8;

inline std::string StatusOf(House& house, const std::string& key_ref) {
  return Field(house.Keytool({"show", key_ref, "--json"}).out, "status");
}

inline std::int64_t Rows(House& house, const std::string& status) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS = ?1", {std::string_view(status)});
}

inline std::int64_t Held(House& house) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER LIKE 'held:%'");
}

// Dying is one whose key was suspended by then.
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

}  // namespace strongroom::e2e
