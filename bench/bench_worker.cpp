// bench_worker: CPU a call and calls a second of a whole worker (queue, vault, audit, HTTPS, late splice, settle), against a
// bare libcurl-multi loop that sends the same bodies to the same provider-sim in the same run.
//   bench_worker [CALLS]        default 20,000 a round
//   bench_worker --memory       the worker's resident size after 30,000 and after 300,000 requests, 256 in flight
//   bench_worker --custody [CALLS]   CPU a call with and without what keeps keys out of the worker's memory
#include <curl/curl.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "bench/processes.h"
#include "sql/database.h"
#include "worker/contract.h"
#include "worker/queue/queue.h"

namespace strongroom::bench {
namespace {

constexpr int kInFlight = 64;
constexpr int kRounds = 3;
constexpr const char* kPrompt =
    "Purchase order exception check. Vendor: Lindqvist Tools. Item: 20 A circuit breakers. Suggested order: 120 units at "
    "58.86 USD. Average weekly demand over 52 weeks: 23. On hand: 24. Lead time: 7 days. The suggested quantity is above "
    "the usual order by 60 percent. Should a buyer look at it before it is sent? Row ";

struct Cost {
  double micros_a_call = 0;
  double calls_a_second = 0;
  long connects = 0;
};

std::size_t Discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

std::int64_t OwnCpuMicros() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1'000'000 + use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

// Bare is the loop that a program without a vault, a queue or a trail would have: keys in a header list, no records.
class Bare {
 public:
  Bare(const std::string& endpoint, const std::string& ca, const std::string& key)
      : url_(endpoint + "/v1/messages"), ca_(ca), multi_(curl_multi_init()) {
    for (const std::string& line : {"x-api-key: " + key, std::string("anthropic-version: 2023-06-01"),
                                    std::string("content-type: application/json"), std::string("Expect:")}) {
      headers_ = curl_slist_append(headers_, line.c_str());
    }
    for (int i = 0; i < kInFlight; ++i) easy_.push_back(Make());
    bodies_.resize(easy_.size());
  }
  ~Bare() {
    for (CURL* easy : easy_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  Cost Run(int calls) {
    Cost cost;
    started_ = 0;
    const std::int64_t cpu = OwnCpuMicros();
    const base::Micros begun = base::MonoMicros();
    for (std::size_t i = 0; i < easy_.size() && started_ < calls; ++i) Begin(i);
    int done = 0, running = 0;
    while (done < calls) {
      curl_multi_perform(multi_, &running);
      done += Collect(calls, cost.connects);
      if (done < calls) curl_multi_poll(multi_, nullptr, 0, 100, nullptr);
    }
    cost.micros_a_call = static_cast<double>(OwnCpuMicros() - cpu) / calls;
    cost.calls_a_second = calls * 1e6 / static_cast<double>(base::MonoMicros() - begun);
    return cost;
  }

 private:
  CURL* Make() {
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Discard);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    return easy;
  }
  void Begin(std::size_t i) {
    bodies_[i] = "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":128,\"messages\":[{\"role\":\"user\",\"content\":\"" +
                 std::string(kPrompt) + std::to_string(started_++) + "\"}]}";
    curl_easy_setopt(easy_[i], CURLOPT_POSTFIELDS, bodies_[i].c_str());
    curl_easy_setopt(easy_[i], CURLOPT_POSTFIELDSIZE, static_cast<long>(bodies_[i].size()));
    curl_easy_setopt(easy_[i], CURLOPT_PRIVATE, &bodies_[i]);
    curl_multi_add_handle(multi_, easy_[i]);
  }
  int Collect(int calls, long& connects) {
    int done = 0, left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      long status = 0, fresh = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(message->easy_handle, CURLINFO_NUM_CONNECTS, &fresh);
      if (status != 200) {
        std::fprintf(stderr, "the bare loop got status %ld (%s)\n", status, curl_easy_strerror(message->data.result));
        std::exit(1);
      }
      connects += fresh;
      ++done;
      std::string* body = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &body);
      curl_multi_remove_handle(multi_, message->easy_handle);
      if (started_ < calls) Begin(static_cast<std::size_t>(body - bodies_.data()));
    }
    return done;
  }

