// bench_rewrap: how fast a KEK rotation rewraps keys while vaultd serves, against the bare SQL UPDATE of the same rows, and
// what resolves feel of it.
//   bench_rewrap [KEYS [DATABASE]]    default 100,000 in vault.db; DATABASE is an empty PostgreSQL database (odbc:Driver=...)
//   floor: on a copy of the rows, the columns that a rewrap writes, 512 rows a transaction (SQLite: WAL, FULL), no cryptography
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/config.h"
#include "bench/processes.h"
#include "sql/database.h"
#include "vault/arena.h"
#include "vault/client.h"
#include "vault/envelope.h"
#include "vault/kek_file.h"
#include "vault/store.h"

namespace strongroom::bench {
namespace {

constexpr int kGroup = 512;
constexpr int kInFlight = 8;
constexpr base::Micros kBefore = 3 * base::kMicrosPerSecond;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "bench_rewrap: %s failed\n", what);
  std::exit(1);
}

template <typename T>
T Must(Result<T> result, const char* what) {
  if (!result) Die(what);
  return std::move(*result);
}

std::string RefOf(int i) {
  char customer[16];
  std::snprintf(customer, sizeof customer, "C%08d", i);
  return std::string(customer) + "/openai/default/1";
}

// Fill puts `keys` real keys into a vault that nobody serves.
void Fill(const TemporaryHome& home, const std::string& url, int keys) {
  const vault::Kek kek = Must(vault::KekFile::Read(home.vault() + "/kek/1.key"), "reading the KEK");
  const auto database = Must(sql::Open(url, {}), "opening the vault's database");
  vault::Store store(*database);
  const std::string vault_id = Must(store.FindVault(), "the vault's row").vault_id;
  const vault::Origin origin = Must(vault::Origin::Parse("https://api.openai.com:443"), "the origin");
  const vault::SecretValue key = Must(vault::SecretValue::Random(100), "a random key");
  std::optional<sql::Transaction> transaction;
  for (int i = 0; i < keys; ++i) {
    if (i % 10'000 == 0) {
      if (transaction && !transaction->Commit()) Die("a commit");
      transaction.emplace(Must(sql::Transaction::Start(*database), "a transaction"));
    }
    vault::KeyRef ref = Must(vault::KeyRef::Parse(RefOf(i)), "a KEY_REF");
    vault::KeyRow row;
    row.key_ref = ref.text();
    row.customer = ref.customer();
    row.provider = "openai";
    row.label = "default";
    row.key_version = row.kek_version = row.row_version = 1;
    row.status = "ACTIVE";
    row.origin = origin.text();
    row.hosted = "N";
    row.created_at = row.state_changed_at = base::WallMicros();
    row.fingerprint = "0123456789abcdef0123456789abcdef";
    vault::WrapContext context(vault::KeyContext(vault_id, std::move(ref)), origin, false);
    context.state = vault::KeyState::kActive;
    row.sealed = Must(vault::Seal(kek, context, key.View()), "sealing");
    if (!store.InsertKey(row)) Die("an insert");
  }
  if (!transaction->Commit()) Die("the last commit");
}

// FloorUpdates is rows a second of the bare UPDATE.
double FloorUpdates(const std::string& path, int keys) {
  sqlite3* db = nullptr;
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) Die("opening the copy");
  const auto exec = [db](const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Die(sql);
  };
  exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  // The new version must be a row of KEK, which foreign keys would ask for; the copy is only timed.
  sqlite3_stmt* update = nullptr;
  const char* text = "UPDATE KEY_VAULT SET ENCRYPTED_DEK=?1, NONCE_DEK=?2, KEK_VERSION=2, ROW_VERSION=?3 "
                     "WHERE KEY_REF=?4 AND ROW_VERSION=?5";
  if (sqlite3_prepare_v2(db, text, -1, &update, nullptr) != SQLITE_OK) Die("preparing");
  const std::string dek(48, 'd'), nonce(12, 'n');
  const base::Micros begun = base::MonoMicros();
  for (int i = 0; i < keys;) {
    exec("BEGIN IMMEDIATE");
    for (int k = 0; k < kGroup && i < keys; ++k, ++i) {
      const std::string ref = RefOf(i);
      sqlite3_bind_blob(update, 1, dek.data(), 48, SQLITE_STATIC);
      sqlite3_bind_blob(update, 2, nonce.data(), 12, SQLITE_STATIC);
      sqlite3_bind_int64(update, 3, 2);
      sqlite3_bind_text(update, 4, ref.data(), static_cast<int>(ref.size()), SQLITE_STATIC);
      sqlite3_bind_int64(update, 5, 1);
      if (sqlite3_step(update) != SQLITE_DONE || sqlite3_changes(db) != 1) Die("an update");
      sqlite3_reset(update);
    }
    exec("COMMIT");
  }
  const double rate = static_cast<double>(keys) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  sqlite3_finalize(update);
  sqlite3_close(db);
  return rate;
}

