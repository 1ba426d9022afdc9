// A list of a key's uses, each with its proof, made over a real trail: what is altered in it is found, and the trees that prove it are the trail's own.
#include "audit/uses.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "audit/edged_tree.h"
#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

using Json = nlohmann::json;

constexpr const char* kKey = "ACME/anthropic/default/1";
constexpr int kRecords = 700;  // over two tiles of 256 leaves, and into a third

// The uses: every third record, so that some stand at the last and first places of tiles.
bool IsUse(std::int64_t seq) { return seq % 3 == 0; }

void Fill(const SignedTrail& trail, int count) {
  LogWriter::Options options;
  options.most_waiting = 100'000;
  const auto writer = trail.StartWriter(options);
  for (std::int64_t seq = writer->last_seq() + 1, end = seq + count; seq < end; ++seq) {
    Draft draft = SampleDraft();
    draft.action = IsUse(seq) ? "resolve" : "show_key";
    draft.key_ref = kKey;
    draft.request_id = "request-" + std::to_string(seq);
    Job job;
    job.decide = [draft](sql::Database&, base::Micros) { return Decision{draft, false}; };
    job.done = [](const Result<Receipt>&) {};
    REQUIRE(writer->Submit(std::move(job)));
  }
}

struct List {
  std::string checkpoint;
  Json header, end;
  std::vector<Json> uses;

  std::string Text() const {
    std::string text = header.dump() + "\n";
    for (const Json& use : uses) text += use.dump() + "\n";
    return text + end.dump() + "\n";
  }
};

Json UseOf(const SignedTrail& trail, EdgedTree& tree, std::int64_t seq, std::int64_t size, const Note& note) {
  auto path = InclusionProof(tree, seq, size);
  REQUIRE(path);
  return {{"seq", seq}, {"record", trail.Record(seq)}, {"proof", RecordProof{seq, std::move(*path), note}.Print()}};
}

List ListOf(const SignedTrail& trail, std::int64_t size) {
  List list;
  list.checkpoint = trail.signer().Sign(trail.HeadAt(size));
  const auto note = Note::Parse(list.checkpoint);
  REQUIRE(note);
  list.header = {{"format", kUsesFormat}, {"key_ref", kKey}, {"since", "2020-01-01T00:00:00Z"}, {"checkpoint", list.checkpoint}};
  TreeEdge edge;
  const auto database = trail.Open();
  EdgedTree tree(*database, edge, size);
  for (std::int64_t seq = 0; seq < size; ++seq) {
    if (IsUse(seq)) list.uses.push_back(UseOf(trail, tree, seq, size, *note));
  }
  list.end = {{"uses", list.uses.size()}, {"unproven", 0}};
  return list;
}

UsesVerdict Check(const SignedTrail& trail, const std::string& text) {
  std::istringstream lines(text);
  return VerifyUses(lines, [&](const Note& note, const audit::Checkpoint&) { return CheckSignature(note, trail.signer().key()); });
}

const SignedTrail& Whole() {
  static const SignedTrail trail(0);
  static const bool filled = [] { return Fill(trail, kRecords), true; }();
  static_cast<void>(filled);
  return trail;
}

void Wrong(const SignedTrail& trail, const List& list, const std::string& kind, std::optional<std::int64_t> seq = std::nullopt) {
  const UsesVerdict verdict = Check(trail, list.Text());
  INFO(verdict.detail);
  CHECK(verdict.kind == kind);
  CHECK(verdict.seq == seq);
}

}  // namespace

TEST_CASE("uses: an edged tree proves what the whole stored one does, at every size and place") {
  const SignedTrail& trail = Whole();
  const auto database = trail.Open();
  StoredTree stored(*database);
  TreeEdge edge;  // kept from one size to the next, smaller ones too
  for (const std::int64_t size : {1, 2, 255, 256, 257, 700, 511, 512, 513, 3}) {
    const Head head = trail.HeadAt(size);
    EdgedTree edged(*database, edge, size);
    for (std::int64_t seq = 0; seq < size; seq += seq < 250 || seq > 514 ? 37 : 1) {
      const auto path = InclusionProof(edged, seq, size), plain = InclusionProof(stored, seq, size);
      INFO(seq << " of " << size);
      REQUIRE(path);
      REQUIRE(plain);
      CHECK(*path == *plain);
      CHECK(VerifyInclusion(seq, head, HashLeaf(trail.Record(seq)), *path));
    }
  }
}

TEST_CASE("uses: a list over tile borders verifies, also where the trail grows while it is written") {
  const SignedTrail trail(0);
  Fill(trail, 300);
  const std::int64_t size = 290;
  List list = ListOf(trail, size);
  const auto note = Note::Parse(list.checkpoint);
  REQUIRE(note);
  const auto database = trail.Open();
  TreeEdge edge;
  // The first page is read, then the trail goes on past the end of the tile, and the next is read with what was kept.
  EdgedTree first(*database, edge, size);
  list.uses.front() = UseOf(trail, first, 0, size, *note);
  Fill(trail, 500);
  EdgedTree second(*database, edge, size);
  for (Json& use : list.uses) use = UseOf(trail, second, use["seq"].get<std::int64_t>(), size, *note);
  const UsesVerdict verdict = Check(trail, list.Text());
  INFO(verdict.detail);
  CHECK(verdict.kind.empty());
  CHECK(verdict.uses == 97);
  CHECK(verdict.key_ref == kKey);
  CHECK(verdict.checkpoint.head.size == size);
}

