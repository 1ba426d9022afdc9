#include "tests/audit/trail.h"

#include <unistd.h>

#include <chrono>
#include <thread>

namespace strongroom::audit {
namespace {

std::filesystem::path MakeDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "strongroom-audit-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace

Trail::Trail() : directory_(MakeDirectory()) {
  const auto database = sql::Open("sqlite:" + file().string(), {.access = sql::Access::kCreate});
  REQUIRE(database);
  REQUIRE(sql::CreateSchema(**database, sql::Schema::kVault));
}

Trail::Trail(const std::filesystem::path& directory) : directory_(directory), keep_(true) {
  const auto database = sql::Open("sqlite:" + file().string(), {.access = sql::Access::kCreate});
  REQUIRE(database);
  REQUIRE(sql::CreateSchema(**database, sql::Schema::kVault));
}

Trail::~Trail() {
  if (!keep_) std::filesystem::remove_all(directory_);
}

std::unique_ptr<sql::Database> Trail::Open(std::int64_t busy_ms, bool checkpoint_elsewhere) const {
  sql::OpenOptions options;
  options.busy_ms = busy_ms;
  options.checkpoint_elsewhere = checkpoint_elsewhere;
  auto database = sql::Open("sqlite:" + file().string(), options);
  REQUIRE(database);
  return std::move(*database);
}

std::unique_ptr<LogWriter> Trail::StartWriter(LogWriter::Options options, std::int64_t busy_ms) const {
  options.new_log = true;
  auto writer = LogWriter::Start(Open(busy_ms, true), Open(busy_ms), "vault/node-1", "boot-1", options);
  REQUIRE(writer);
  return std::move(*writer);
}

void Trail::Fill(int count) const {
  const auto writer = StartWriter();
  for (int i = 0; i < count; ++i) {
    Draft draft = SampleDraft();
    draft.customer = i % 2 == 0 ? "ACME" : "BARCO";
    draft.key_ref = *draft.customer + "/anthropic/default/1";
    draft.request_id = "request-" + std::to_string(i);
    if (i % 5 == 4) draft.outcome = Outcome::kDenied;
    Job job;
    job.decide = [draft](sql::Database&, base::Micros) { return Decision{draft, false}; };
    job.done = [](const Result<Receipt>&) {};
    const bool room = Until([&] { return writer->Submit(job).has_value(); });
    REQUIRE(room);
  }
}

Verdict Trail::Verify() const {
  const auto database = Open();
  const auto verdict = audit::Verify(*database);
  REQUIRE(verdict);
  return *verdict;
}

std::vector<Entry> Trail::Search(const Filter& filter) const {
  const auto database = Open();
  std::vector<Entry> found;
  const auto count = audit::Search(*database, filter, [&](const Entry& entry) { found.push_back(entry); });
  REQUIRE(count);
  CHECK_THAT(found, Catch::Matchers::Predicate<std::vector<Entry>>(
                        [&](const auto& entries) { return entries.size() == static_cast<std::size_t>(*count); }));
  return found;
}

Draft SampleDraft(const std::string& actor) {
  Draft draft;
  draft.action = "key.resolve";
  draft.actor = {1001, 1001, actor, 4242, 123456, "worker"};
  draft.customer = "ACME";
  draft.key_ref = "ACME/anthropic/default/1";
  draft.key_version = 1;
  draft.request_id = "0b9f2c1e-7a54-4d57-9a50-6a5f0f7d3c11";
  draft.epoch = 7;
  return draft;
}

bool Until(const std::function<bool()>& condition, int seconds) {
  const base::Micros deadline = base::MonoMicros() + seconds * base::kMicrosPerSecond;
  while (base::MonoMicros() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

}  // namespace strongroom::audit
