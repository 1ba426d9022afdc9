// bench_search: how long a search of a long trail takes, by key and time above all, against reading as many records by their seq.
//   bench_search [ROWS [DIR]]    default 10,000,000 rows in a temporary file; in DIR the file stays, and is used again
// Each search is measured with the file's pages dropped from the cache before it and a new connection ("cold"), and again at once.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "bench/processes.h"
#include "sql/database.h"

namespace strongroom::bench {
namespace {

constexpr int kGroup = 50'000;
constexpr int kHotKeys = 10, kKeys = 10'000;  // the ten have half of all records
constexpr base::Micros kBegin = 1'780'000'000 * base::kMicrosPerSecond, kStep = base::kMicrosPerSecond;
constexpr base::Micros kHour = 3600 * base::kMicrosPerSecond;
constexpr int kSearches = 20;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "bench_search: %s failed\n", what);
  std::exit(1);
}

template <typename T>
T Must(Result<T> result, const char* what) {
  if (!result) Die(what);
  return std::move(*result);
}

// Scatter is a number below `most` that looks like chance, the same in each run.
std::uint64_t Scatter(std::uint64_t i, std::uint64_t most) {
  i = (i ^ (i >> 30U)) * 0xbf58476d1ce4e5b9U;
  i = (i ^ (i >> 27U)) * 0x94d049bb133111ebU;
  return (i ^ (i >> 31U)) % most;
}

std::string KeyOf(std::uint64_t i) {
  const std::uint64_t lot = Scatter(i, 2 * kKeys);
  const std::uint64_t key = lot < kKeys ? lot % kHotKeys : lot;
  return "C" + std::to_string(key) + "/openai/default/1";
}

