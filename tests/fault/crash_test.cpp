// kill -9 of any program at any moment of a batch: every row ends in exactly one reply, and nothing is called
// twice.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

namespace strongroom::e2e {
using Json = nlohmann::ordered_json;

namespace {

// Siege runs one batch while programs are killed under it.
class Siege {
 public:
  Siege(int rows, int kills, const std::vector<std::string>& sim_arguments)
      : rows_(rows), kills_(kills), sim_{sim_arguments}, seed_(std::random_device{}()), random_(seed_) {
    house_.Ready(sim_);
    house_.StartWorker(1);
    batch_ = house_.Spawn("batch", {"submit", house_.Prompts("rows.jsonl", rows_), "--customer", "ACME",
                                    "--profile", "ACME_DEFAULT", "--in-flight", "32", "--timeout-ms", "60000",
                                    "--out", house_.Path("rows.out")});
  }

  void Run(const std::vector<std::string>& victims) {
    REQUIRE(Eventually([&] { return !BatchId().empty(); }));
    for (int i = 0; i < kills_; ++i) {
      // A random moment: after a random number of further replies, or of polls.
      const std::int64_t goal =
          Replies() +
          static_cast<std::int64_t>(random_() % static_cast<unsigned>(2 * rows_ / kills_ / 3 + 1));
      Eventually([&] { return Replies() >= goal || !batch_.running(); });
      const std::string& victim = victims[random_() % victims.size()];
      history_ += victim + "@" + std::to_string(Replies()) + " ";
      Kill(victim);
    }
    End();
  }

  void Check(bool faults) {
    INFO("seed " << seed_ << ", killed: " << history_);
    std::map<std::string, int> replies;
    const auto rows = house_.work().Query("SELECT REQUEST_ID FROM REPLY_MESSAGE");
    REQUIRE(rows);
    while (*(*rows)->Next()) ++replies[(*rows)->Text(0)];
    REQUIRE(replies.size() == static_cast<std::size_t>(rows_));
    for (const auto& [request, count] : replies) {
      INFO(request);
      REQUIRE(count == 1);
    }
    REQUIRE(house_.QueueEmpty());
    REQUIRE(Lines(ReadWhole(house_.Path("rows.out"))).size() == static_cast<std::size_t>(rows_));
    REQUIRE(house_.Number(house_.work(), "SELECT COUNT(*) FROM USAGE_LOG") == rows_);
    CheckFailures(faults);
    CountCalls();
    for (const auto& [request, times] : calls_) {
      INFO(request << " was called " << times << " times");
      const std::int64_t attempts =
          house_.Number(house_.work(), "SELECT ATTEMPTS FROM USAGE_LOG WHERE REQUEST_ID = ?1", {request});
      REQUIRE(times <= attempts);
      if (!faults)
        REQUIRE(times <= 1);  // nothing but a crash can have ended a call, and after one it is not made again
    }
    REQUIRE(house_.Auditlog({"verify"}).code == 0);
    CheckEvidence();
    WARN("seed " << seed_ << ", " << rows_ << " rows, killed: " << history_ << "; not successful: "
                 << house_.Number(house_.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS <> 'success'"));
  }

 private:
  std::int64_t Replies() { return house_.Number(house_.work(), "SELECT COUNT(*) FROM REPLY_MESSAGE"); }

  std::string BatchId() {
    const Ended status = house_.Batch({"status", "--json"});
    const Json batches = Json::parse(status.out, nullptr, false);
    return batches.is_array() && !batches.empty() ? batches[0]["batch_id"].get<std::string>() : std::string();
  }

  // A crash alone ends calls in TIMEOUT, or in PROVIDER_ERROR while nothing answers; a provider that fails may
  // answer a request's every attempt with 429 as well.
  void CheckFailures(bool faults) {
    std::set<std::string> allowed = {"TIMEOUT", "PROVIDER_ERROR"};
    if (faults) allowed.insert("RATE_LIMITED");
    const auto rows =
        house_.work().Query("SELECT REQUEST_ID, ERROR_CODE FROM USAGE_LOG WHERE STATUS <> 'success'");
    REQUIRE(rows);
    while (*(*rows)->Next()) {
      INFO((*rows)->Text(0) << " ended in " << (*rows)->Text(1));
      REQUIRE(allowed.contains((*rows)->Text(1)));
    }
  }

  // provider-sim forgets its counts when it dies: they are fetched before, so that none is counted too often.
  void CountCalls() {
    for (const auto& [request, times] : house_.sim().Calls()) calls_[request] += times;
  }

  void Kill(const std::string& victim) {
    if (victim == "vaultd") {
      house_.vaultd().Crash();
      house_.StartVaultd();
    } else if (victim == "provider-sim") {
      CountCalls();
      house_.sim().process().Crash();
      house_.StartSim(sim_, true);
    } else if (victim == "batch") {
      batch_.Crash();
      batch_ = house_.Spawn("batch", {"resume", BatchId()});
    } else {
      const std::size_t number = victim == "worker-0" ? 0 : 1;
      house_.worker(number).Crash();
      house_.StartWorker(number);
    }
  }

  void End() {
    const Ended ended = batch_.Wait(4 * kPatience);
    INFO("seed " << seed_ << ", killed: " << history_ << "\n" << ended.out << ended.err);
    REQUIRE(ended.code >= 0);
    // Rows that TIMEOUT answered make it 1; what is complete stays complete when it is resumed.
    const Ended again = house_.Batch({"resume", BatchId(), "--json"});
    REQUIRE(again.code == ended.code);
    REQUIRE(Json::parse(again.out)["status"] == "complete");
  }

  // Every call that was made has its release on the trail.
  void CheckEvidence() {
    std::map<std::string, std::int64_t> released;
    for (const std::string& record : house_.Trail({"--customer", "ACME", "--outcome", "ok"})) {
      ++released[Field(record, "request_id")];
    }
    for (const auto& [request, times] : calls_) {
      INFO(request);
      REQUIRE(released[request] >= times);
    }
  }

  const int rows_, kills_;
  SimOptions sim_;
  unsigned seed_;
  std::mt19937 random_;
  House house_;
  Process batch_;
  std::map<std::string, std::int64_t> calls_;
  std::string history_;
};

const std::vector<std::string> kAll = {"worker-0", "worker-1", "vaultd", "batch", "provider-sim"};

}  // namespace

TEST_CASE("crash: each program in turn is killed under a batch of 300 rows") {
  for (const std::string& victim : kAll) {
    Siege siege(300, 3, {"--latency-ms", "20"});
    siege.Run({victim});
    siege.Check(false);
  }
}

TEST_CASE("crash: any program is killed under a batch of 2,000 rows") {
  Siege siege(2000, 15, {"--latency-ms", "20"});
  siege.Run(kAll);
  siege.Check(false);
}

TEST_CASE("crash: any program is killed while the provider fails too") {
  Siege siege(300, 6, {"--latency-ms", "20", "--fault", "429:0.05,500:0.03,529:0.03,cut:0.02"});
  siege.Run(kAll);
  siege.Check(true);
}

}  // namespace strongroom::e2e
