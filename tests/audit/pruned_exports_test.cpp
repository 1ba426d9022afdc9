// What auditlog hands out of a pruned trail, and what it says is not in there.
#include <openssl/sha.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "audit/bundle.h"
#include "tests/audit/pruned_trail.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// RFC 6962 §2.1 as it is written there, over leaf hashes: none of our code.
std::string TreeHash(const std::vector<std::string>& leaves, std::size_t from, std::size_t to) {
  if (to - from == 1) return leaves[from];
  std::size_t left = 1;
  while (2 * left < to - from) left *= 2;
  return Sha256(std::string(1, '\1') + TreeHash(leaves, from, from + left) + TreeHash(leaves, from + left, to));
}

struct Bundle {
  explicit Bundle(const PrunedTrail& trail) : directory(trail.home() + "/bundle") {
    const Run run = Auditlog("export --format bundle --home " + trail.home() + " --out " + directory);
    INFO(run.out);
    REQUIRE(run.status == 0);
    CHECK(run.Has("1022 records below seq 1024 were pruned by policy"));
  }
  std::string Get(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory + '/' + name, std::ios::binary).rdbuf();
    return text.str();
  }
  void Put(const std::string& name, const std::string& content) const { std::ofstream(directory + '/' + name, std::ios::binary) << content; }
  void Bad(std::int64_t seq, const std::string& kind) const {
    const Run run = Auditlog("verify --json --bundle " + directory);
    INFO(run.out);
    CHECK(run.status == 1);
    CHECK(run.Has("\"first_bad_seq\":" + std::to_string(seq) + ",\"kind\":\"" + kind + "\""));
  }
  std::string directory;
};

}  // namespace

TEST_CASE("pruned bundle: hash tiles are all there, and come to the checkpoint by RFC 6962 alone") {
  const PrunedTrail trail;
  const Bundle bundle(trail);
  CHECK_FALSE(fs::exists(bundle.directory + "/tile/entries/000"));
  CHECK_FALSE(fs::exists(bundle.directory + "/tile/entries/003"));
  const std::string entries = bundle.Get("tile/entries/004.p/97");
  std::string hashes;
  for (const std::string name : {"000", "001", "002", "003", "004.p/97"}) hashes += bundle.Get("tile/0/" + name);
  std::vector<std::string> leaves;
  for (std::size_t at = 0; at < hashes.size(); at += 32) leaves.push_back(hashes.substr(at, 32));
  REQUIRE(leaves.size() == 1121);
  std::size_t seq = 1024;
  for (std::size_t at = 0; at < entries.size(); ++seq) {
    const std::size_t size = static_cast<unsigned char>(entries[at]) * 256U + static_cast<unsigned char>(entries[at + 1]);
    CHECK(Sha256(std::string(1, '\0') + entries.substr(at + 2, size)) == leaves.at(seq));
    at += 2 + size;
  }
  CHECK(seq == 1121);
  const auto kept = LinesOf(bundle.Get("pruned.jsonl"));
  REQUIRE(kept.size() == 3);
  CHECK(Sha256(std::string(1, '\0') + kept[0]) == leaves[0]);
  CHECK(Sha256(std::string(1, '\0') + kept[1]) == leaves[300]);
  CHECK(Sha256(std::string(1, '\0') + kept[2]) == leaves[1100]);
  const auto note = LinesOf(bundle.Get("checkpoint"));
  CHECK(note.at(1) == "1121");
  CHECK(note.at(2) == Base64(base::AsBytes(TreeHash(leaves, 0, leaves.size()))));
}

