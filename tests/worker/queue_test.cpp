#include "tests/worker/work_house.h"

#include <atomic>
#include <thread>
#include <vector>

namespace strongroom::worker {
namespace {

constexpr base::Micros kNow = 1'800'000'000'000'000;
constexpr base::Micros kLease = 15 * base::kMicrosPerSecond;

std::int64_t Put(sql::Database& database, const std::string& message, const QueueName& queue = kInbound) {
  const auto id = Submit(database, queue, message);
  REQUIRE(id);
  return *id;
}

std::vector<Claimed> Claim(sql::Database& database, std::string_view owner, std::int64_t most = 10,
                           base::Micros now = kNow) {
  auto claimed = ClaimWaiting(database, kInbound, owner, now, now + kLease, most);
  REQUIRE(claimed);
  return std::move(*claimed);
}

std::vector<Claimed> Expired(sql::Database& database, std::string_view owner, base::Micros now, std::int64_t most = 10) {
  auto claimed = ClaimExpired(database, kInbound, owner, now, now + kLease, most);
  REQUIRE(claimed);
  return std::move(*claimed);
}

Admission MayBegin(sql::Database& database, std::int64_t id, std::string_view owner, const Identity& identity,
                   std::int64_t attempt = 1) {
  const auto admission = Begin(database, id, owner, identity, attempt, kNow + attempt, kNow + 60'000'000);
  REQUIRE(admission);
  return *admission;
}

void PutReplyOf(sql::Database& database, const Identity& identity) {
  Settlement settlement;
  settlement.id = Put(database, "answered");
  settlement.owner = "first";
  REQUIRE(Claim(database, "first").size() == 1);
  settlement.reply_to = kReplies;
  settlement.reply = "the first reply";
  settlement.identity = identity;
  const auto settled = Settle(database, settlement, 1, "first", kNow);
  REQUIRE(settled);
  REQUIRE(*settled == Settled::kSettled);
}

}  // namespace

TEST_CASE("queue: messages are claimed oldest first, each once, and only from their queue") {
  WorkHouse house;
  const auto database = house.Connect();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Put(*database, "m" + std::to_string(i)));
  Put(*database, "elsewhere", {"K3SAI", "OTHER"});
  Put(*database, "elsewhere", {"OTHER", "AIOUTQ"});
  const auto first = Claim(*database, "a", 2);
  REQUIRE(first.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(first[i].id == ids[i]);
    CHECK(first[i].message == "m" + std::to_string(i));
    CHECK(first[i].claims == 1);
    CHECK(first[i].attempts == 0);
    CHECK(first[i].claimed_at == kNow);
    CHECK_FALSE(first[i].call_begun_at);
    CHECK_FALSE(first[i].deadline);
  }
  const auto second = Claim(*database, "b", 10);
  REQUIRE(second.size() == 3);
  CHECK(second[0].id == ids[2]);
  CHECK(Claim(*database, "c").empty());
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 2);
}

TEST_CASE("queue: texts of any kind go through unharmed, and bad arguments claim nothing") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::string odd = "{\"prompt\":\"z\u00f6e \U0001f511 '; DROP TABLE QUEUE_MESSAGE; --\"}\n\t";
  Put(*database, odd);
  Put(*database, "");
  CHECK(Claim(*database, "a", 0).empty());
  const auto claimed = Claim(*database, "o'wner", 10);
  REQUIRE(claimed.size() == 2);
  CHECK(claimed[0].message == odd);
  CHECK(claimed[1].message.empty());
}

TEST_CASE("queue: a lease that has run out goes to another owner, with what the first one left") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t id = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, id, "a", IdentityOf("r")) == Admission::kBegun);
  CHECK(Expired(*database, "b", kNow + kLease).empty());  // to the very end of the lease it is a's
  const auto taken = Expired(*database, "b", kNow + kLease + 1);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].claims == 2);
  CHECK(taken[0].attempts == 1);
  CHECK(taken[0].claimed_at == kNow);  // the deadline counts from the first claim
  CHECK(taken[0].call_begun_at == kNow + 1);
  CHECK(taken[0].deadline == kNow + 60'000'000);
  CHECK(Expired(*database, "c", kNow + kLease + 1).empty());
  // The first owner can do nothing more with it.
  CHECK(MayBegin(*database, id, "a", IdentityOf("r"), 2) == Admission::kLostLease);
  REQUIRE(CallEnded(*database, id, "a"));
  REQUIRE(Release(*database, id, "a"));
  REQUIRE(Drop(*database, id, "a"));
  REQUIRE(AnswerAgain(*database, id, "a", IdentityOf("r")));
  CHECK(Number(*database, "SELECT CALL_BEGUN_AT FROM QUEUE_MESSAGE WHERE LEASE_OWNER = 'b'") == kNow + 1);
}

