// Proofs as auditlog prints them, checked with nothing but the key and the record.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "audit/tree.h"
#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

constexpr std::int64_t kRecords = 600;

bool Proves(const SignedTrail& trail, const std::string& text, std::int64_t seq) {
  const auto proof = RecordProof::Parse(text);
  if (!proof || proof->index != seq || CheckSignature(proof->checkpoint, trail.signer().key()) != Signed::kYes) return false;
  const auto checkpoint = Checkpoint::Parse(proof->checkpoint.text);
  return checkpoint && VerifyInclusion(seq, checkpoint->head, HashLeaf(trail.Record(seq)), proof->path);
}

void Refused(const std::string& arguments, const std::string& part, int status = 1) {
  const Run run = Auditlog(arguments);
  INFO(arguments << ": " << run.out);
  CHECK(run.status == status);
  CHECK(run.Has(part));
}

}  // namespace

TEST_CASE("prove: a record is in the trail, to whoever has the key") {
  const SignedTrail trail(kRecords);
  for (const std::int64_t seq : {0, 1, 255, 256, 511, 599}) {
    const Run run = Auditlog("prove inclusion " + std::to_string(seq) + " --home " + trail.home());
    INFO(run.out);
    CHECK(run.status == 0);
    CHECK(Proves(trail, run.out, seq));
  }
  const std::string some = trail.Checkpoint(300);
  const Run run = Auditlog("prove inclusion 7 --checkpoint " + some + " --db " + trail.Copy("copy.db"));
  CHECK(run.status == 0);
  CHECK(Proves(trail, run.out, 7));
  CHECK(run.Has("\n300\n"));
  CHECK(Auditlog("--home " + trail.home() + " prove inclusion 7").status == 0);
}

TEST_CASE("prove: a checkpoint grew out of another, as witnesses are asked") {
  const SignedTrail trail(kRecords);
  const auto split = [](const std::string& text) {
    std::vector<Hash> hashes;
    std::size_t at = text.find('\n') + 1;
    for (; text[at] != '\n'; at += 45) {
      const auto bytes = FromBase64(text.substr(at, 44));
      REQUIRE(bytes);
      REQUIRE(bytes->size() == 32);
      std::copy(bytes->begin(), bytes->end(), hashes.emplace_back().begin());
    }
    return std::pair(hashes, text.substr(at + 1));
  };
  for (const std::int64_t old : {0, 1, 256, 300, 599, 600}) {
    const Run run = Auditlog("prove consistency " + std::to_string(old) + " --home " + trail.home());
    INFO(run.out);
    CHECK(run.status == 0);
    CHECK(run.out.starts_with("old " + std::to_string(old) + "\n"));
    const auto [hashes, note] = split(run.out);
    CHECK(note == trail.signer().Sign(trail.HeadAt(kRecords)));
    CHECK(VerifyConsistency(trail.HeadAt(old), trail.HeadAt(kRecords), hashes));
  }
  CHECK(Auditlog("prove consistency 300 600 --home " + trail.home()).status == 0);
  CHECK(Auditlog("prove consistency 200 300 --checkpoint " + trail.Checkpoint(300) + " --home " + trail.home()).status == 0);
}