TEST_CASE("pruned bundle: it verifies, and each edit of what is left shows") {
  const PrunedTrail trail;
  const Bundle bundle(trail);
  SECTION("as it is") {
    const Run run = Auditlog("verify --json --bundle " + bundle.directory);
    INFO(run.out);
    CHECK(run.status == 0);
    CHECK(run.Has(R"("pruned":{"before":1024,)"));
  }
  const std::string lines = bundle.Get("pruned.jsonl");
  const auto kept = LinesOf(lines);
  SECTION("without the file") {
    fs::remove(bundle.directory + "/pruned.jsonl");
    bundle.Bad(0, "missing");
  }
  SECTION("a kept record changed") {
    std::string other = lines;
    other.replace(other.find("remove_node"), 11, "remove_nodf");
    bundle.Put("pruned.jsonl", other);
    bundle.Bad(300, "changed");
  }
  SECTION("a kept record left out") {
    bundle.Put("pruned.jsonl", kept[0] + '\n' + kept[2] + '\n');
    bundle.Bad(300, "missing");
  }
  SECTION("another record says so") {
    auto entry = Parse(kept[2]);
    REQUIRE(entry);
    (*entry->draft.after)["days"] = "1";
    bundle.Put("pruned.jsonl", kept[0] + '\n' + kept[1] + '\n' + Serialize(entry->draft, entry->place) + '\n');
    bundle.Bad(1, "missing");
  }
  SECTION("no lines") {
    for (const std::string text : {"", "\n", "x\n", "{}"}) {
      bundle.Put("pruned.jsonl", text);
      bundle.Bad(0, "missing");
    }
  }
  SECTION("a hash of a pruned record") {
    std::string tile = bundle.Get("tile/0/002");
    tile.at(32 * 5) ^= 1;
    bundle.Put("tile/0/002", tile);
    bundle.Bad(512, "index_mismatch");
  }
  SECTION("a tile of them gone") {
    fs::remove(bundle.directory + "/tile/0/001");
    bundle.Bad(256, "index_mismatch");
  }
}

TEST_CASE("pruned: exports at a checkpoint of before are refused") {
  const PrunedTrail trail;
  for (const std::string format : {"tiles", "bundle"}) {
    const Run run = Auditlog("export --format " + format + " --home " + trail.home() + " --out " + trail.home() + "/out --checkpoint " + trail.Checkpoint(1090));
    INFO(run.out);
    CHECK(run.status == 1);
    CHECK(run.Has("export with a newer one"));
  }
  CHECK(Auditlog("export --format tiles --home " + trail.home() + " --out " + trail.home() + "/out").status == 0);
}

TEST_CASE("pruned: lines are of what is left, and that is said") {
  const PrunedTrail trail;
  const std::string out = trail.home() + "/out";
  for (const std::string format : {"jsonl", "ocsf", "rfc5424"}) {
    const Run run = Auditlog("export --format " + format + " --home " + trail.home() + " --out " + out);
    INFO(run.out);
    CHECK(run.status == 0);
    CHECK(run.Has("what lies before 20"));
    const auto lines = LinesOf(trail.Read(out));
    CHECK(lines.size() == 1121 - 1022);
  }
  REQUIRE(Auditlog("export --format jsonl --home " + trail.home() + " --out " + out).status == 0);
  CHECK(LinesOf(trail.Read(out)).at(1) == trail.Record(kLandmark));
  trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 1050");
  CHECK(Auditlog("export --format jsonl --home " + trail.home() + " --out " + out).Has("a record is missing: run auditlog verify (1050)"));
}

TEST_CASE("pruned: searches, reports and gaps say so") {
  const PrunedTrail trail;
  const std::string said = "records below seq 1024 were pruned by policy", home = " --home " + trail.home();
  CHECK(Auditlog("search --limit 1" + home).Has(said));
  CHECK(Auditlog("report denied" + home).Has(said));
  CHECK(Auditlog("report denied --json" + home).Has(said));
  CHECK(Auditlog("report denied --csv" + home).Has(said));
  CHECK(Auditlog("report" + home).Has(said));
  const auto entry = Parse(trail.Record(1030));
  REQUIRE(entry);
  CHECK_FALSE(Auditlog("search --since " + base::FormatTime(entry->place.time) + home).Has(said));
  const Run gaps = Auditlog("report gaps --csv" + home);
  INFO(gaps.out);
  CHECK(gaps.Has(",pruned,0,300,"));
  CHECK(gaps.Has(",pruned,300,1024,"));
  CHECK_FALSE(gaps.Has("missing,"));
  trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 300");
  CHECK(Auditlog("report gaps --csv" + home).Has(",missing,0,1024,"));
}

TEST_CASE("pruned: a record that is gone can be proved by who has a copy") {
  const PrunedTrail trail;
  const std::string proof = trail.home() + "/proof";
  const std::string command = "prove inclusion 500 --home " + trail.home();
  CHECK(Auditlog(command).Has("record 500 was pruned"));
  REQUIRE(Auditlog(command + " 2>/dev/null >" + proof + "; test -s " + proof).status == 0);
  const std::string record = trail.Write("record", trail.OldRecord(500));
  const Run run = Auditlog("verify --proof " + proof + " --record " + record + " --vkey " + trail.vkey());
  INFO(run.out);
  CHECK(run.status == 0);
  CHECK(Auditlog("prove consistency 700 --home " + trail.home()).status == 0);
  CHECK(Auditlog("vkey --home " + trail.home()).Has(trail.vkey()));
}

}  // namespace strongroom::audit