TEST_CASE("uses: what is altered in a list is found, and at which use") {
  const SignedTrail& trail = Whole();
  const List sound = ListOf(trail, kRecords);
  REQUIRE(Check(trail, sound.Text()).kind.empty());
  REQUIRE(Check(trail, sound.Text()).uses == 234);
  List list = sound;
  SECTION("a record") {
    std::string record = list.uses[85]["record"];
    record.replace(record.find("srworker"), 8, "stranger");
    list.uses[85]["record"] = record;
    Wrong(trail, list, "changed", 255);
  }
  SECTION("a proof alone") {
    std::string proof = list.uses[86]["proof"];
    // A hash of the path: the third line (c2sp.org/tlog-proof).
    const std::size_t at = proof.find('\n', proof.find('\n') + 1) + 1;
    proof[at] = proof[at] == 'A' ? 'B' : 'A';
    list.uses[86]["proof"] = proof;
    Wrong(trail, list, "changed", 258);
  }
  SECTION("the proof of another record") {
    std::swap(list.uses[3]["proof"], list.uses[4]["proof"]);
    Wrong(trail, list, "changed", 9);
  }
  SECTION("the checkpoint, for another that is signed as well") {
    list.header["checkpoint"] = trail.signer().Sign(trail.HeadAt(kRecords - 1));
    Wrong(trail, list, "signature", 0);
  }
  SECTION("the checkpoint's signature, for another trail's") {
    const std::string other = Signer(trail.signer().key().name, 2).Sign(trail.HeadAt(kRecords));
    list.header["checkpoint"] = other;
    Wrong(trail, list, "signature");
  }
  SECTION("the checkpoint's signature, for none") {
    list.header["checkpoint"] = list.checkpoint.substr(0, list.checkpoint.find("\n\n") + 2);
    const UsesVerdict verdict = Check(trail, list.Text());
    CHECK((verdict.kind == "signature" || verdict.kind == "malformed"));
  }
  SECTION("a use twice") {
    list.uses.insert(list.uses.begin() + 8, list.uses[7]);
    Wrong(trail, list, "changed", 21);
  }
  SECTION("two uses in each other's place") {
    std::swap(list.uses[7], list.uses[8]);
    Wrong(trail, list, "changed", 21);
  }
  SECTION("a use left out") {
    list.uses.erase(list.uses.begin() + 100);
    Wrong(trail, list, "truncated");
  }
  SECTION("a use that was not proven") {
    list.uses[9] = {{"seq", 27}, {"record", list.uses[9]["record"]}, {"fault", "changed"}};
    Wrong(trail, list, "changed", 27);
  }
  SECTION("the end, telling of some that were not proven") {
    list.end["unproven"] = 1;
    Wrong(trail, list, "truncated");
  }
  SECTION("the key whose uses they are") {
    list.header["key_ref"] = "ACME/anthropic/default/2";
    Wrong(trail, list, "changed", 0);
  }
  SECTION("the time from which on they are") {
    list.header["since"] = "2999-01-01T00:00:00Z";
    Wrong(trail, list, "changed", 0);
  }
  SECTION("a record of the key that is no use of it") {
    const auto note = Note::Parse(list.checkpoint);
    const auto database = trail.Open();
    TreeEdge edge;
    EdgedTree tree(*database, edge, kRecords);
    list.uses.insert(list.uses.begin() + 1, UseOf(trail, tree, 1, kRecords, note.value()));
    Wrong(trail, list, "changed", 1);
  }
}

TEST_CASE("uses: what is no list, or is not all of one") {
  const SignedTrail& trail = Whole();
  const std::string text = ListOf(trail, 30).Text();
  const auto kind = [&](const std::string& lines) { return Check(trail, lines).kind; };
  CHECK(kind("") == "malformed");
  CHECK(kind("hello\n") == "malformed");
  CHECK(kind("{}\n") == "malformed");
  CHECK(kind(text.substr(0, text.size() - 1)) == "truncated");
  CHECK(kind(text.substr(0, text.rfind('\n', text.size() - 2) + 1)) == "truncated");
  CHECK(kind(text + "\n") == "malformed");
  CHECK(kind(text + text) == "malformed");
  // A line that hides something behind a NUL, and one longer than any that is written.
  std::string hidden = text;
  hidden.insert(hidden.rfind('\n', hidden.size() - 2), std::string("\0,\"x\":1}", 8));
  CHECK(kind(hidden) == "truncated");
  std::string longer = text;
  longer.insert(longer.find('\n') + 1, std::string(1 << 20, ' '));
  CHECK(kind(longer) == "truncated");
  for (std::size_t cut = 1; cut < text.size(); cut += 97) CHECK(!kind(text.substr(0, cut)).empty());
}

}  // namespace strongroom::audit