audit::Draft DraftOf(std::uint64_t i) {
  audit::Draft draft;
  draft.action = i % 1000 == 0 ? "status" : "resolve";
  draft.outcome = i % 200 == 0 ? audit::Outcome::kDenied : audit::Outcome::kOk;
  if (i % 200 == 0) draft.reason = "KEY_SUSPENDED";
  draft.actor = {998, 998, "srworker", 4242, 1234567, "worker"};
  draft.key_ref = KeyOf(i);
  draft.customer = draft.key_ref->substr(0, draft.key_ref->find('/'));
  draft.key_version = 1;
  draft.request_id = "0b9f2c1e-7a54-4d57-9a50-" + std::to_string(100'000'000'000 + i);
  draft.purpose = "attempt 1 profile ACME_DEFAULT";
  draft.epoch = 8;
  return draft;
}

void Fill(sql::Database& database, std::int64_t rows) {
  const base::Micros begun = base::MonoMicros();
  for (std::int64_t i = 0; i < rows;) {
    auto transaction = Must(sql::Transaction::Start(database), "a transaction");
    for (int k = 0; k < kGroup && i < rows; ++k, ++i) {
      const audit::Draft draft = DraftOf(static_cast<std::uint64_t>(i));
      const audit::Place place{"5f0c2a9e7d3b4816a0c9e2f1b7d45a60/node-1", "9f8e7d6c5b4a3928", i, std::string(audit::kNoRecord),
                               kBegin + i * kStep, i * kStep};
      const std::string record = audit::SerializeFitted(draft, place);
      const auto put = database.Execute("INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID) "
                                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                                        {i, base::AsBytes(record), place.time, std::string_view(draft.action), audit::OutcomeName(draft.outcome),
                                         std::string_view(draft.actor.name), sql::Optional(draft.customer), sql::Optional(draft.key_ref),
                                         sql::Optional(draft.request_id)});
      if (!put) Die("an insert");
    }
    if (!transaction.Commit()) Die("a commit");
  }
  if (!database.Checkpoint()) Die("a checkpoint");
  const double seconds = static_cast<double>(base::MonoMicros() - begun) / 1e6;
  std::printf("filled %lld rows in %.0f s\n", static_cast<long long>(rows), seconds);
}

void DropFromCache(const std::string& path) {
  for (const char* suffix : {"", "-wal"}) {
    const int fd = open((path + suffix).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

std::unique_ptr<sql::Database> OpenToRead(const std::string& path) {
  sql::OpenOptions options;
  options.access = sql::Access::kReadOnly;
  return Must(sql::Open("sqlite:" + path, options), "opening");
}

struct Timed {
  std::vector<double> cold, warm, floor;  // ms
  std::int64_t found = 0;
};

double Millis(const auto& what) {
  const base::Micros begun = base::MonoMicros();
  what();
  return static_cast<double>(base::MonoMicros() - begun) / 1e3;
}

// TimeOne measures one search, and reading as many records one after the other.
void TimeOne(const std::string& path, const audit::Filter& filter, Timed& timed) {
  DropFromCache(path);
  std::int64_t found = 0;
  const auto search = [&](sql::Database& database) {
    found = Must(audit::Search(database, filter, [](const audit::Entry&) {}), "a search");
  };
  std::unique_ptr<sql::Database> database;
  timed.cold.push_back(Millis([&] {
    database = OpenToRead(path);
    search(*database);
  }));
  timed.warm.push_back(Millis([&] { search(*database); }));
  timed.found += found;
  const auto read = [&] {
    sql::Statement* row = Must(database->Query("SELECT RECORD FROM AUDIT_LOG WHERE SEQ >= 1000 ORDER BY SEQ LIMIT ?1", {found}), "reading");
    while (Must(row->Next(), "a row")) {
      if (!audit::Parse(base::AsText(row->Blob(0)))) Die("a record");
    }
  };
  read();
  timed.floor.push_back(Millis(read));
}

void Tell(const char* what, Timed& timed) {
  const double cold = Percentile(timed.cold, 0.5), warm = Percentile(timed.warm, 0.5), floor = Percentile(timed.floor, 0.5);
  std::printf("%-34s %8.0f records  cold p50 %8.1f max %8.1f ms  warm p50 %7.2f ms, floor %7.2f ms, ratio %.1f\n", what,
              static_cast<double>(timed.found) / static_cast<double>(timed.cold.size()), cold, *std::max_element(timed.cold.begin(), timed.cold.end()),
              warm, floor, warm / floor);
  std::fflush(stdout);
}

// Measure searches from times that look like chance; `make` is told where a search begins.
void Measure(const std::string& path, std::int64_t rows, const char* what, int searches, const auto& make) {
  Timed timed;
  for (int i = 0; i < searches; ++i) {
    const auto at = static_cast<std::int64_t>(Scatter(static_cast<std::uint64_t>(i) + 77, static_cast<std::uint64_t>(rows)));
    TimeOne(path, make(kBegin + at * kStep, static_cast<std::uint64_t>(at)), timed);
  }
  Tell(what, timed);
}

audit::Filter Between(base::Micros since, base::Micros span) {
  audit::Filter filter;
  filter.since = since;
  filter.until = since + span;
  filter.limit = 1'000'000;
  return filter;
}

void MeasureAll(const std::string& path, std::int64_t rows) {
  Measure(path, rows, "a key, 30 days", kSearches, [](base::Micros at, std::uint64_t) {
    audit::Filter filter = Between(at, 30 * 24 * kHour);
    filter.key_ref = "C12345/openai/default/1";
    return filter;
  });
  Measure(path, rows, "a busy key, an hour", kSearches, [](base::Micros at, std::uint64_t i) {
    audit::Filter filter = Between(at, kHour);
    filter.key_ref = "C" + std::to_string(i % kHotKeys) + "/openai/default/1";
    return filter;
  });
  Measure(path, rows, "a busy key, the first 1,000", kSearches, [](base::Micros, std::uint64_t i) {
    audit::Filter filter;
    filter.key_ref = "C" + std::to_string(i % kHotKeys) + "/openai/default/1";
    return filter;
  });
  Measure(path, rows, "a busy key, a day", kSearches, [](base::Micros at, std::uint64_t i) {
    audit::Filter filter = Between(at, 24 * kHour);
    filter.key_ref = "C" + std::to_string(i % kHotKeys) + "/openai/default/1";
    return filter;
  });
  Measure(path, rows, "all of 10 minutes", kSearches, [](base::Micros at, std::uint64_t) { return Between(at, kHour / 6); });
  Measure(path, rows, "what was denied in a day", kSearches, [](base::Micros at, std::uint64_t) {
    audit::Filter filter = Between(at, 24 * kHour);
    filter.outcome = "denied";
    return filter;
  });
  Measure(path, rows, "a request, its customer known", 5, [](base::Micros at, std::uint64_t i) {
    audit::Filter filter = Between(at - 24 * kHour, 48 * kHour);
    const audit::Draft draft = DraftOf(i);
    filter.customer = draft.customer;
    filter.request_id = draft.request_id;
    return filter;
  });
  Measure(path, rows, "a request, its day known", 3, [](base::Micros at, std::uint64_t i) {
    audit::Filter filter = Between(at - 12 * kHour, 24 * kHour);
    filter.request_id = DraftOf(i).request_id;
    return filter;
  });
}

int Run(std::int64_t rows, const std::string& directory) {
  const TemporaryHome home;
  const std::string path = (directory.empty() ? home.root() : directory) + "/search.db";
  if (!std::filesystem::exists(path)) {
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    const auto database = Must(sql::Open("sqlite:" + path, options), "creating");
    if (!sql::CreateSchema(*database, sql::Schema::kVault)) Die("the schema");
    Fill(*database, rows);
  }
  std::printf("%lld rows, %.1f GB\n", static_cast<long long>(rows), static_cast<double>(std::filesystem::file_size(path)) / 1e9);
  MeasureAll(path, rows);
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  const long long rows = argc >= 2 ? std::atoll(argv[1]) : 10'000'000;
  if (argc > 3 || rows < 100'000 || rows > 1'000'000'000) {
    std::fprintf(stderr, "usage: bench_search [ROWS [DIR]]\n");
    return 2;
  }
  return strongroom::bench::Run(rows, argc == 3 ? argv[2] : "");
}
