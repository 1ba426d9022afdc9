// A rewrap that is interrupted between two of its chunks: what is durable by then is kept, and the rest is asked for again.
#include "vault/rewrap.h"

#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "tests/vault/service_house.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr int kChunk = 32, kKeys = 2 * kChunk + 6;
constexpr sql::Sql kUnderNew = "SELECT COUNT(*) FROM KEY_VAULT WHERE KEK_VERSION = 2";

Bytes Version(std::int64_t version) { return KekRequest{version, "yearly"}.Encode(); }
Bytes Run(const std::string& run, const std::string& after = "") { return RewrapRequest{run, after, "yearly"}.Encode(); }

// Many is a house with keys for three chunks, whose rotation stopped before its first rewrap.
struct Many : ServiceHouse {
  Many() {
    for (int i = 0; i < kKeys; ++i) {
      AddKeyRequest add;
      add.customer = "C" + std::to_string(i);
      add.provider = "openai";
      add.reason = "new";
      REQUIRE(AddKey(add, kBarcoKey).has_value());
    }
    REQUIRE(Ask(Operation::kPrepareKek, Version(0)).has_value());
    REQUIRE(Ask(Operation::kActivateKek, Version(2)).has_value());
  }
  std::future<Result<Reply>> Begin(Operation operation, Bytes body) {
    Peer peer;
    peer.uid = geteuid();
    peer.name = "tester";
    peer.roles = 7;
    const auto promise = std::make_shared<std::promise<Result<Reply>>>();
    service().Handle(peer, static_cast<std::uint8_t>(operation), std::move(body), std::nullopt,
                     [promise](Result<Reply> reply) { promise->set_value(std::move(reply)); });
    return promise->get_future();
  }
  // Finish asks on from `next` to the end, as keytool does.
  void Finish(const std::string& run, std::string next = "") {
    do {
      const auto reply = Ask(Operation::kRewrapKeys, Run(run, next));
      REQUIRE(reply.has_value());
      const auto answer = RewrapAnswer::Decode(reply->body);
      CHECK(answer->unopened == 0);
      next = answer->next;
    } while (!next.empty());
    CHECK(Value(kUnderNew) == std::to_string(kKeys));
    REQUIRE(Ask(Operation::kRetireKek, Version(1)).has_value());
  }
};

// Interrupted is a rewrap in whose course, behind its first chunk, something happens on the writer's thread.
class Interrupted final : public Act {
 public:
  Interrupted(std::unique_ptr<Act> rewrap, std::function<void()> between) : rewrap_(std::move(rewrap)), between_(std::move(between)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override { return rewrap_->Decide(store, now, record); }
  Reply Answer(audit::Receipt& receipt) override { return rewrap_->Answer(receipt); }
  bool GoesOn() override {
    const bool goes_on = rewrap_->GoesOn();
    if (const auto between = std::exchange(between_, nullptr)) between();
    return goes_on;
  }

 private:
  const std::unique_ptr<Act> rewrap_;
  std::function<void()> between_;
};

// Opened is the vault of a house whose Service was stopped, in the test's own hands.
struct Opened {
  explicit Opened(const ServiceHouse& house) {
    auto loaded = LoadVault(house.config());
    REQUIRE(loaded.has_value());
    vault = std::move(*loaded);
  }
  RewrapAnswer Rewrap(const std::string& after, std::function<void()> between) {
    auto act = MakeRewrapKeys(*vault, Run("test", after), std::nullopt);
    REQUIRE(act.has_value());
    std::promise<Result<Reply>> promise;
    REQUIRE(RunOwnCeremony(*vault, "rewrap_keys", std::make_unique<Interrupted>(std::move(*act), std::move(between)),
                           [&promise](Result<Reply> reply) { promise.set_value(std::move(reply)); }));
    const auto reply = promise.get_future().get();
    REQUIRE(reply.has_value());
    return RewrapAnswer::Decode(reply->body).value();
  }
  std::unique_ptr<OpenVault> vault;
};

}  // namespace