TEST_CASE("queue: expired messages come oldest lease first, as many as asked for, from their own queue") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t late = Put(*database, "late");
  Put(*database, "early");
  REQUIRE(Claim(*database, "a", 1, kNow + 100).front().id == late);
  REQUIRE(Claim(*database, "a", 1, kNow).size() == 1);
  Put(*database, "elsewhere", {"K3SAI", "OTHER"});
  REQUIRE(ClaimWaiting(*database, {"K3SAI", "OTHER"}, "a", kNow, kNow + kLease, 1));
  const auto first = Expired(*database, "b", kNow + 2 * kLease, 1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].message == "early");
  const auto rest = Expired(*database, "b", kNow + 2 * kLease);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].message == "late");
}

TEST_CASE("queue: renewal moves the owner's leases and nobody else's") {
  WorkHouse house;
  const auto database = house.Connect();
  for (int i = 0; i < 3; ++i) Put(*database, "m");
  REQUIRE(Claim(*database, "a", 2).size() == 2);
  REQUIRE(Claim(*database, "b", 1).size() == 1);
  CHECK(RenewLeases(*database, "a", kNow + 10 * kLease).value() == 2);
  CHECK(RenewLeases(*database, "nobody", kNow).value() == 0);
  const auto expired = Expired(*database, "c", kNow + 5 * kLease);
  REQUIRE(expired.size() == 1);
  CHECK(RenewLeases(*database, "b", kNow + 20 * kLease).value() == 0);  // what was lost is not won back
  CHECK(RenewLeases(*database, "c", kNow + 20 * kLease).value() == 1);
}

TEST_CASE("queue: begin marks the call before it is made, and again for each attempt") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t id = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, id, "a", IdentityOf("r")) == Admission::kBegun);
  CHECK(Number(*database, "SELECT CALL_BEGUN_AT FROM QUEUE_MESSAGE") == kNow + 1);
  REQUIRE(CallEnded(*database, id, "a"));
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE CALL_BEGUN_AT IS NULL AND ATTEMPTS = 1") == 1);
  CHECK(MayBegin(*database, id, "a", IdentityOf("r"), 2) == Admission::kBegun);
  CHECK(Number(*database, "SELECT ATTEMPTS FROM QUEUE_MESSAGE") == 2);
  CHECK(Text(*database, "SELECT CUSTOMER || REQUEST_ID FROM QUEUE_MESSAGE") == "ACMEr");
}

TEST_CASE("queue: begin refuses who holds no lease, and whose message is gone") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t id = Put(*database, "m");
  CHECK(MayBegin(*database, id, "a", IdentityOf("r")) == Admission::kLostLease);
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, id, "b", IdentityOf("r")) == Admission::kLostLease);
  REQUIRE(Drop(*database, id, "a"));
  CHECK(MayBegin(*database, id, "a", IdentityOf("r")) == Admission::kLostLease);
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 0);
}

TEST_CASE("queue: a request under way in another message is not begun again") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t first = Put(*database, "m"), second = Put(*database, "m");
  REQUIRE(Claim(*database, "a", 1).size() == 1);
  REQUIRE(Claim(*database, "b", 1).size() == 1);
  CHECK(MayBegin(*database, first, "a", IdentityOf("r")) == Admission::kBegun);
  CHECK(MayBegin(*database, second, "b", IdentityOf("r")) == Admission::kUnderWay);
  CHECK(MayBegin(*database, second, "b", IdentityOf("r", "ACME", 2)) == Admission::kOtherContent);
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE CALL_BEGUN_AT IS NOT NULL") == 1);
  // The same id of another customer is another request; so is one that differs in case.
  CHECK(MayBegin(*database, second, "b", IdentityOf("r", "BETA", 2)) == Admission::kBegun);
  const std::int64_t third = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, third, "a", IdentityOf("R")) == Admission::kBegun);
}

TEST_CASE("queue: between its calls, too, a request keeps others of its id out") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t first = Put(*database, "m"), second = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 2);
  CHECK(MayBegin(*database, first, "a", IdentityOf("r")) == Admission::kBegun);
  REQUIRE(CallEnded(*database, first, "a"));
  CHECK(MayBegin(*database, second, "a", IdentityOf("r")) == Admission::kUnderWay);
  REQUIRE(Drop(*database, second, "a"));
  CHECK(Number(*database, "SELECT MESSAGE_ID FROM QUEUE_MESSAGE") == first);
}