  std::string url_, ca_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::vector<CURL*> easy_;
  std::vector<std::string> bodies_;
  int started_ = 0;
};

std::unique_ptr<sql::Database> OpenWork(const TemporaryHome& home) {
  auto config = base::LoadConfig(home.vault());
  auto database = sql::Open(config->database, sql::OpenOptions{});
  if (!database) {
    std::fprintf(stderr, "work database: %s\n", database.error().Message().c_str());
    std::exit(1);
  }
  return std::move(*database);
}

std::int64_t CountRows(sql::Database& database, sql::Sql text) {
  auto row = database.QueryOne(text);
  const std::int64_t count = row && *row != nullptr ? (*row)->Int64(0) : -1;
  if (row && *row != nullptr) (*row)->Reset();
  return count;
}

// Enqueue puts `calls` requests on the queue, in transactions of 500.
void Enqueue(sql::Database& database, int calls, int round) {
  worker::Request request;
  request.version = "1.0";
  request.customer = "ACME";
  request.profile_ref = "ACME_DEFAULT";
  request.reply_queue = {"BENCH", "REPLIES"};
  request.max_tokens = 128;
  request.timeout_ms = 600'000;
  for (int i = 0; i < calls;) {
    auto transaction = sql::Transaction::Start(database);
    for (int k = 0; k < 500 && i < calls; ++k, ++i) {
      request.request_id = "r" + std::to_string(round) + "-" + std::to_string(i);
      request.prompt = kPrompt + std::to_string(i);
      if (!worker::Submit(database, {"K3SAI", "AIOUTQ"}, worker::SerializeRequest(request))) std::exit(1);
    }
    if (!transaction->Commit()) std::exit(1);
  }
}

Cost RunWorker(const TemporaryHome& home, sql::Database& database, Child& worker, int calls, int round) {
  const std::int64_t before = CountRows(database, "SELECT COUNT(*) FROM REPLY_MESSAGE");
  Enqueue(database, calls, round);
  const std::int64_t cpu = worker.CpuMicros();
  const base::Micros begun = base::MonoMicros();
  while (CountRows(database, "SELECT COUNT(*) FROM QUEUE_MESSAGE") > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (base::MonoMicros() - begun > 600 * base::kMicrosPerSecond) {
      std::fprintf(stderr, "the worker did not finish; see %s\n", home.root().c_str());
      std::exit(1);
    }
  }
  Cost cost;
  cost.micros_a_call = static_cast<double>(worker.CpuMicros() - cpu) / calls;
  cost.calls_a_second = calls * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  if (CountRows(database, "SELECT COUNT(*) FROM REPLY_MESSAGE") != before + calls ||
      CountRows(database, "SELECT COUNT(*) FROM USAGE_LOG WHERE STATUS <> 'success'") != 0) {
    std::fprintf(stderr, "not every request succeeded\n");
    std::exit(1);
  }
  return cost;
}

// What is still in memory once the worker has nothing in flight: it closes its connections after 50 s without a call, and
// gives back what it has freed with each renewal of its leases (5 s). Before that it holds as many connections as were in
// flight at once, which is chance.
std::int64_t SettledBytes(const Child& worker) {
  std::this_thread::sleep_for(std::chrono::seconds(60));
  return worker.ResidentBytes();
}

// Memory sends 300,000 requests in rounds of 30,000, 256 in flight. It compares what is held after the first round with
// what is held after the last; the size at each round's end has the last answers' buffers in it as well.
void Memory(const TemporaryHome& home, sql::Database& database, Child& worker) {
  constexpr int kRound = 30'000;
  std::int64_t first = 0, last = 0;
  for (int round = 1; round <= 10; ++round) {
    const Cost cost = RunWorker(home, database, worker, kRound, round);
    std::printf("%7d requests: resident %.1f MB (%.0f calls/s)\n", round * kRound,
                static_cast<double>(worker.ResidentBytes()) / 1e6, cost.calls_a_second);
    std::fflush(stdout);
    if (round == 1) first = SettledBytes(worker);
  }
  last = SettledBytes(worker);
  std::printf("held after 30,000: %.1f MB; after 300,000: %.1f MB\n", static_cast<double>(first) / 1e6,
              static_cast<double>(last) / 1e6);
  std::printf("growth from 30,000 to 300,000 requests: %.1f%%\n",
              100.0 * static_cast<double>(last - first) / static_cast<double>(first));
}

// StartWorker starts the worker, or another program in its place; AwaitWorker waits until it claims.
Child StartWorker(const TemporaryHome& home, const std::string& program, int in_flight) {
  const std::string log = home.root() + "/worker.log";
  std::remove(log.c_str());
  return Child({Program(program), "--home", home.vault(), "--in-flight", std::to_string(in_flight)}, log);
}
void AwaitWorker(const TemporaryHome& home) { WaitForLine(home.root() + "/worker.log", "worker_start"); }

// Custody runs the worker and bench_worker_plain in turn: the same program without what keeps keys out of its memory.
int Custody(const TemporaryHome& home, sql::Database& database, int calls) {
  std::vector<double> with, without, ratios;
  int round = 0;
  const auto run = [&](const char* program) {
    Child worker = StartWorker(home, program, kInFlight);
    AwaitWorker(home);
    RunWorker(home, database, worker, 2000, ++round);
    const Cost cost = RunWorker(home, database, worker, calls, ++round);
    worker.Stop();
    return cost.micros_a_call;
  };
  for (int pair = 1; pair <= 2 * kRounds + 1; ++pair) {
    with.push_back(run("worker"));
    without.push_back(run("bench_worker_plain"));
    ratios.push_back(with.back() / without.back());
    std::printf("pair %d: worker %.1f us CPU a call, without custody measures %.1f us\n", pair, with.back(), without.back());
    std::fflush(stdout);
  }
  std::printf("medians: worker %.1f us, without %.1f us CPU a call: %+.1f%%\n", Median(with), Median(without),
              100.0 * (Median(ratios) - 1.0));
  return 0;
}

enum class Mode { kCost, kMemory, kCustody };

int Run(int calls, Mode mode) {
  const bool memory = mode == Mode::kMemory;
  const TemporaryHome home;
  const std::string key_file = WriteKey(home);
  const Child sim({Program("provider-sim"), "--port", "0", "--tls-dir", home.root() + "/tls", "--valid-key-file", key_file},
                  home.root() + "/sim.log");
  const std::string endpoint = "https://" + WaitForLine(home.root() + "/sim.log", "listening on https://");
  RunOrExit({Program("keytool"), "init", "--home", home.vault()});
  RunOrExit({"/usr/bin/sed", "-i", "s|^ca_file = \"\"|ca_file = \"" + home.root() + "/tls/ca.pem\"|",
             home.vault() + "/strongroom.toml"});
  const Child vaultd({Program("vaultd"), "--home", home.vault()}, home.root() + "/vaultd.log");
  WaitForLine(home.root() + "/vaultd.log", "vaultd_start");
  Onboard(home, endpoint);
  const std::unique_ptr<sql::Database> database = OpenWork(home);
  if (mode == Mode::kCustody) return Custody(home, *database, calls);
  Child worker = StartWorker(home, "worker", memory ? 256 : kInFlight);
  AwaitWorker(home);

  curl_global_init(CURL_GLOBAL_DEFAULT);
  std::string key = "sk-ant-bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  Bare bare(endpoint, home.root() + "/tls/ca.pem", key);
  if (memory) {
    Memory(home, *database, worker);
    return 0;
  }
  bare.Run(2000);
  RunWorker(home, *database, worker, 2000, 0);
  std::vector<double> bare_cpu, worker_cpu, ratios, bare_rate, worker_rate;
  long connects = 0;
  for (int round = 1; round <= kRounds; ++round) {
    const Cost floor = bare.Run(calls);
    const std::int64_t vault_cpu = vaultd.CpuMicros();
    const Cost ours = RunWorker(home, *database, worker, calls, round);
    connects = std::max(connects, floor.connects);
    std::printf("round %d: bare %.1f us CPU a call, %.0f calls/s; worker %.1f us, %.0f calls/s; vaultd %.1f us; resident %.1f MB\n",
                round, floor.micros_a_call, floor.calls_a_second, ours.micros_a_call, ours.calls_a_second,
                static_cast<double>(vaultd.CpuMicros() - vault_cpu) / calls,
                static_cast<double>(worker.ResidentBytes()) / 1e6);
    bare_cpu.push_back(floor.micros_a_call);
    worker_cpu.push_back(ours.micros_a_call);
    ratios.push_back(ours.micros_a_call / floor.micros_a_call);
    bare_rate.push_back(floor.calls_a_second);
    worker_rate.push_back(ours.calls_a_second);
  }
  worker.Stop();
  const std::string stop = WaitForLine(home.root() + "/worker.log", "\"new_connections\":");
  std::printf("medians: bare %.1f us, worker %.1f us CPU a call: ratio %.2f; calls/s %.0f against %.0f; new connections: "
              "worker %s in all, bare %ld after warming up; in flight %d\n",
              Median(bare_cpu), Median(worker_cpu), Median(ratios), Median(worker_rate), Median(bare_rate),
              stop.substr(0, stop.find_first_not_of("0123456789")).c_str(), connects, kInFlight);
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  using strongroom::bench::Mode;
  const std::string mode = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
  const char* const calls = mode.empty() ? (argc > 1 ? argv[1] : "20000") : (argc > 2 ? argv[2] : "20000");
  if (std::atoi(calls) < 1 || (!mode.empty() && mode != "--memory" && mode != "--custody")) {
    std::fprintf(stderr, "usage: bench_worker [--memory | --custody] [CALLS]\n");
    return 2;
  }
  return strongroom::bench::Run(std::atoi(calls), mode.empty() ? Mode::kCost : mode == "--memory" ? Mode::kMemory : Mode::kCustody);
}
