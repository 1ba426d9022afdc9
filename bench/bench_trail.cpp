// bench_trail: how many records a second the trail's writer makes durable, head and signature outside the database included, by how many are in
// flight at once, against the same records in bare SQLite with one 300-byte anchor write a group, and in a plain file.
#include <openssl/evp.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "audit/anchor.h"
#include "audit/log_writer.h"
#include "bench/floor.h"
#include "bench/processes.h"
#include "sql/database.h"

namespace strongroom::bench {
namespace {

constexpr int kRounds = 5;

// Signer is an Ed25519 key, and the lines it makes.
audit::Anchor::Sign Signer(const std::string& origin) {
  std::shared_ptr<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  Bytes point(32);
  std::size_t size = point.size();
  Must(EVP_PKEY_get_raw_public_key(key.get(), point.data(), &size) == 1, "key");
  const auto verifier = audit::VerifierKey::Of(origin, audit::SignatureType::kEd25519, point);
  Must(verifier.has_value(), "verifier key");
  return [key, verifier = *verifier](std::string_view body) {
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    Bytes signature(audit::kEd25519Bytes);
    std::size_t length = signature.size();
    const ByteView text = base::AsBytes(body);
    Must(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
             EVP_DigestSign(context.get(), signature.data(), &length, text.data(), text.size()) == 1,
         "sign");
    return audit::SignatureLine(verifier, signature);
  };
}

// Trail is a log of its own in a vault's database.
class Trail {
 public:
  explicit Trail(const std::string& directory) {
    const std::string origin = "bench/0123456789abcdef/audit", path = directory + "/anchor";
    Must(audit::Anchor::Create(path, {origin, {}}).has_value(), "anchor");
    anchor_ = std::move(*audit::Anchor::Open(path, Signer(origin)));
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    options.checkpoint_elsewhere = true;
    options.durable = true;
    const std::string url = "sqlite:" + directory + "/trail.db";
    auto database = sql::Open(url, options);
    Must(database && sql::CreateSchema(**database, sql::Schema::kVault), "schema");
    options.access = sql::OpenOptions().access;
    auto checkpointer = sql::Open(url, options);
    Must(checkpointer.has_value(), "checkpointer");
    audit::LogWriter::Options keeping;
    keeping.new_log = true;
    keeping.keep_head = [this](const audit::Head& head) { return anchor_->Keep(head); };
    auto writer = audit::LogWriter::Start(std::move(*database), std::move(*checkpointer), "vault/node", "boot", std::move(keeping));
    Must(writer.has_value(), "writer");
    writer_ = std::move(*writer);
  }

  // Round keeps so many records in flight: whoever is told of one submits the next.
  double Round(int in_flight) {
    const base::Micros begun = base::MonoMicros();
    until_ = begun + kRoundMicros;
    running_ = in_flight;
    done_ = 0;
    for (int i = 0; i < in_flight; ++i) Submit();
    for (int left = running_; left != 0; left = running_) running_.wait(left);
    return static_cast<double>(done_) * 1e6 / static_cast<double>(base::MonoMicros() - begun);
  }

 private:
  void Submit() {
    audit::Job job;
    job.decide = [](sql::Database&, base::Micros) { return audit::Decision{SampleDraft(), false}; };
    job.done = [this](const Result<audit::Receipt>& receipt) {
      Must(receipt.has_value(), "a record");
      ++done_;
      if (base::MonoMicros() < until_) return Submit();
      --running_;
      running_.notify_one();
    };
    Must(writer_->Submit(std::move(job)).has_value(), "submit");
  }

  std::unique_ptr<audit::Anchor> anchor_;
  std::unique_ptr<audit::LogWriter> writer_;
  std::atomic<std::int64_t> done_{0};
  std::atomic<int> running_{0};
  base::Micros until_ = 0;
};

void Compare(const std::string& directory, int in_flight) {
  const std::string floor = directory + "-floor";
  for (const std::string& path : {directory, floor}) std::filesystem::create_directory(path);
  Trail trail(directory);
  std::vector<double> rates, inserts, files, ratios;
  for (int round = 0; round < kRounds; ++round) {
    inserts.push_back(FloorSqlite(floor, in_flight).per_second);
    files.push_back(FloorFile(floor, in_flight).per_second);
    rates.push_back(trail.Round(in_flight));
    ratios.push_back(rates.back() / inserts.back());
  }
  std::printf("%3d in flight: %8.0f records/s; bare SQLite+anchor %8.0f/s, ratio %.2f; plain file %8.0f/s\n", in_flight, Median(rates),
              Median(inserts), Median(ratios), Median(files));
}

}  // namespace
}  // namespace strongroom::bench

int main() {
  using namespace strongroom::bench;
  const TemporaryHome home;
  std::printf("medians of %d rounds of %.1f s, each beside its floors\n", kRounds, static_cast<double>(kRoundMicros) / 1e6);
  for (const int in_flight : {1, 8, 64, 256}) Compare(home.root() + "/" + std::to_string(in_flight), in_flight);
  return 0;
}
