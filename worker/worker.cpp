#include "worker/worker.h"

#include <malloc.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/process.h"
#include "vault/arena.h"
#include "vault/digest.h"
#include "worker/exchange.h"
#include "worker/splice.h"

namespace strongroom::worker {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMostClaim = 64;                // messages a claim
constexpr auto kPollEvery = milliseconds(5);           // how soon a commit of another process is noticed
constexpr auto kExpiredEvery = milliseconds(500);      // how often expired leases are looked for
constexpr auto kDatabasePause = milliseconds(500);     // after a claim that failed
constexpr base::Micros kUnholdPatience = 60 * base::kMicrosPerSecond;
constexpr auto kDrainLimit = std::chrono::seconds(60); // INTERFACES §5

// Loop is the worker's one thread: everything below runs on its io_context.
class Loop {
 public:
  // `live` is what the tools read; SIGHUP replaces in it what can change while calls are under way.
  Loop(asio::io_context& io, Tools tools, base::Config& live, std::int64_t in_flight)
      : io_(io),
        tools_(std::move(tools)),
        live_(live),
        most_(in_flight),
        changed_(io),
        signals_(io, SIGTERM, SIGINT, SIGHUP) {}

  void Start() {
    tools_.profiles.OnForget([this] { UnholdSoon(); });
    UnholdSoon();
    asio::co_spawn(io_, ClaimLoop(), asio::detached);
    asio::co_spawn(io_, RenewLoop(), asio::detached);
    asio::co_spawn(io_, SignalLoop(), asio::detached);
  }

 private:
  asio::awaitable<void> ClaimLoop();
  asio::awaitable<void> RenewLoop();
  asio::awaitable<void> SignalLoop();
  asio::awaitable<void> Serve(Claimed claimed);
  asio::awaitable<void> Wait(std::chrono::steady_clock::duration most);
  asio::awaitable<void> Drain();
  void UnholdSoon();
  asio::awaitable<void> UnholdLoop();
  asio::awaitable<bool> WorkMayWait(bool expired_due);
  void Reload();
  bool Full() const { return running_ >= most_; }
  bool Recycled() const {
    const std::int64_t after = tools_.config.worker.recycle_after;
    return after > 0 && started_ >= after;
  }