TEST_CASE("rewrap: where the writer's queue is full, what is durable is answered, and asked on from", "[kek][sqlite]") {
  Many house;
  house.Stop();
  std::atomic<int> queued{0}, written{0};
  std::string next;
  {
    Opened opened(house);
    const auto fill = [&] {
      const auto job = [&written] {
        audit::Job filler;
        filler.turn = 7;
        filler.decide = [](sql::Database&, base::Micros) {
          audit::Draft record;
          record.action = "filler";
          record.actor = SystemActor();
          return audit::Decision{record, false};
        };
        filler.done = [&written](const Result<audit::Receipt>& receipt) { written += receipt ? 1 : 0; };
        return filler;
      };
      while (opened.vault->log->Submit(job())) ++queued;
    };
    const RewrapAnswer first = opened.Rewrap("", fill);
    CHECK(queued > 1000);
    CHECK(first.rewrapped == kChunk);
    CHECK(house.Value(kUnderNew) == std::to_string(kChunk));
    REQUIRE_FALSE(first.next.empty());
    next = first.next;
    // The next chunk was begun, and is there for whoever asks on; nothing of it was written.
    opened.vault->ahead.Await();
    const auto ahead = opened.vault->ahead.Take(opened.vault->Keys().value(), 1, next);
    REQUIRE(ahead);
    CHECK(ahead->moves.size() == kChunk);
  }
  CHECK(written == queued);
  house.Start();
  house.Finish("test", next);
}

TEST_CASE("rewrap: a seal between two chunks ends it, and after the unseal anybody finishes it", "[kek][sqlite]") {
  Many house;
  // Both are in the writer's queue before the first chunk is written.
  const auto held = house.Open();
  REQUIRE(held->Begin().has_value());
  auto rewrap = house.Begin(Operation::kRewrapKeys, Run("test"));
  auto seal = house.Begin(Operation::kSeal, EncodeText("holidays"));
  REQUIRE(held->Rollback().has_value());
  REQUIRE(seal.get().has_value());
  const auto refused = rewrap.get();
  REQUIRE_FALSE(refused.has_value());
  CHECK(RefusalOf(refused.error()) == Refusal::kSealed);
  CHECK(house.Last().draft.action == "rewrap_keys");
  CHECK(house.Last().draft.reason == "SEALED");
  CHECK(house.Value(kUnderNew) == std::to_string(kChunk));
  CHECK(house.RefusalFor(Operation::kRewrapKeys, Run("test")) == Refusal::kSealed);
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("back")).has_value());
  house.Finish("another");
}

TEST_CASE("rewrap: a vaultd that stops ends it behind a chunk, and begins nothing further", "[kek][sqlite]") {
  Many house;
  house.Stop();
  std::string next;
  {
    Opened opened(house);
    OpenVault& vault = *opened.vault;
    const RewrapAnswer first = opened.Rewrap("", [&vault] { vault.stopping = true; });
    CHECK(first.rewrapped == kChunk);
    // One that was in the queue by then is decided.
    const RewrapAnswer second = opened.Rewrap(first.next, nullptr);
    CHECK(second.rewrapped == kChunk);
    next = second.next;
    CHECK_FALSE(vault.ahead.Take(vault.Keys().value(), 1, next));
  }
  CHECK(house.Value(kUnderNew) == std::to_string(2 * kChunk));
  house.Start();
  house.Finish("another", next);
}

TEST_CASE("rewrap: a Service that goes at any moment has answered, and the next one finishes it", "[kek][sqlite]") {
  Many house;
  const auto held = house.Open();
  REQUIRE(held->Begin().has_value());
  auto rewrap = house.Begin(Operation::kRewrapKeys, Run("test"));
  std::thread stops([&house] { house.Stop(); });
  REQUIRE(held->Rollback().has_value());
  stops.join();
  const auto reply = rewrap.get();
  REQUIRE(reply.has_value());
  const auto answer = RewrapAnswer::Decode(reply->body);
  REQUIRE(answer.has_value());
  CHECK(house.Value(kUnderNew) == std::to_string(answer->rewrapped));
  house.Start();
  house.Finish("another", answer->next);
}

}  // namespace strongroom::vault
