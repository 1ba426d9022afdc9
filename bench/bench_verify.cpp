// bench_verify: how fast a trail is verified: every record parsed and hashed, its columns, the tree and its tiles, and a signed head.
//   bench_verify [RECORDS [DATABASE]]   default 1,000,000, in a temporary file; DATABASE is made where it is missing, and kept
//   floor: the same rows and columns read and hashed once each, bare (sqlite3_step and EVP_Digest, one thread)
#include <openssl/evp.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "audit/record.h"
#include "audit/tree.h"
#include "audit/verifier.h"
#include "sql/database.h"

namespace strongroom::bench {
namespace {

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "bench_verify: %s failed\n", what);
  std::exit(1);
}

template <typename T>
T Must(Result<T> result, const char* what) {
  if (!result) Die(what);
  return std::move(*result);
}

// A record as a resolve leaves it.
audit::Draft Resolve(int i) {
  audit::Draft draft;
  draft.action = "resolve";
  draft.actor = {1001, 1001, "srworker", 4242, 123456, "worker"};
  char text[64];
  std::snprintf(text, sizeof text, "C%05d", i % 1000);
  draft.customer = text;
  draft.key_ref = *draft.customer + "/anthropic/default/1";
  draft.key_version = 1;
  std::snprintf(text, sizeof text, "0b9f2c1e-7a54-4d57-9a50-%012d", i);
  draft.request_id = text;
  draft.purpose = "attempt 1 profile " + *draft.customer + "_DEFAULT";
  draft.epoch = 7;
  return draft;
}

void Fill(const std::string& url, int records) {
  const auto database = Must(sql::Open(url, {.access = sql::Access::kCreate}), "making the database");
  if (!sql::CreateSchema(*database, sql::Schema::kVault)) Die("the schema");
  auto tree = Must(audit::GrowingTree::Load(*database, 0), "the tree");
  audit::Place place{"5f0c2a9e7d3b4816a0c9e2f1b7d45a60/node-1", "9f8e7d6c5b4a3928", 0, std::string(audit::kNoRecord), base::WallMicros(), 1};
  if (!database->Begin()) Die("a transaction");
  for (int i = 0; i < records; ++i, ++place.seq, ++place.time) {
    const audit::Draft draft = Resolve(i);
    const std::string record = audit::Serialize(draft, place);
    const auto inserted = database->Execute(
        "INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        {place.seq, base::AsBytes(record), place.time, std::string_view(draft.action), audit::OutcomeName(draft.outcome),
         std::string_view(draft.actor.name), sql::Optional(draft.customer), sql::Optional(draft.key_ref), sql::Optional(draft.request_id)});
    const audit::Hash leaf = audit::HashLeaf(record);
    if (!inserted || !tree.Append(*database, leaf)) Die("an insert");
    place.prev = base::Hex(leaf);
  }
  if (!tree.PutHead(*database) || !database->Commit()) Die("the commit");
}

double Floor(const std::string& path) {
  sqlite3* db = nullptr;
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) Die("opening it bare");
  sqlite3_stmt* rows = nullptr;
  const char* text = "SELECT SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG ORDER BY SEQ";
  if (sqlite3_prepare_v2(db, text, -1, &rows, nullptr) != SQLITE_OK) Die("preparing");
  EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  unsigned char digest[32];
  long long count = 0, bytes = 0;
  const base::Micros begun = base::MonoMicros();
  for (; sqlite3_step(rows) == SQLITE_ROW; ++count) {
    const void* record = sqlite3_column_blob(rows, 1);
    if (EVP_DigestInit_ex2(context, sha256, nullptr) != 1 ||
        EVP_DigestUpdate(context, record, static_cast<std::size_t>(sqlite3_column_bytes(rows, 1))) != 1 ||
        EVP_DigestFinal_ex(context, digest, nullptr) != 1) {
      Die("a hash");
    }
    for (int column = 3; column < 9; ++column) bytes += sqlite3_column_text(rows, column) != nullptr ? sqlite3_column_bytes(rows, column) : 0;
  }
  const auto took = static_cast<double>(base::MonoMicros() - begun);
  if (bytes == 0) Die("reading");
  EVP_MD_CTX_free(context);
  EVP_MD_free(sha256);
  sqlite3_finalize(rows);
  sqlite3_close(db);
  return static_cast<double>(count) * 1e6 / took;
}

double CpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

struct Rate {
  double a_second = 0, cpu_micros = 0;
};

Rate Verify(const std::string& url, int records) {
  const auto database = Must(sql::Open(url, {.access = sql::Access::kReadOnly}), "opening it");
  audit::DatabaseSource source(*database);
  const double cpu = CpuMicros();
  const base::Micros begun = base::MonoMicros();
  const audit::Verdict verdict = Must(audit::Verify(source, {}), "verifying");
  const auto took = static_cast<double>(base::MonoMicros() - begun);
  if (verdict.fault || verdict.records != records) Die("the trail does not verify: that");
  return {records * 1e6 / took, (CpuMicros() - cpu) / records};
}

int Run(int records, std::string path) {
  const bool temporary = path.empty();
  if (temporary) path = (std::filesystem::temp_directory_path() / ("bench_verify-" + std::to_string(base::MonoMicros()) + ".db")).string();
  const std::string url = "sqlite:" + path;
  if (!std::filesystem::exists(path)) Fill(url, records);
  std::printf("%d records, %.0f MB of database\n", records, static_cast<double>(std::filesystem::file_size(path)) / 1e6);
  Floor(path);  // what is to be in memory is there from here on
  for (int round = 0; round < 3; ++round) {
    const double floor = Floor(path);
    const Rate ours = Verify(url, records);
    std::printf("floor %.0f/s, verify %.0f/s, ratio %.2f; %.2f s, %.2f us of CPU a record\n", floor, ours.a_second, ours.a_second / floor,
                records / ours.a_second, ours.cpu_micros);
  }
  if (temporary) {
    for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(path + beside);
  }
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main(int argc, char** argv) {
  const int records = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  return records > 0 ? strongroom::bench::Run(records, argc > 2 ? argv[2] : "") : 2;
}