TEST_CASE("queue: a request that was answered is answered again from the stored reply") {
  WorkHouse house;
  const auto database = house.Connect();
  PutReplyOf(*database, IdentityOf("r"));
  REQUIRE(database->Execute("UPDATE REPLY_MESSAGE SET TAKEN_AT = 5"));
  const std::int64_t again = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, again, "a", IdentityOf("r", "ACME", 2)) == Admission::kOtherContent);
  CHECK(MayBegin(*database, again, "a", IdentityOf("r")) == Admission::kAnswered);
  REQUIRE(AnswerAgain(*database, again, "b", IdentityOf("r")));  // b holds nothing: nothing happens
  CHECK(Number(*database, "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE TAKEN_AT IS NULL") == 0);
  REQUIRE(AnswerAgain(*database, again, "a", IdentityOf("r")));
  CHECK(Number(*database, "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE TAKEN_AT IS NULL") == 1);
  CHECK(Text(*database, "SELECT NAME FROM REPLY_MESSAGE") == kReplies.name);
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 0);
  // Another customer's request of that id was never answered.
  const std::int64_t other = Put(*database, "m");
  REQUIRE(Claim(*database, "a").size() == 1);
  CHECK(MayBegin(*database, other, "a", IdentityOf("r", "BETA")) == Admission::kBegun);
}

TEST_CASE("queue: a released message waits again, in its old place") {
  WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t first = Put(*database, "first");
  Put(*database, "second");
  REQUIRE(Claim(*database, "a", 1).size() == 1);
  REQUIRE(Release(*database, first, "b"));
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 1);
  REQUIRE(Release(*database, first, "a"));
  const auto again = Claim(*database, "b", 1, kNow + 50);
  REQUIRE(again.size() == 1);
  CHECK(again[0].id == first);
  CHECK(again[0].claims == 2);
  CHECK(again[0].claimed_at == kNow);
}

TEST_CASE("queue: a stored text is read by its customer alone, and the first of a name stays") {
  WorkHouse house;
  const auto database = house.Connect();
  REQUIRE(StoreText(*database, {"prompt/ACME/1", "ACME", "long \u00fc text"}, kNow));
  REQUIRE(StoreText(*database, {"prompt/ACME/1", "BETA", "another"}, kNow));
  CHECK(LoadText(*database, "prompt/ACME/1", "ACME").value() == "long \u00fc text");
  for (const char* customer : {"BETA", "acme", "", "ACME "}) {
    const auto refused = LoadText(*database, "prompt/ACME/1", customer);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kNotFound);
  }
  CHECK(LoadText(*database, "prompt/ACME/2", "ACME").error().code() == Code::kNotFound);
  CHECK(Number(*database, "SELECT COUNT(*) FROM AI_PROMPTS") == 1);
}

TEST_CASE("queue: a claim that is rolled back is no claim") {
  WorkHouse house;
  const auto database = house.Connect();
  const auto other = house.Connect(50);
  Put(*database, "m");
  {
    auto transaction = sql::Transaction::Start(*database);
    REQUIRE(transaction);
    REQUIRE(Claim(*database, "a").size() == 1);
    // Meanwhile nobody else can claim, and everybody still sees the message waiting.
    const auto refused = ClaimWaiting(*other, kInbound, "b", kNow, kNow + kLease, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kUnavailable);
    CHECK(Number(*other, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 1);
  }
  const auto claimed = Claim(*other, "b");
  REQUIRE(claimed.size() == 1);
  CHECK(claimed[0].claims == 1);
}

TEST_CASE("queue: two connections that claim at once share the messages without overlap") {
  WorkHouse house;
  constexpr int kMessages = 200;
  const auto database = house.Connect();
  for (int i = 0; i < kMessages; ++i) Put(*database, "m");
  std::vector<std::vector<std::int64_t>> claimed(2);
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (std::size_t worker = 0; worker < 2; ++worker) {
    auto connection = std::shared_ptr<sql::Database>(house.Connect());
    threads.emplace_back([&, worker, connection] {
      while (true) {
        const auto some = ClaimWaiting(*connection, kInbound, std::to_string(worker), kNow, kNow + kLease, 3);
        if (!some) {
          ++failures;
          return;
        }
        if (some->empty()) return;
        for (const Claimed& one : *some) claimed[worker].push_back(one.id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(claimed[0].size() + claimed[1].size() == kMessages);
  CHECK(Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE CLAIMS = 1") == kMessages);
}

}  // namespace strongroom::worker
