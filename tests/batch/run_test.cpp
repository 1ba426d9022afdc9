#include "worker/batch/run.h"

#include <csignal>

#include "tests/worker/work_house.h"
#include "worker/contract.h"

#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

namespace strongroom::worker {
namespace {

using Json = nlohmann::ordered_json;
constexpr base::Micros kLease = 60 * base::kMicrosPerSecond;

// FakeWorker claims and settles as a worker does, and asks the test what to answer.
class FakeWorker {
 public:
  // The answer to a request and its prompt; nullopt leaves the message claimed for good.
  using Answer = std::function<std::optional<std::string>(const Request& request, const std::string& prompt)>;

  FakeWorker(const WorkHouse& house, Answer answer) : database_(house.Connect()), answer_(std::move(answer)) {
    thread_ = std::thread([this] {
      while (!stopping_) {
        if (!Serve()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  ~FakeWorker() {
    stopping_ = true;
    thread_.join();
  }
  int served() const { return served_; }
  int most_held() const { return most_held_; }

 private:
  bool Serve() {
    const base::Micros now = base::WallMicros();
    const auto claimed = ClaimWaiting(*database_, kInbound, "fake", now, now + kLease, 100);
    if (!claimed || claimed->empty()) return false;
    most_held_ = std::max(most_held_.load(), static_cast<int>(claimed->size()));
    for (const Claimed& one : *claimed) End(one);
    return true;
  }
  void End(const Claimed& one) {
    const auto request = ParseRequest(one.message);
    if (!request) return;
    const Identity identity{request->customer, request->request_id, request->content_hash};
    const auto begun = Begin(*database_, one.id, "fake", identity, 1, 1, 2);
    if (!begun || *begun != Admission::kBegun) return;
    std::string prompt = request->prompt.value_or("");
    if (request->prompt_ref) prompt = LoadText(*database_, *request->prompt_ref, request->customer).value_or("(lost)");
    const auto reply = answer_(*request, prompt);
    if (!reply) return;
    Settlement settlement;
    settlement.id = one.id;
    settlement.owner = "fake";
    settlement.reply_to = request->reply_queue;
    settlement.reply = *reply;
    settlement.identity = identity;
    const auto view = ParseReply(*reply);
    if (view && view->response_ref) {
      settlement.response_text = StoredText{*view->response_ref, request->customer, "long answer to " + prompt};
    }
    auto transaction = sql::Transaction::Start(*database_);
    if (transaction && Settle(*database_, settlement, 1, "fake", 1) && transaction->Commit()) ++served_;
  }

  std::unique_ptr<sql::Database> database_;
  Answer answer_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> served_{0}, most_held_{0};
  std::thread thread_;
};

std::string Succeed(const Request& request, const std::string& prompt) {
  Success success;
  success.response = "answer to " + prompt.substr(0, 40);
  success.model_used = "m";
  success.finish_reason = "end_turn";
  return SuccessReply(request.request_id, request.metadata, success);
}

std::string FailWith(const Request& request, ErrorCode code) {
  Failure failure;
  failure.code = code;
  failure.message = "so the test wants it";
  failure.attempts = 5;
  return FailureReply(request.request_id, request.metadata, failure);
}

// Job is one batch in a house of its own.
struct Job {
  explicit Job(const std::string& rows, std::int64_t timeout_ms = 20'000, std::int64_t in_flight = 64) {
    std::ofstream(house.Path("rows.jsonl"), std::ios::binary) << rows;
    batch.batch_id = NewBatchId(base::WallMicros());
    batch.status = "queued";
    batch.customer = "ACME";
    batch.profile_ref = "ACME_DEFAULT";
    batch.input_file = house.Path("rows.jsonl");
    batch.output_file = house.Path("out.jsonl");
    batch.initiated_at = base::WallMicros();
    batch.in_flight = in_flight;
    batch.timeout_ms = timeout_ms;
    REQUIRE(InsertBatch(*database, batch));
  }
  BatchEnd Run() {
    auto input = Input::Open(batch.input_file);
    REQUIRE(input);
    return RunBatch(*database, base::Config{}, FindBatch(*database, batch.batch_id).value(), *input);
  }
  std::vector<Json> Output() const {
    std::ifstream file(batch.output_file, std::ios::binary);
    std::vector<Json> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  std::int64_t Messages() { return Number(*database, "SELECT COUNT(*) FROM QUEUE_MESSAGE"); }
  std::string Status() { return FindBatch(*database, batch.batch_id)->status; }

  WorkHouse house;
  std::unique_ptr<sql::Database> database = house.Connect();
  BatchRecord batch;
};

std::string Rows(int count) {
  std::string rows;
  for (int i = 1; i <= count; ++i) rows += R"({"id":)" + std::to_string(i) + R"(,"prompt":"p)" + std::to_string(i) + "\"}\n";
  return rows;
}

}  // namespace

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