  asio::io_context& io_;
  Tools tools_;
  base::Config& live_;
  std::int64_t most_;
  std::int64_t running_ = 0, started_ = 0, served_ = 0;
  std::set<std::int64_t> serving_;  // the ids of the messages under way
  bool stopping_ = false;
  bool done_ = false;
  bool unhold_due_ = false, unholding_ = false;
  bool look_again_ = false;  // this process has put messages back
  asio::steady_timer changed_;  // cancelled whenever an exchange ends or a signal comes
  asio::signal_set signals_;
};

// Wait ends when something has changed, or after `most`.
asio::awaitable<void> Loop::Wait(std::chrono::steady_clock::duration most) {
  changed_.expires_after(most);
  asio::error_code ignored;
  co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> Loop::Serve(Claimed claimed) {
  const std::int64_t id = claimed.id;
  auto exchange = std::make_unique<Exchange>(tools_, std::move(claimed));
  co_await exchange->Run();
  serving_.erase(id);
  --running_;
  ++served_;
  changed_.cancel();
}

asio::awaitable<bool> Loop::WorkMayWait(bool expired_due) {
  if (expired_due) co_return true;
  const Result<bool> changed = co_await tools_.store.Changed();
  co_return !changed || *changed;
}

asio::awaitable<void> Loop::ClaimLoop() {
  auto expired_at = std::chrono::steady_clock::now();
  bool look = true;  // a full claim is followed by another without asking whether anything changed
  while (!stopping_ && !Recycled()) {
    if (Full()) {
      co_await Wait(std::chrono::hours(1));
      continue;
    }
    const bool expired_due = std::chrono::steady_clock::now() >= expired_at;
    const bool go = look || std::exchange(look_again_, false) || co_await WorkMayWait(expired_due);
    if (!go) {
      co_await Wait(kPollEvery);
      continue;
    }
    const std::int64_t wanted = std::min(most_ - running_, kMostClaim);
    Result<std::vector<Claimed>> claimed = co_await tools_.store.Claim(wanted, expired_due);
    if (expired_due) expired_at = std::chrono::steady_clock::now() + kExpiredEvery;
    if (!claimed) {
      base::LogError("claim_failed", claimed.error());
      co_await Wait(kDatabasePause);
      continue;
    }
    look = static_cast<std::int64_t>(claimed->size()) == wanted;
    for (Claimed& one : *claimed) {
      // After a stall longer than the lease a worker may claim what it is still serving: that claim only renews it.
      if (!serving_.insert(one.id).second) continue;
      ++running_;
      ++started_;
      asio::co_spawn(io_, Serve(std::move(one)), asio::detached);
    }
  }
  co_await Drain();
}

asio::awaitable<void> Loop::Drain() {
  const auto limit = std::chrono::steady_clock::now() + kDrainLimit;
  while (running_ > 0 && std::chrono::steady_clock::now() < limit) co_await Wait(milliseconds(100));
  done_ = true;
  base::Log(base::Level::kInfo, "worker_stop",
            {{"served", served_},
             {"abandoned", running_},
             {"new_connections", tools_.transport.counts().new_connections}});
  io_.stop();
}

asio::awaitable<void> Loop::RenewLoop() {
  asio::steady_timer timer(io_);
  while (!done_) {
    timer.expires_after(milliseconds(tools_.config.worker.lease_ms / 3));
    co_await timer.async_wait(asio::use_awaitable);
    tools_.transport.Rest();
    // What a burst has used goes back to the system: malloc keeps it otherwise, and each larger one adds to it.
    malloc_trim(0);
    if (running_ == 0) continue;
    const Result<std::int64_t> renewed = co_await tools_.store.RenewLeases();
    if (!renewed) base::LogError("renew_failed", renewed.error());
  }
}

// UnholdSoon has the messages that wait for a key looked at again: the vault's epoch has moved, and theirs may go on.
void Loop::UnholdSoon() {
  unhold_due_ = true;
  if (!std::exchange(unholding_, true)) asio::co_spawn(io_, UnholdLoop(), asio::detached);
}

asio::awaitable<void> Loop::UnholdLoop() {
  while (unhold_due_ && !stopping_) {
    // Without vaultd nothing goes on, and what is claimed has a deadline.
    const Result<void> there = co_await tools_.client.Connected(base::MonoMicros() + kUnholdPatience);
    if (!there && there.error().code() == Code::kDeadlineExceeded) continue;
    if (!there) break;
    unhold_due_ = false;
    const Result<std::int64_t> unheld = co_await tools_.store.Unhold();
    if (!unheld) base::LogError("unhold_failed", unheld.error());
    if (unheld && *unheld > 0) base::Log(base::Level::kInfo, "requests_unheld", {{"count", *unheld}});
    look_again_ = true;
    changed_.cancel();
  }
  unholding_ = false;
}

// A file with a mistake in it leaves the worker as it was. Where databases, sockets and logs are counts from the next start.
void Loop::Reload() {
  tools_.profiles.Forget();
  const auto fresh = base::LoadConfig(live_.home);
  if (!fresh) {
    base::Log(base::Level::kError, "configuration_kept", {{"why", fresh.error().text}});
    return;
  }
  // A number of calls that the command line gave stays.
  if (most_ == live_.worker.in_flight) most_ = fresh->worker.in_flight;
  live_.worker.in_flight = fresh->worker.in_flight;
  live_.worker.timeout_ms = fresh->worker.timeout_ms;
  live_.worker.max_attempts = fresh->worker.max_attempts;
  live_.worker.recycle_after = fresh->worker.recycle_after;
  base::Log(base::Level::kInfo, "configuration_loaded");
  changed_.cancel();
}

asio::awaitable<void> Loop::SignalLoop() {
  while (true) {
    const int signal = co_await signals_.async_wait(asio::use_awaitable);
    if (signal == SIGHUP) {
      Reload();
      continue;
    }
    base::Log(base::Level::kInfo, "worker_draining", {{"in_flight", running_}});
    stopping_ = true;
    changed_.cancel();
  }
}

int Refuse(const std::string& what, const Error& error) {
  std::fprintf(stderr, "worker: %s: %s\n", what.c_str(), error.Message().c_str());
  return 1;
}

// The worker's name in leases is new at each start: a lease of an earlier life is nobody's.
std::string OwnerName() {
  const std::string facts = std::to_string(base::MonoMicros()) + "/" + std::to_string(base::PidStart(getpid()));
  const std::string boot = base::Hex(vault::Sha256(base::AsBytes(facts))).substr(0, 8);
  return base::HostName().substr(0, 50) + ":" + std::to_string(getpid()) + ":" + boot;
}

sql::OpenOptions WorkOptions() {
  sql::OpenOptions options;
  options.mode = 0660;
  options.checkpoint_elsewhere = true;
  return options;
}

Result<std::unique_ptr<sql::Database>> OpenWork(const base::Config& config) {
  TRY_ASSIGN(std::unique_ptr<sql::Database> database, sql::Open(config.database, WorkOptions()));
  TRY(sql::CheckSchema(*database, sql::Schema::kWork));
  return database;
}

}  // namespace

int RunWorker(const base::Config& config, std::int64_t in_flight) {
  if (Result<void> live = Splice::SelfTest(); !live) return Refuse("late splice self-test", live.error());
  Result<std::unique_ptr<sql::Database>> database = OpenWork(config);
  if (!database) return Refuse(config.database, database.error());
  Result<std::unique_ptr<sql::Database>> checkpointer = OpenWork(config);
  if (!checkpointer) return Refuse(config.database, checkpointer.error());
  Result<vault::ClientOptions> options = vault::ClientOptionsFrom(config);
  if (!options) return Refuse("vault.user in strongroom.toml", options.error());

  asio::io_context io(1);
  TransportOptions transport_options;
  transport_options.ca_file = config.provider.ca_file;
  transport_options.connections = static_cast<std::size_t>(in_flight);
  if (Result<void> usable = CheckTransport(transport_options); !usable) {
    return Refuse("provider.ca_file " + config.provider.ca_file, usable.error());
  }
  Transport transport(io.get_executor(), transport_options);
  vault::Client client(io.get_executor(), *options);
  ProfileCache profiles(client);
  KeyWatch watch(io.get_executor(), client, transport);
  QuotaWatch quota(io.get_executor(), client);
  const QueueName inbound{config.worker.inbound_library, config.worker.inbound_queue};
  WorkStore store(std::move(*database), std::move(*checkpointer), io.get_executor(), inbound, OwnerName(),
                  config.worker.lease_ms * base::kMicrosPerMilli);
  base::Log(base::Level::kInfo, "worker_start",
            {{"worker", store.owner()},
             {"queue", inbound.library + "/" + inbound.name},
             {"in_flight", in_flight},
             {"protection", vault::ProtectionName(vault::Arena::Process().protection())}});
  base::Config live = config;
  Loop loop(io, Tools{store, client, profiles, transport, watch, quota, live, {}}, live, in_flight);
  loop.Start();
  io.run();
  client.Close();
  return 0;
}

}  // namespace strongroom::worker
