#include "tests/batch/job.h"

namespace strongroom::worker {

TEST_CASE("run: every row is answered, in input order, with no more in flight than asked") {
  Job job(Rows(150), 20'000, 7);
  const FakeWorker worker(job.house, Succeed);
  const BatchEnd end = job.Run();
  CHECK(end.exit_code() == 0);
  CHECK(end.error.empty());
  CHECK(end.batch.processed == 150);
  CHECK(job.Status() == "complete");
  CHECK(FindBatch(*job.database, job.batch.batch_id)->processed == 150);
  CHECK(worker.served() == 150);
  CHECK(worker.most_held() <= 7);
  const auto lines = job.Output();
  REQUIRE(lines.size() == 150);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(lines[i].at("id") == i + 1);
    CHECK(lines[i].at("response") == "answer to p" + std::to_string(i + 1));
    CHECK(lines[i].at("request_id") == job.batch.batch_id + "-" + std::to_string(i + 1));
  }
  CHECK_FALSE(std::filesystem::exists(job.batch.output_file + ".part"));
}

TEST_CASE("run: rows that fail are counted and stand in the output, the others too") {
  Job job(Rows(9));
  const FakeWorker worker(job.house, [](const Request& request, const std::string& prompt) {
    return prompt == "p3" || prompt == "p7" ? FailWith(request, ErrorCode::kProviderAuth) : Succeed(request, prompt);
  });
  const BatchEnd end = job.Run();
  CHECK(end.exit_code() == 1);
  CHECK(end.batch.processed == 7);
  CHECK(end.batch.failed == 2);
  CHECK(job.Status() == "complete");
  const auto lines = job.Output();
  REQUIRE(lines.size() == 9);
  CHECK(lines[2].at("error_code") == "PROVIDER_AUTH");
  CHECK(lines[2].at("attempts") == 5);
  CHECK(lines[3].at("status") == "success");
}

TEST_CASE("run: a request carries the row's fields and the batch's, and metadata of nobody") {
  Job job(R"({"id":"x","prompt":"p","system_prompt":"be brief","max_tokens":5})" "\n", 12'345);
  std::atomic<bool> right{false};
  const FakeWorker worker(job.house, [&](const Request& request, const std::string& prompt) {
    right = request.system_prompt == "be brief" && request.max_tokens == 5 && request.timeout_ms == 12'345 &&
            request.customer == "ACME" && request.profile_ref == "ACME_DEFAULT" && request.metadata.empty() &&
            request.reply_queue.library == "BATCH" && prompt == "p";
    return Succeed(request, prompt);
  });
  CHECK(job.Run().exit_code() == 0);
  CHECK(right);
}

TEST_CASE("run: a prompt that outgrows its message is stored, and a response that does is written out whole") {
  const std::string prompt(200'000, 'x');
  Job job(R"({"id":1,"prompt":")" + prompt + "\"}\n" + R"({"id":2,"prompt":"short","system_prompt":")" +
          std::string(59'000, 's') + "\"}\n");
  std::atomic<int> right{0};
  const FakeWorker worker(job.house, [&](const Request& request, const std::string& text) {
    if (text == prompt || text == "short") ++right;
    Success success;
    success.response_ref = "response/ACME/" + request.request_id;
    return SuccessReply(request.request_id, "", success);
  });
  CHECK(job.Run().exit_code() == 0);
  CHECK(right == 2);
  const auto lines = job.Output();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("response") == "long answer to " + prompt);
  CHECK(lines[1].at("response") == "long answer to short");
  CHECK_FALSE(lines[0].contains("response_ref"));
}

TEST_CASE("run: with no worker every row becomes TIMEOUT, after three times its time") {
  Job job(Rows(3), 100, 2);
  const base::Micros begun = base::MonoMicros();
  const BatchEnd end = job.Run();
  CHECK(base::MonoMicros() - begun >= 300 * base::kMicrosPerMilli);
  CHECK(end.exit_code() == 1);
  CHECK(end.batch.failed == 3);
  CHECK(job.Status() == "complete");
  CHECK(job.Messages() == 0);
  const auto lines = job.Output();
  REQUIRE(lines.size() == 3);
  for (const Json& line : lines) {
    CHECK(line.at("error_code") == "TIMEOUT");
    CHECK(line.at("attempts") == 0);
  }
}

TEST_CASE("run: a row whose message vanished ends all the same") {
  Job job(Rows(2), 100);
  const auto other = job.house.Connect();
  std::thread thief([&] {
    Eventually([&] { return other->Execute("DELETE FROM QUEUE_MESSAGE").value_or(0) > 0; });
  });
  const BatchEnd end = job.Run();
  thief.join();
  CHECK(end.batch.failed == 2);
  CHECK(job.Output().size() == 2);
}

TEST_CASE("run: a reply that somebody else took is found before its row is given up") {
  Job job(Rows(1), 100);
  const auto other = job.house.Connect();
  std::thread taker([&] {
    // Reply and mark in one transaction: the batch never sees it waiting.
    Eventually([&] {
      auto transaction = sql::Transaction::Start(*other);
      if (!transaction) return false;
      const auto claimed = ClaimWaiting(*other, kInbound, "other", 1, base::WallMicros() + kLease, 1);
      if (!claimed || claimed->empty()) return false;
      const auto request = ParseRequest(claimed->front().message);
      Settlement settlement;
      settlement.id = claimed->front().id;
      settlement.owner = "other";
      settlement.reply_to = request->reply_queue;
      settlement.reply = Succeed(*request, "p1");
      settlement.identity = Identity{request->customer, request->request_id, request->content_hash};
      return Settle(*other, settlement, 1, "other", 1) && other->Execute("UPDATE REPLY_MESSAGE SET TAKEN_AT = 1") &&
             transaction->Commit();
    });
  });
  const BatchEnd end = job.Run();
  taker.join();
  CHECK(end.batch.processed == 1);
  CHECK(end.exit_code() == 0);
}

TEST_CASE("run: what a worker holds is not given up, however late it is") {
  Job job(Rows(2), 100);
  std::atomic<bool> held{false};
  const auto other = job.house.Connect();
  std::thread late([&] {
    std::vector<Claimed> claimed;
    Eventually([&] {
      const auto some = ClaimWaiting(*other, kInbound, "late", 1, base::WallMicros() + kLease, 1);
      if (some && !some->empty()) claimed = *some;
      return !claimed.empty();
    });
    if (claimed.empty()) return;
    // The other row is given up first: by then this one is as late.
    const auto request = ParseRequest(claimed[0].message);
    held = Eventually([&] {
      return FindReply(*other, "ACME", job.batch.batch_id + "-2").value_or(std::nullopt).has_value();
    });
    Settlement settlement;
    settlement.id = claimed[0].id;
    settlement.owner = "late";
    settlement.reply_to = request->reply_queue;
    settlement.reply = Succeed(*request, "p1");
    settlement.identity = Identity{request->customer, request->request_id, request->content_hash};
    (void)Settle(*other, settlement, 1, "late", 1);
  });
  const BatchEnd end = job.Run();
  late.join();
  CHECK(held);
  CHECK(end.batch.processed == 1);
  CHECK(end.batch.failed == 1);
}

TEST_CASE("run: a row whose worker died in its call is given up with that call told, and its usage row") {
  Job job(Rows(1), 100);
  const auto other = job.house.Connect();
  std::thread dying([&] {
    std::vector<Claimed> claimed;
    Eventually([&] {
      const base::Micros now = base::WallMicros();
      const auto some = ClaimWaiting(*other, kInbound, "dying", now, now + 50 * base::kMicrosPerMilli, 1);
      if (some && !some->empty()) claimed = *some;
      return !claimed.empty();
    });
    if (claimed.empty()) return;
    const auto request = ParseRequest(claimed[0].message);
    const Identity identity{request->customer, request->request_id, request->content_hash};
    (void)Begin(*other, claimed[0].id, "dying", identity, 1, 1, 2);
  });
  const BatchEnd end = job.Run();
  dying.join();
  CHECK(end.batch.failed == 1);
  const auto reply = FindReply(*other, "ACME", job.batch.batch_id + "-1");
  REQUIRE(reply.value_or(std::nullopt));
  CHECK(Json::parse(**reply)["error_code"] == "TIMEOUT");
  CHECK(Json::parse(**reply)["attempts"] == 1);
  CHECK(Number(*other, "SELECT COUNT(*) FROM USAGE_LOG WHERE ERROR_CODE = 'TIMEOUT' AND ATTEMPTS = 1") == 1);
  CHECK(job.Messages() == 0);
}

TEST_CASE("run: an input that changes under the batch ends it with the file's name") {
  Job job(Rows(50), 20'000, 1);
  const FakeWorker worker(job.house, [&](const Request& request, const std::string& prompt) {
    if (prompt == "p2") std::filesystem::resize_file(job.batch.input_file, 40);
    return Succeed(request, prompt);
  });
  const BatchEnd end = job.Run();
  CHECK(end.exit_code() == 1);
  CHECK(end.error.find(job.batch.input_file) != std::string::npos);
  CHECK(job.Status() == "failed");
  CHECK(job.Messages() == 0);
}

TEST_CASE("run: a database that another writer holds for a while is waited for") {
  Job job(Rows(5));
  job.database = job.house.Connect(20);
  const auto other = job.house.Connect();
  std::atomic<bool> once{false};
  const FakeWorker worker(job.house, [&](const Request& request, const std::string& prompt) {
    if (!once.exchange(true)) {
      // Longer than the batch's connection waits for a lock.
      const auto transaction = sql::Transaction::Start(*other);
      const auto until = base::MonoMicros() + 200 * base::kMicrosPerMilli;
      while (base::MonoMicros() < until) std::this_thread::yield();
    }
    return Succeed(request, prompt);
  });
  const BatchEnd end = job.Run();
  CHECK(end.error.empty());
  CHECK(end.batch.processed == 5);
  CHECK(job.Output().size() == 5);
}

}  // namespace strongroom::worker
