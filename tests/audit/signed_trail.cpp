#include "tests/audit/signed_trail.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "audit/prune.h"
#include "audit/tree.h"
#include "base/config.h"

namespace strongroom::audit {

SignedTrail::SignedTrail(int records) {
  std::ofstream(directory() / "strongroom.toml") << base::DefaultConfigText("root");
  const ByteView key = signer_.key().public_key;
  REQUIRE(Open()->Execute("INSERT INTO VAULT (VAULT_ID, EPOCH, CREATED_AT, TRAIL_PUBLIC_KEY) VALUES ('test', 1, 0, ?1)", {key}));
  REQUIRE(Anchor::Create(anchor(), {signer_.key().name, Head()}));
  Grow(records);
}

std::unique_ptr<Anchor> SignedTrail::OpenAnchor(bool sealed) const {
  auto opened = Anchor::Open(anchor(), [this, sealed](std::string_view body) { return sealed ? std::string() : signer_.Line(body); });
  REQUIRE(opened);
  return std::move(*opened);
}

void SignedTrail::Append(Draft draft) const {
  const auto anchor_file = OpenAnchor(false);
  LogWriter::Options options;
  options.keep_head = [&](const Head& head) { return anchor_file->Keep(head); };
  REQUIRE(StartWriter(options)->Append(std::move(draft)));
}

Result<bool> SignedTrail::Prune(base::Micros before, std::int64_t days) const {
  const auto anchor_file = OpenAnchor(false);
  TRY_ASSIGN(const std::optional<PrunePlan> plan, PlanPrune(*Open(), {days, before, anchor_file->newest().head.size}));
  if (!plan) return false;
  LogWriter::Options options;
  options.keep_head = [&](const Head& head) { return anchor_file->Keep(head); };
  Draft draft = SampleDraft("vaultd");
  draft.action = kPruneAction;
  draft.after = PruneFacts(plan->pruned);
  Result<void> pruned;
  TRY(StartWriter(options)->Append(draft, [&](sql::Database& database) { pruned = audit::Prune(database, *plan); }));
  TRY(std::move(pruned));
  return true;
}

void SignedTrail::Grow(int records, bool sealed) const {
  const auto anchor_file = OpenAnchor(sealed);
  LogWriter::Options options;
  options.keep_head = [&](const Head& head) { return anchor_file->Keep(head); };
  options.most_waiting = 100'000;
  const auto writer = StartWriter(options);
  for (int i = 0; i < records; ++i) {
    Draft draft = SampleDraft();
    if (writer->last_seq() < 0 && i == 0) {
      draft.action = "init";
      draft.after = Facts{{"verifier_key", vkey()}};
      REQUIRE(writer->Append(draft));
      continue;
    }
    Job job;
    job.decide = [draft](sql::Database&, base::Micros) { return Decision{draft, false}; };
    job.done = [](const Result<Receipt>&) {};
    REQUIRE(writer->Submit(std::move(job)));
  }
}

Head SignedTrail::HeadAt(std::int64_t size) const {
  const auto database = Open();
  StoredTree tree(*database);
  const auto edge = EdgeAt(tree, size);
  REQUIRE(edge);
  return edge->head();
}

std::string SignedTrail::Checkpoint(std::int64_t size, const std::string& more) const {
  return Write("checkpoint-" + std::to_string(size), signer_.Sign(HeadAt(size)) + more);
}

std::string SignedTrail::Write(const std::string& name, const std::string& content) const {
  const std::string path = home() + '/' + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string SignedTrail::Read(const std::string& path) const {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string SignedTrail::Copy(const std::string& name) const {
  const std::string path = home() + '/' + name;
  REQUIRE(sql::CopyDatabase(*Open(), path));
  return path;
}

std::string SignedTrail::Record(std::int64_t seq) const {
  const auto database = Open();
  const auto row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = ?1", {seq});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  const Bytes bytes = (*row)->Blob(0);
  (*row)->Reset();
  return std::string(base::AsText(bytes));
}

void SignedTrail::Store(std::int64_t seq, std::string_view bytes) const {
  REQUIRE(Open()->Execute("UPDATE AUDIT_LOG SET RECORD = ?2 WHERE SEQ = ?1", {seq, base::AsBytes(bytes)}) == 1);
}

void SignedTrail::Rewrite(std::int64_t seq) const {
  const std::int64_t records = Verify().records;
  std::string prev;
  for (std::int64_t at = seq; at < records; ++at) {
    auto entry = Parse(Record(at));
    REQUIRE(entry);
    if (at == seq) {
      entry->draft.epoch = entry->draft.epoch.value_or(0) + 1;
    } else {
      entry->place.prev = prev;
    }
    const std::string bytes = Serialize(entry->draft, entry->place);
    Store(at, bytes);
    prev = LeafHash(bytes);
  }
}

void SignedTrail::RebuildTree() const {
  const auto database = Open();
  REQUIRE(database->Execute("DELETE FROM AUDIT_TILE"));
  REQUIRE(database->Execute("DELETE FROM AUDIT_HEAD"));
  auto tree = GrowingTree::Load(*database, 0);
  REQUIRE(tree);
  const auto count = database->QueryOne("SELECT COUNT(*) FROM AUDIT_LOG");
  REQUIRE(count);
  const std::int64_t records = (*count)->Int64(0);
  (*count)->Reset();
  for (std::int64_t seq = 0; seq < records; ++seq) REQUIRE(tree->Append(*database, HashLeaf(Record(seq))));
  REQUIRE(tree->PutHead(*database));
}

Run Auditlog(const std::string& arguments) {
  const std::string command = STRONGROOM_AUDITLOG " " + arguments + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  Run run;
  if (pipe == nullptr) return run;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) run.out.append(buffer.data(), count);
  run.status = WEXITSTATUS(pclose(pipe));
  return run;
}

}  // namespace strongroom::audit
