// bench_resolve: how many keys a second leave vaultd through its socket, each with its record durable first, against what
// the same records cost in bare SQLite.
//   floor A: two AES-256-GCM opens a release, and one fdatasync of a plain file a group of 64
//   floor B: the same audit rows, 64 a transaction, in bare SQLite (WAL, FULL), and one 300-byte pwrite+fdatasync a group
// One key, asked for over and over, is the best case of anything that remembers: --keys N asks for N in turn.
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "bench/floor.h"
#include "bench/processes.h"
#include "vault/arena.h"
#include "vault/client.h"

namespace strongroom::bench {
namespace {

constexpr int kGroup = 64;
constexpr int kRounds = 5;

asio::awaitable<void> Ask(vault::Client& client, const std::vector<std::string>& customers, Rate& rate,
                          base::Micros until, std::int64_t& attempt, int& running, asio::io_context& io) {
  while (base::MonoMicros() < until) {
    vault::ResolveRequest request;
    request.request_id = "bench-" + std::to_string(++attempt);
    request.customer = customers[static_cast<std::size_t>(attempt) % customers.size()];
    request.profile_ref = request.customer + "_DEFAULT";
    const base::Micros begun = base::MonoMicros();
    Bytes body = request.Encode();
    Result<vault::Answer> answer = co_await client.Ask(vault::Operation::kResolve, std::move(body), until + 10'000'000);
    if (!answer || !answer->secret) {
      std::fprintf(stderr, "a resolve failed: %s\n", answer ? "no key" : answer.error().Message().c_str());
      std::exit(1);
    }
    answer->secret->Wipe();
    rate.latencies_us.push_back(static_cast<double>(base::MonoMicros() - begun));
  }
  if (--running == 0) io.stop();
}

Rate Resolves(const vault::ClientOptions& options, const std::vector<std::string>& customers, int in_flight) {
  asio::io_context io(1);
  vault::Client client(io.get_executor(), options);
  Rate rate;
  static std::int64_t attempt = 0;
  int running = in_flight;
  const base::Micros begun = base::MonoMicros();
  for (int i = 0; i < in_flight; ++i) {
    asio::co_spawn(io, Ask(client, customers, rate, begun + kRoundMicros, attempt, running, io), asio::detached);
  }
  io.run();
  rate.per_second = static_cast<double>(rate.latencies_us.size()) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  client.Close();
  return rate;
}

// FloorOpens is releases a second if a release were two GCM opens and its share of an fdatasync.
double FloorOpens(const std::string& directory, int group) {
  const int fd = open((directory + "/floor.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::unique_ptr<EVP_CIPHER, void (*)(EVP_CIPHER*)> cipher(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr), EVP_CIPHER_free);
  unsigned char key[32] = {1}, nonce[12] = {2}, aad[64] = {3}, text[100] = {4}, out[128] = {};
  const std::string records(static_cast<std::size_t>(group) * 600, 'r');
  const auto decrypt = [&](int size) {
    int length = 0;
    Must(EVP_DecryptInit_ex2(context.get(), cipher.get(), key, nonce, nullptr) == 1, "init");
    Must(EVP_DecryptUpdate(context.get(), nullptr, &length, aad, sizeof aad) == 1, "aad");
    Must(EVP_DecryptUpdate(context.get(), out, &length, text, size) == 1, "update");
    EVP_CIPHER_CTX_reset(context.get());
  };
  std::int64_t done = 0;
  const base::Micros begun = base::MonoMicros();
  while (base::MonoMicros() - begun < kRoundMicros) {
    for (int i = 0; i < group; ++i) {
      decrypt(32);
      decrypt(100);
    }
    Must(write(fd, records.data(), records.size()) == static_cast<ssize_t>(records.size()), "write");
    Must(fdatasync(fd) == 0, "fdatasync");
    done += group;
  }
  close(fd);
  return static_cast<double>(done) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
}

void Compare(const vault::ClientOptions& options, const Child& vaultd, const std::vector<std::string>& customers,
             const std::string& directory, int in_flight) {
  std::vector<double> rates, opens, inserts, p50, p99, floor_p99, p99_ratio, cpu;
  for (int round = 0; round < kRounds; ++round) {
    opens.push_back(FloorOpens(directory, in_flight));
    const Rate floor = FloorSqlite(directory, in_flight);
    inserts.push_back(floor.per_second);
    floor_p99.push_back(Percentile(floor.latencies_us, 0.99));
    const std::int64_t cpu_before = vaultd.CpuMicros();
    const Rate rate = Resolves(options, customers, in_flight);
    cpu.push_back(static_cast<double>(vaultd.CpuMicros() - cpu_before) / static_cast<double>(rate.latencies_us.size()));
    rates.push_back(rate.per_second);
    p50.push_back(Percentile(rate.latencies_us, 0.5));
    p99.push_back(Percentile(rate.latencies_us, 0.99));
    p99_ratio.push_back(p99.back() / floor_p99.back());
  }
  std::vector<double> to_opens, to_inserts;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    to_opens.push_back(rates[i] / opens[i]);
    to_inserts.push_back(rates[i] / inserts[i]);
  }
  std::printf("%3d in flight: %8.0f resolves/s (p50 %.0f us, p99 %.0f us, vaultd's CPU %.1f us each); opens+fdatasync %8.0f/s, ratio %.2f; "
              "bare SQLite+anchor %8.0f/s, ratio %.2f, p99 of a transaction %.0f us, ratio %.2f\n",
              in_flight, Median(rates), Median(p50), Median(p99), Median(cpu), Median(opens), Median(to_opens), Median(inserts),
              Median(to_inserts), Median(floor_p99), Median(p99_ratio));
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  using namespace strongroom;
  const int keys = argc == 3 && std::string_view(argv[1]) == "--keys" ? std::atoi(argv[2]) : 1;
  if (keys < 1 || keys > 9999 || (argc != 1 && argc != 3)) {
    std::fprintf(stderr, "usage: bench_resolve [--keys N], N from 1 to 9999\n");
    return 2;
  }
  const bench::TemporaryHome home;
  if (!vault::Arena::Open()) return 1;
  bench::RunOrExit({bench::Program("keytool"), "init", "--home", home.vault()});
  bench::Child vaultd({bench::Program("vaultd"), "--home", home.vault()}, home.root() + "/vaultd.log");
  bench::WaitForLine(home.root() + "/vaultd.log", "vaultd_start");
  std::vector<std::string> customers;
  for (int i = 0; i < keys; ++i) {
    customers.push_back("ACME" + (i == 0 ? std::string() : std::to_string(i)));
    bench::Onboard(home, "https://127.0.0.1:9", customers.back());
  }
  const auto config = base::LoadConfig(home.vault());
  const Result<vault::ClientOptions> options = vault::ClientOptionsFrom(*config);
  std::printf("medians of %d rounds of %.1f s over %d keys, each beside its floors\n", bench::kRounds, bench::kRoundMicros / 1e6, keys);
  bench::Compare(*options, vaultd, customers, home.root(), 1);
  bench::Compare(*options, vaultd, customers, home.root(), bench::kGroup);
  return 0;
}