// FloorUpdatesOver is the same over ODBC, on a table like KEY_VAULT in the same database.
double FloorUpdatesOver(const std::string& url, int keys) {
  const auto database = Must(sql::Open(url, {}), "opening the vault's database");
  const auto copied = database->RunScript("CREATE TABLE FLOOR (LIKE KEY_VAULT INCLUDING ALL); INSERT INTO FLOOR SELECT * FROM KEY_VAULT");
  if (!copied) Die("the copy");
  const Bytes dek(48, 'd'), nonce(12, 'n');
  const base::Micros begun = base::MonoMicros();
  for (int i = 0; i < keys;) {
    auto transaction = Must(sql::Transaction::Start(*database), "a transaction");
    for (int k = 0; k < kGroup && i < keys; ++k, ++i) {
      const std::string ref = RefOf(i);
      const auto changed = database->Execute("UPDATE FLOOR SET ENCRYPTED_DEK = ?1, NONCE_DEK = ?2, KEK_VERSION = ?3, ROW_VERSION = ?4 "
                                             "WHERE KEY_REF = ?5 AND ROW_VERSION = ?6",
                                             {ByteView(dek), ByteView(nonce), std::int64_t{2}, std::int64_t{2}, std::string_view(ref),
                                              std::int64_t{1}});
      if (!changed || *changed != 1) Die("an update");
    }
    if (!transaction.Commit()) Die("a commit");
  }
  const double rate = static_cast<double>(keys) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  if (!database->RunScript("DROP TABLE FLOOR")) Die("dropping the copy");
  return rate;
}

std::atomic<std::int64_t> asked{0};  // by all loads: a number is released once

// Load is resolves that go on until it is told to stop.
class Load {
 public:
  explicit Load(const vault::ClientOptions& options) : client_(io_.get_executor(), options) {
    for (int i = 0; i < kInFlight; ++i) asio::co_spawn(io_, Ask(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  std::vector<double> Stop() {
    stopping_ = true;
    thread_.join();
    return std::move(latencies_);
  }

 private:
  asio::awaitable<void> Ask() {
    ++running_;
    while (!stopping_) {
      vault::ResolveRequest request;
      request.request_id = "bench-" + std::to_string(++asked);
      request.customer = "ACME";
      request.profile_ref = "ACME_DEFAULT";
      Bytes body = request.Encode();
      const base::Micros begun = base::MonoMicros();
      Result<vault::Answer> answer =
          co_await client_.Ask(vault::Operation::kResolve, std::move(body), begun + 30 * base::kMicrosPerSecond);
      if (!answer) Die(answer.error().Message().c_str());
      if (!answer->secret) Die("a resolve");
      answer->secret->Wipe();
      latencies_.push_back(static_cast<double>(base::MonoMicros() - begun));
    }
    if (--running_ == 0) client_.Close();
  }

  asio::io_context io_{1};
  vault::Client client_;
  std::vector<double> latencies_;
  int running_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Rotate runs keytool kek rotate and returns rows a second, by its own clock.
double Rotate(const TemporaryHome& home, int keys) {
  const std::string log = home.root() + "/rotate.log";
  std::filesystem::remove(log);
  Child rotate({Program("keytool"), "kek", "rotate", "--home", home.vault(), "--reason", "bench", "--json"}, log);
  for (int i = 0; i < 6'000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::FILE* file = std::fopen(log.c_str(), "r");
    std::string text(1 << 16, '\0');
    text.resize(file == nullptr ? 0 : std::fread(text.data(), 1, text.size(), file));
    if (file != nullptr) std::fclose(file);
    const std::size_t at = text.find("\"milliseconds\":");
    if (at != std::string::npos) {
      return static_cast<double>(keys) * 1e3 / std::max(1.0, std::atof(text.c_str() + at + 15));
    }
    if (text.find("keytool: ") != std::string::npos) {
      std::fputs(text.c_str(), stderr);
      break;
    }
  }
  Die("keytool kek rotate");
}

int Run(int keys, const std::string& database) {
  const TemporaryHome home;
  double floor = 0;
  if (database.empty()) {
    RunOrExit({Program("keytool"), "init", "--home", home.vault()});
    Fill(home, "sqlite:" + home.vault() + "/vault.db", keys);
    std::filesystem::copy_file(home.vault() + "/vault.db", home.root() + "/floor.db");
    floor = FloorUpdates(home.root() + "/floor.db", keys);
  } else {
    RunOrExit({Program("keytool"), "init", "--home", home.vault(), "--vault-database", database});
    Fill(home, database, keys);
    floor = FloorUpdatesOver(database, keys);
  }
  const Child vaultd({Program("vaultd"), "--home", home.vault()}, home.root() + "/vaultd.log");
  WaitForLine(home.root() + "/vaultd.log", "vaultd_start");
  const double alone = Rotate(home, keys);
  std::printf("%d keys: %.0f rewraps/s, bare UPDATE %.0f/s, ratio %.2f\n", keys, alone, floor, alone / floor);
  std::fflush(stdout);

  Onboard(home, "https://127.0.0.1:9");
  const auto config = base::LoadConfig(home.vault());
  const vault::ClientOptions options = Must(vault::ClientOptionsFrom(*config), "the client's options");
  Load quiet(options);
  std::this_thread::sleep_for(std::chrono::microseconds(kBefore));
  const std::vector<double> before = quiet.Stop();
  Load busy(options);
  const double beside = Rotate(home, keys);
  const std::vector<double> during = busy.Stop();
  std::printf("beside %d resolves in flight: %.0f rewraps/s; resolves p50 %.0f us before, %.0f during; p99 %.0f before, %.0f during, "
              "ratio %.2f (%zu resolves during)\n",
              kInFlight, beside, Percentile(before, 0.5), Percentile(during, 0.5), Percentile(before, 0.99),
              Percentile(during, 0.99), Percentile(during, 0.99) / Percentile(before, 0.99), during.size());
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  const int keys = argc >= 2 ? std::atoi(argv[1]) : 100'000;
  if (argc > 3 || keys < 1 || keys > 99'999'999) {
    std::fprintf(stderr, "usage: bench_rewrap [KEYS [DATABASE]]\n");
    return 2;
  }
  if (!strongroom::vault::Arena::Open()) return 1;
  return strongroom::bench::Run(keys, argc == 3 ? argv[2] : "");
}
