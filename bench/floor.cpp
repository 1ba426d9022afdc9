#include "bench/floor.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "sql/database.h"

namespace strongroom::bench {

void Must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "floor: %s failed\n", what);
  std::exit(1);
}

audit::Draft SampleDraft() {
  audit::Draft draft;
  draft.action = "resolve";
  draft.actor = {0, 0, "root", 12345, 678901, "worker"};
  draft.customer = "ACME";
  draft.key_ref = "ACME/anthropic/default/1";
  draft.key_version = 1;
  draft.request_id = "bench";
  draft.purpose = "attempt 1 profile ACME_DEFAULT";
  draft.epoch = 3;
  return draft;
}

std::string SampleRecord(std::int64_t seq) {
  audit::Place place;
  place.log = "0123456789abcdef0123456789abcdef/host";
  place.boot = "0123456789abcdef0123456789abcdef";
  place.seq = seq;
  place.prev = std::string(audit::kNoRecord);
  return audit::Serialize(SampleDraft(), place);
}

Rate FloorSqlite(const std::string& directory, int group) {
  const std::string path = directory + "/floor.db";
  unlink(path.c_str());
  unlink((path + "-wal").c_str());
  sqlite3* db = nullptr;
  Must(sqlite3_open(path.c_str(), &db) == SQLITE_OK, "open");
  const auto exec = [db](const char* sql) { Must(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql); };
  exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  exec(std::string(sql::SchemaScript(sql::Schema::kVault, sql::Engine::kSqlite)).c_str());
  sqlite3_stmt* insert = nullptr;
  Must(sqlite3_prepare_v2(db, "INSERT INTO AUDIT_LOG VALUES (?1,?2,?3,'resolve','ok','root','ACME','ACME/anthropic/default/1','bench')",
                          -1, &insert, nullptr) == SQLITE_OK, "prepare");
  const int anchor = open((directory + "/anchor").c_str(), O_RDWR | O_CREAT, 0600);
  const std::string head(300, 'h');
  Must(pwrite(anchor, head.data(), head.size(), 0) == 300 && fsync(anchor) == 0, "anchor");
  Rate rate;
  std::int64_t seq = 0;
  const base::Micros begun = base::MonoMicros();
  while (base::MonoMicros() - begun < kRoundMicros) {
    const base::Micros transaction = base::MonoMicros();
    exec("BEGIN IMMEDIATE");
    for (int i = 0; i < group; ++i, ++seq) {
      const std::string record = SampleRecord(seq);
      sqlite3_bind_int64(insert, 1, seq);
      sqlite3_bind_blob(insert, 2, record.data(), static_cast<int>(record.size()), SQLITE_STATIC);
      sqlite3_bind_int64(insert, 3, begun + seq);
      Must(sqlite3_step(insert) == SQLITE_DONE, "insert");
      sqlite3_reset(insert);
    }
    exec("COMMIT");
    Must(pwrite(anchor, head.data(), head.size(), 0) == 300 && fdatasync(anchor) == 0, "anchor");
    rate.latencies_us.push_back(static_cast<double>(base::MonoMicros() - transaction));
  }
  rate.per_second = static_cast<double>(seq) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  close(anchor);
  return rate;
}

Rate FloorFile(const std::string& directory, int group) {
  const int file = open((directory + "/floor.records").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  Rate rate;
  std::int64_t seq = 0;
  const base::Micros begun = base::MonoMicros();
  while (base::MonoMicros() - begun < kRoundMicros) {
    std::string records;
    for (int i = 0; i < group; ++i, ++seq) records += SampleRecord(seq);
    Must(write(file, records.data(), records.size()) == static_cast<ssize_t>(records.size()) && fdatasync(file) == 0, "append");
  }
  close(file);
  rate.per_second = static_cast<double>(seq) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  return rate;
}

}  // namespace strongroom::bench
