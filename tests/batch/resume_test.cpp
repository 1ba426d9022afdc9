// What a batch finds when it runs again.
#include <csignal>
#include <map>

#include "tests/batch/job.h"

namespace strongroom::worker {

TEST_CASE("run: a row that a worker answered as broken stands in the output, also when it is resumed") {
  Job job(Rows(2));
  const auto other = job.house.Connect();
  std::thread worker([&] {
    int settled = 0;
    Eventually([&] {
      const auto claimed = ClaimWaiting(*other, kInbound, "other", 1, base::WallMicros() + kLease, 1);
      if (!claimed || claimed->empty()) return false;
      const auto request = ParseRequest(claimed->front().message);
      Settlement settlement;
      settlement.id = claimed->front().id;
      settlement.owner = "other";
      settlement.reply_to = request->reply_queue;
      settlement.reply = FailWith(*request, ErrorCode::kInvalidRequest);
      settlement.customer = request->customer;  // and no identity: a reply without CONTENT_HASH
      settlement.request_id = request->request_id;
      if (Settle(*other, settlement, 1, "other", 1)) ++settled;
      return settled == 2;
    });
  });
  const BatchEnd end = job.Run();
  worker.join();
  CHECK(end.error.empty());
  CHECK(end.batch.failed == 2);
  CHECK(job.Status() == "complete");
  const auto before = job.Output();
  REQUIRE(before.size() == 2);
  CHECK(before[1].at("error_code") == "INVALID_REQUEST");
  std::filesystem::remove(job.batch.output_file);
  const BatchEnd again = job.Run();
  CHECK(again.error.empty());
  CHECK(again.batch.failed == 2);
  CHECK(job.Output() == before);
  CHECK(job.Messages() == 0);
}

TEST_CASE("run: interrupted, it takes back what nobody claimed, and resumed it sends only what has no reply") {
  Job job(Rows(20), 20'000, 4);
  std::map<std::string, int> calls;  // the worker's thread's own until it has ended
  {
    const FakeWorker worker(job.house, [&](const Request& request, const std::string& prompt) -> std::optional<std::string> {
      ++calls[request.request_id];
      if (calls.size() == 10) std::raise(SIGINT);
      return calls.size() <= 10 ? std::optional(Succeed(request, prompt)) : std::nullopt;
    });
    const BatchEnd end = job.Run();
    CHECK(end.interrupted);
    CHECK(end.exit_code() == 1);
    CHECK(end.error.empty());
    CHECK(job.Status() == "failed");
    CHECK(end.batch.notes.find("batch resume " + job.batch.batch_id) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(job.batch.output_file));
  }
  CHECK(Number(*job.database, "SELECT COUNT(*) FROM QUEUE_MESSAGE WHERE LEASE_OWNER IS NULL") == 0);
  const std::int64_t answered = Number(*job.database, "SELECT COUNT(*) FROM REPLY_MESSAGE");
  CHECK(answered >= 9);
  // What the worker left claimed was under way when it died: another one finds that out by the lease.
  REQUIRE(job.database->Execute("DELETE FROM QUEUE_MESSAGE"));
  {
    const FakeWorker worker(job.house, Succeed);
    const BatchEnd end = job.Run();
    CHECK(end.exit_code() == 0);
    CHECK(end.batch.processed == 20);
    CHECK(worker.served() == 20 - answered);
  }
  CHECK(job.Status() == "complete");
  CHECK(job.Output().size() == 20);
  for (const auto& [id, count] : calls) CHECK(count == 1);
}

TEST_CASE("run: a batch that is complete sends nothing when it is resumed, and writes the same output") {
  Job job(Rows(5));
  {
    const FakeWorker worker(job.house, Succeed);
    CHECK(job.Run().exit_code() == 0);
  }
  const auto before = job.Output();
  std::filesystem::remove(job.batch.output_file);
  const BatchEnd end = job.Run();
  CHECK(end.exit_code() == 0);
  CHECK(end.batch.processed == 5);
  CHECK(job.Output() == before);
  CHECK(job.Messages() == 0);
}

TEST_CASE("run: an output that cannot be written fails the run, loses no reply, and resume writes it") {
  Job job(Rows(3));
  const FakeWorker worker(job.house, Succeed);
  std::filesystem::create_directory(job.batch.output_file);
  std::ofstream(job.batch.output_file + "/in-the-way");
  const BatchEnd end = job.Run();
  CHECK(end.exit_code() == 1);
  CHECK_FALSE(end.interrupted);
  CHECK_FALSE(end.error.empty());
  CHECK(job.Status() == "failed");
  std::filesystem::remove_all(job.batch.output_file);
  CHECK(job.Run().exit_code() == 0);
  CHECK(job.Output().size() == 3);
  CHECK(worker.served() == 3);
}

}  // namespace strongroom::worker
