// A batch in a house of its own, and a worker that answers as the test says.
#pragma once

#include "tests/worker/work_house.h"
#include "worker/batch/run.h"
#include "worker/contract.h"

#include <atomic>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

namespace strongroom::worker {

using Json = nlohmann::ordered_json;
inline constexpr base::Micros kLease = 60 * base::kMicrosPerSecond;

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

inline std::string Succeed(const Request& request, const std::string& prompt) {
  Success success;
  success.response = "answer to " + prompt.substr(0, 40);
  success.model_used = "m";
  success.finish_reason = "end_turn";
  return SuccessReply(request.request_id, request.metadata, success);
}

inline std::string FailWith(const Request& request, ErrorCode code) {
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

inline std::string Rows(int count) {
  std::string rows;
  for (int i = 1; i <= count; ++i) rows += R"({"id":)" + std::to_string(i) + R"(,"prompt":"p)" + std::to_string(i) + "\"}\n";
  return rows;
}

}  // namespace strongroom::worker