TEST_CASE("prove and vkey: one JSON object with --json") {
  const SignedTrail trail(kRecords);
  const std::string home = " --json --home " + trail.home();
  const auto inclusion = nlohmann::json::parse(Auditlog("prove inclusion 7" + home).out);
  CHECK(inclusion.at("seq") == 7);
  CHECK(inclusion.at("size") == kRecords);
  CHECK(inclusion.at("origin") == trail.signer().key().name);
  CHECK(inclusion.at("leaf") == LeafHash(trail.Record(7)));
  CHECK(Proves(trail, inclusion.at("proof"), 7));
  const auto consistency = nlohmann::json::parse(Auditlog("prove consistency 300" + home).out);
  CHECK(consistency.at("old_size") == 300);
  CHECK(consistency.at("request") == Auditlog("prove consistency 300 --home " + trail.home()).out);
  const auto vkey = nlohmann::json::parse(Auditlog("vkey" + home).out);
  CHECK(vkey.at("vkey") == trail.vkey());
  CHECK(vkey.at("origin") == trail.signer().key().name);
  for (const char* command : {"prove", "prove inclusion", "vkey", "checkpoint"}) {
    const Run help = Auditlog(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(help.Has("one JSON object"));
    CHECK_FALSE(help.Has("exact bytes, one a line"));
  }
}

TEST_CASE("prove: what cannot be proved is refused, and says why") {
  const SignedTrail trail(kRecords);
  const std::string home = " --home " + trail.home();
  Refused("prove inclusion 600" + home, "is not under");
  Refused("prove inclusion 400 --checkpoint " + trail.Checkpoint(300) + home, "300 records");
  Refused("prove consistency 601" + home, "OLD is larger");
  Refused("prove consistency 200 300" + home, "name the one of that size with --checkpoint");
  Refused("prove inclusion 7 --db " + trail.file().string(), "name the checkpoint to prove against");
  Refused("prove inclusion -1" + home, "auditlog", 2);
  Refused("prove inclusion" + home, "auditlog", 2);
  Refused("prove" + home, "auditlog", 2);
  // Another trail's checkpoint.
  Head other = trail.HeadAt(300);
  other.root[0] ^= 1;
  Refused("prove inclusion 7 --checkpoint " + trail.Write("other", trail.signer().Sign(other)) + home, "run auditlog verify");
  Refused("prove consistency 7 --checkpoint " + trail.Write("other", trail.signer().Sign(other)) + home, "run auditlog verify");
  // Another's signature, over the right tree.
  const Signer wrong(trail.signer().key().name, 2);
  const std::string not_ours = " --checkpoint " + trail.Write("not-ours", wrong.Sign(trail.HeadAt(300)));
  Refused("prove inclusion 7" + not_ours + home, "is not signed by the log's key");
  Refused("prove consistency 7" + not_ours + home, "is not signed by the log's key");
  Refused("prove inclusion 7 --vkey " + wrong.key().Print() + home, "is not signed by the key of --vkey");
  Refused("prove inclusion 7 --vkey " + trail.vkey() + home, "index 7", 0);
  const std::string body = Checkpoint{trail.signer().key().name, trail.HeadAt(300)}.Body();
  Refused("prove inclusion 7 --checkpoint " + trail.Write("forged", body + '\n' + trail.signer().Line(body + "x")) + home, "is forged");
  trail.Grow(1, true);
  Refused("prove inclusion 7" + home, "not signed");
  std::filesystem::remove(trail.anchor());
  Refused("prove inclusion 7" + home, "is missing");
}

TEST_CASE("prove: a proof is verified with the record and the key alone") {
  const SignedTrail trail(kRecords);
  const std::string proof = trail.Write("proof", Auditlog("prove inclusion 7 --home " + trail.home()).out);
  const std::string record = trail.Write("record", trail.Record(7) + "\n"), other = trail.Write("other", trail.Record(8));
  const std::string by_key = " --vkey " + trail.vkey();
  Refused("verify --proof " + proof + " --record " + record + by_key, "the record stands at that seq", 0);
  Refused("verify --json --proof " + proof + " --record " + record + by_key, "{\"verdict\":\"verified\",\"seq\":7,\"size\":600", 0);
  Refused("verify --proof " + proof + " --record " + other + by_key, "changed");
  Refused("verify --json --proof " + proof + " --record " + other + by_key, "\"kind\":\"changed\"");
  Refused("verify --proof " + proof + " --record " + record + " --vkey " + Signer(trail.signer().key().name, 2).key().Print(), "signature");
  Refused("verify --proof " + proof + " --record " + record + " --vkey " + Signer("other/log", 1).key().Print(), "of another log");
  const Signer witness("w.example/one", 11, SignatureType::kCosignature);
  Refused("verify --proof " + proof + " --record " + record + by_key + " --witness " + witness.key().Print(), "too few witnesses", 3);
  const std::string body = Checkpoint{trail.signer().key().name, trail.HeadAt(kRecords)}.Body();
  const std::string cosigned = trail.Write("cosigned", trail.Read(proof) + witness.CosignLine(body, 1));
  Refused("verify --proof " + cosigned + " --record " + record + by_key + " --witness " + witness.key().Print(), "the record stands", 0);
  Refused("verify --proof " + proof + " --record " + record, "--vkey", 2);
  Refused("verify --proof " + proof + by_key, "auditlog", 2);
  Refused("verify --proof " + record + " --record " + record + by_key, "this is no proof", 2);
}

TEST_CASE("prove: numbers are decimal, and within what a trail can have") {
  const SignedTrail trail(12);
  const std::string place = " --home " + trail.directory().string();
  CHECK(Auditlog("prove inclusion 010" + place).out == Auditlog("prove inclusion 10" + place).out);
  for (const char* number : {"0x10", "-1", "abc", "1.5", "99999999999999999999", "9007199254740992", "''"}) {
    const Run run = Auditlog(std::string("prove inclusion ") + number + place);
    INFO(number << ": " << run.out);
    CHECK(run.status == 2);
    CHECK(run.out.size() < 200);
  }
  CHECK(Auditlog("export --format jsonl --from 5 --to 4" + place).status == 2);
}

TEST_CASE("vkey: the key to note elsewhere, from a home and from a copy") {
  const SignedTrail trail(3);
  for (const std::string& arguments : {"vkey --home " + trail.home(), "vkey --db " + trail.file().string()}) {
    const Run run = Auditlog(arguments);
    CHECK(run.status == 0);
    CHECK(run.out == trail.vkey() + "\n");
  }
  Refused("vkey --home " + trail.home() + "/nowhere", "strongroom.toml");
}

}  // namespace strongroom::audit
