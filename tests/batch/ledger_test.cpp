#include "worker/batch/ledger.h"

#include "tests/worker/work_house.h"

#include <set>

namespace strongroom::worker {
namespace {

constexpr base::Micros kNow = 1'800'000'000'000'000;

BatchRecord Record(const std::string& id, base::Micros initiated_at = kNow) {
  BatchRecord batch;
  batch.batch_id = id;
  batch.status = "queued";
  batch.customer = "ACME";
  batch.profile_ref = "ACME_DEFAULT";
  batch.input_file = "/rows.jsonl";
  batch.input_sha256 = "ab";
  batch.output_file = "/rows.out.jsonl";
  batch.initiated_by = "zo\u00eb";
  batch.total = 9;
  batch.in_flight = 3;
  batch.timeout_ms = 1234;
  batch.initiated_at = initiated_at;
  return batch;
}

std::int64_t Put(sql::Database& database) { return Submit(database, kInbound, "m").value(); }

bool Cancel(sql::Database& database, std::int64_t id, const std::string& request_id = "B1-1") {
  auto transaction = sql::Transaction::Start(database);
  REQUIRE(transaction);
  Settlement settlement;
  settlement.identity = IdentityOf(request_id);
  settlement.reply_to = kReplies;
  settlement.reply = "cancelled";
  const auto cancelled = CancelUnclaimed(database, id, *settlement.identity, kNow);
  REQUIRE(cancelled);
  if (!*cancelled) return false;
  REQUIRE(Answer(database, settlement, 1, "batch", kNow));
  REQUIRE(transaction->Commit());
  return true;
}

std::int64_t Messages(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM QUEUE_MESSAGE"); }
std::int64_t Replies(sql::Database& database) { return Number(database, "SELECT COUNT(*) FROM REPLY_MESSAGE"); }

void Claim(sql::Database& database, base::Micros lease_until) {
  REQUIRE(ClaimWaiting(database, kInbound, "a", kNow - 100, lease_until, 1).value().size() == 1);
}

}  // namespace

TEST_CASE("ledger: a batch id is B, the time, and four letters, and never over 20 characters") {
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.insert(NewBatchId(*base::ParseTime("2026-11-20T08:09:10Z")));
  CHECK(ids.size() == 50);
  for (const std::string& id : ids) {
    CHECK(id.substr(0, 13) == "B261120080910");
    CHECK(id.size() == 17);
    CHECK(IsBatchId(id));
    CHECK_FALSE(IsBatchId(id.substr(1)));
    CHECK_FALSE(IsBatchId(id + "A"));
  }
  for (const char* text : {"", "B", "A261120080910ABCD", "B26112008091AABCD", "B261120080910ABC0", "B261120080910ABcD", "B261120080910/../"}) CHECK_FALSE(IsBatchId(text));
}

TEST_CASE("ledger: a batch is written, found, updated and listed newest first") {
  const WorkHouse house;
  const auto database = house.Connect();
  REQUIRE(InsertBatch(*database, Record("B1", kNow)));
  REQUIRE(InsertBatch(*database, Record("B2", kNow + 1)));
  CHECK(InsertBatch(*database, Record("B1")).error().code() == Code::kAlreadyExists);
  BatchRecord batch = FindBatch(*database, "B1").value();
  CHECK(batch.status == "queued");
  CHECK(batch.initiated_by == "zo\u00eb");
  CHECK(batch.total == 9);
  CHECK(batch.in_flight == 3);
  CHECK(batch.timeout_ms == 1234);
  CHECK_FALSE(batch.started_at);
  CHECK_FALSE(batch.completed_at);
  CHECK(batch.notes.empty());
  batch.status = "complete";
  batch.processed = 8;
  batch.failed = 1;
  batch.started_at = kNow + 2;
  batch.completed_at = kNow + 3;
  batch.notes = "note";
  REQUIRE(UpdateBatch(*database, batch));
  const BatchRecord again = FindBatch(*database, "B1").value();
  CHECK(again.status == "complete");
  CHECK(again.processed == 8);
  CHECK(again.failed == 1);
  CHECK(again.started_at == kNow + 2);
  CHECK(again.completed_at == kNow + 3);
  CHECK(again.notes == "note");
  CHECK(FindBatch(*database, "B2")->status == "queued");
  CHECK(FindBatch(*database, "b1").error().code() == Code::kNotFound);
  const auto listed = ListBatches(*database, 1);
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().batch_id == "B2");
  CHECK(ListBatches(*database, 50)->size() == 2);
}

TEST_CASE("ledger: replies are taken once, oldest first, from their queue") {
  const WorkHouse house;
  const auto database = house.Connect();
  for (int i = 1; i <= 3; ++i) REQUIRE(Cancel(*database, Put(*database), "B1-" + std::to_string(i)));
  CHECK(TakeReplies(*database, {"BATCH", "OTHER"}, kNow, 9)->empty());
  const auto first = TakeReplies(*database, kReplies, kNow, 2);
  REQUIRE(first);
  REQUIRE(first->size() == 2);
  CHECK((*first)[0].request_id == "B1-1");
  CHECK((*first)[0].message == "cancelled");
  CHECK(TakeReplies(*database, kReplies, kNow, 9)->size() == 1);
  CHECK(TakeReplies(*database, kReplies, kNow, 9)->empty());
  CHECK(FindReply(*database, "ACME", "B1-1").value() == "cancelled");  // taken ones are kept
  CHECK_FALSE(FindReply(*database, "BETA", "B1-1").value());
  CHECK_FALSE(FindReply(*database, "ACME", "B1-9").value());
}

TEST_CASE("ledger: replies to broken messages are found by their queue, those of requests are not among them") {
  const WorkHouse house;
  const auto database = house.Connect();
  REQUIRE(Cancel(*database, Put(*database), "B1-1"));
  for (const char* queue : {"R", "OTHER"}) {
    REQUIRE(database->Execute("INSERT INTO REPLY_MESSAGE (LIBRARY, NAME, CUSTOMER, REQUEST_ID, MESSAGE, CREATED_AT, "
                              "TAKEN_AT) VALUES (?1, ?2, 'ACME', 'B1-2', 'broken', 1, 1)",
                              {std::string_view(kReplies.library), std::string_view(queue)}));
  }
  REQUIRE(database->Execute("INSERT INTO REPLY_MESSAGE (LIBRARY, NAME, MESSAGE, CREATED_AT) VALUES (?1, ?2, 'nobody''s', 1)",
                            {std::string_view(kReplies.library), std::string_view(kReplies.name)}));
  const auto broken = BrokenReplies(*database, {kReplies.library, "R"}, "ACME");
  REQUIRE(broken);
  CHECK(*broken == std::map<std::string, std::string>{{"B1-2", "broken"}});
  CHECK(BrokenReplies(*database, {kReplies.library, "R"}, "BETA")->empty());
}

TEST_CASE("ledger: a waiting message is cancelled, and its reply stands") {
  const WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t id = Put(*database);
  CHECK(Cancel(*database, id));
  CHECK(Messages(*database) == 0);
  CHECK(FindReply(*database, "ACME", "B1-1").value() == "cancelled");
}

TEST_CASE("ledger: a claimed message is not cancelled, one whose lease has lapsed is") {
  const WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t id = Put(*database);
  Claim(*database, kNow);  // the lease still holds at its last moment
  CHECK_FALSE(Cancel(*database, id));
  CHECK(Messages(*database) == 1);
  CHECK(Replies(*database) == 0);
  REQUIRE(RenewLeases(*database, "a", kNow - 1));
  CHECK(Cancel(*database, id));
  CHECK(Messages(*database) == 0);
  CHECK(Replies(*database) == 1);
}

TEST_CASE("ledger: a cancelled message that is gone still gets its reply, once") {
  const WorkHouse house;
  const auto database = house.Connect();
  CHECK(Cancel(*database, 12345));
  CHECK(Cancel(*database, 12345));
  CHECK(Replies(*database) == 1);
}

TEST_CASE("ledger: a request under way in an earlier message is not cancelled with the later one") {
  const WorkHouse house;
  const auto database = house.Connect();
  const std::int64_t earlier = Put(*database);
  Claim(*database, kNow + 1);
  REQUIRE(Begin(*database, earlier, "a", IdentityOf("B1-1"), 1, kNow, kNow).value() == Admission::kBegun);
  const std::int64_t later = Put(*database);
  CHECK_FALSE(Cancel(*database, later));
  CHECK(Messages(*database) == 2);
  REQUIRE(RenewLeases(*database, "a", kNow - 1));
  CHECK(Cancel(*database, later));
  CHECK(Messages(*database) == 0);
  CHECK(Replies(*database) == 1);
}

TEST_CASE("ledger: withdrawing takes back only what nobody holds and no call was begun for") {
  const WorkHouse house;
  const auto database = house.Connect();
  CHECK(Withdraw(*database, Put(*database), kNow).value());
  const std::int64_t id = Put(*database);
  Claim(*database, kNow + 5);
  CHECK_FALSE(Withdraw(*database, id, kNow).value());
  REQUIRE(Begin(*database, id, "a", IdentityOf("B1-1"), 1, kNow, kNow).value() == Admission::kBegun);
  CHECK_FALSE(Withdraw(*database, id, kNow + 10).value());  // the lease has lapsed, but the call may have been made
  REQUIRE(CallEnded(*database, id, "a"));
  CHECK(Withdraw(*database, id, kNow + 10).value());
  CHECK(Replies(*database) == 0);
  CHECK_FALSE(Withdraw(*database, id, kNow).value());
}

}  // namespace strongroom::worker
