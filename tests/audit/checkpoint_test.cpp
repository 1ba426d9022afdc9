// Checkpoints and proofs against the examples of C2SP (tlog-checkpoint.md, tlog-proof.md, tlog-witness.md, CC-BY-4.0), and against the
// tree vectors of transparency-dev/merkle (Apache-2.0, testonly/constants.go) in merkle_test.cpp.
#include "audit/checkpoint.h"

#include <algorithm>

#include "tests/audit/signer.h"
// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::audit {
namespace {

const std::string kSofaRoot = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
const std::string kSofaText = "example.com/behind-the-sofa\n20852163\n" + kSofaRoot + "\n";
const std::string kSofa =
    kSofaText +
    "\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

Hash HashOf(std::string_view base64) {
  const auto bytes = FromBase64(base64);
  REQUIRE(bytes);
  Hash hash;
  REQUIRE(bytes->size() == hash.size());
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

// The example of tlog-proof.md, its header and path as they stand there, under a checkpoint that is a note (that of tlog-checkpoint.md).
const std::string kProofTop =
    "index 73894\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
    "EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\nRoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n"
    "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n\n";
const std::string kHeader = "c2sp.org/tlog-proof@v1\n";

}  // namespace

TEST_CASE("the published checkpoint is read, and written back") {
  const auto note = Note::Parse(kSofa);
  REQUIRE(note);
  const auto checkpoint = Checkpoint::Parse(note->text);
  REQUIRE(checkpoint);
  CHECK(checkpoint->origin == "example.com/behind-the-sofa");
  CHECK(checkpoint->head == Head{20852163, HashOf(kSofaRoot)});
  CHECK(checkpoint->Body() == kSofaText);
}

TEST_CASE("extension lines are passed over, but not empty ones") {
  CHECK(Checkpoint::Parse(kSofaText + "an extension\nanother\n"));
  CHECK_FALSE(Checkpoint::Parse(kSofaText + "\n"));
  CHECK_FALSE(Checkpoint::Parse(kSofaText + "an extension\n\nanother\n"));
  CHECK_FALSE(Checkpoint::Parse(kSofaText + "no newline"));
}

TEST_CASE("what is no checkpoint is refused") {
  const auto text = [](const std::string& origin, const std::string& size, const std::string& root) {
    return origin + '\n' + size + '\n' + root + '\n';
  };
  REQUIRE(Checkpoint::Parse(text("o", "5", kSofaRoot)));
  for (const char* size : {"", "05", "00", "-1", "+5", " 5", "5 ", "5.0", "0x5", "5e3", "9007199254740992", "9223372036854775808",
                           "99999999999999999999999"}) {
    INFO(size);
    CHECK_FALSE(Checkpoint::Parse(text("o", size, kSofaRoot)));
  }
  CHECK(Checkpoint::Parse(text("o", "9007199254740991", kSofaRoot)));
  CHECK(Checkpoint::Parse(text("o", "0", kSofaRoot)));
  const std::string no_padding = kSofaRoot.substr(0, kSofaRoot.size() - 1);
  for (const std::string& root : {std::string(), no_padding, no_padding + "A", "C" + kSofaRoot, kSofaRoot + "=", " " + kSofaRoot,
                                  no_padding.substr(0, no_padding.size() - 1) + "J=", std::string("Zm9v"), kSofaRoot.substr(4),
                                  Base64(Bytes(33, 1)), Base64(Bytes(64, 1))}) {
    INFO(root);
    CHECK_FALSE(Checkpoint::Parse(text("o", "5", root)));
  }
  CHECK_FALSE(Checkpoint::Parse(text("", "5", kSofaRoot)));
  CHECK_FALSE(Checkpoint::Parse(""));
  CHECK_FALSE(Checkpoint::Parse("o\n"));
  CHECK_FALSE(Checkpoint::Parse("o\n5\n"));
  CHECK_FALSE(Checkpoint::Parse("o\n5\n" + kSofaRoot));  // its last line does not end
  CHECK_FALSE(Checkpoint::Parse("o\r\n5\r\n" + kSofaRoot + "\r\n"));
}

TEST_CASE("the published proof is read, and written back without its extra line") {
  const std::string whole = kHeader + kProofTop + kSofa;
  const auto proof = RecordProof::Parse(whole);
  REQUIRE(proof);
  CHECK(proof->index == 73894);
  REQUIRE(proof->path.size() == 5);
  CHECK(proof->path.front() == HashOf("gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="));
  CHECK(proof->checkpoint.Print() == kSofa);
  CHECK(proof->Print() == whole);
  const auto with_extra = RecordProof::Parse(kHeader + "extra ZXh0cmEgaW5mb3JtYXRpb24=\n" + kProofTop + kSofa);
  REQUIRE(with_extra);
  CHECK(with_extra->Print() == whole);
  // The one leaf of a tree has an empty path.
  const auto alone = RecordProof::Parse(kHeader + "index 0\n\n" + kSofa);
  REQUIRE(alone);
  CHECK(alone->path.empty());
}

TEST_CASE("what is no proof is refused") {
  const auto refused = [](const std::string& text) {
    INFO(text.substr(0, 300));
    CHECK_FALSE(RecordProof::Parse(text));
  };
  refused("");
  refused(kHeader);
  refused("c2sp.org/tlog-proof@v2\n" + kProofTop + kSofa);
  refused("wrong-header\nindex 0\n\n" + kSofa);
  refused(" " + kHeader + kProofTop + kSofa);
  refused(kHeader + "extra !!notbase64!!\nindex 0\n\n" + kSofa);
  refused(kHeader + "extra ZXh0cmE=\nextra ZXh0cmE=\nindex 0\n\n" + kSofa);
  refused(kHeader + "index 0\nextra ZXh0cmE=\n\n" + kSofa);
  for (const char* index : {"index", "index ", "index notanumber", "index -5", "index 05", "index  5", "Index 5", "index 5 ",
                            "index 9007199254740992", ""}) {
    refused(kHeader + index + "\n\n" + kSofa);
  }
  refused(kHeader + "index 0\n!!notbase64!!\n\n" + kSofa);
  refused(kHeader + "index 0\n" + Base64(Bytes(64, 0)) + "\n\n" + kSofa);
  refused(kHeader + "index 0\n" + Base64(Bytes(31, 0)) + "\n\n" + kSofa);
  refused(kHeader + "index 0\n" + kSofa);           // no empty line
  refused(kHeader + "index 0\n\n" + kSofaText);     // no note
  refused(kHeader + "index 0\n" + std::string(65 * 1024, 'a') + "\n");
  std::string path;
  for (int i = 0; i < 63; ++i) path += kSofaRoot + '\n';
  CHECK(RecordProof::Parse(kHeader + "index 0\n" + path + '\n' + kSofa));
  refused(kHeader + "index 0\n" + path + kSofaRoot + "\n\n" + kSofa);
}

TEST_CASE("what a witness is asked with is the published form") {
  const std::string lines =
      "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
      "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n";
  std::vector<Hash> proof;
  for (std::size_t at = 0; at < lines.size(); at += 45) proof.push_back(HashOf(std::string_view(lines).substr(at, 44)));
  const auto note = Note::Parse(kSofa);
  REQUIRE(note);
  CHECK(ConsistencyRequest(20852014, proof, *note) == "old 20852014\n" + lines + '\n' + kSofa);
  CHECK(ConsistencyRequest(0, {}, *note) == "old 0\n\n" + kSofa);
}

TEST_CASE("a signed checkpoint carries a proof to whoever has the key alone") {
  const Signer log("strongroom/test/audit", 1);
  Edge edge;
  for (const char* leaf : {"a", "b", "c"}) edge.Append(HashLeaf(leaf));
  RecordProof made;
  made.index = 2;
  made.path = {HashChildren(HashLeaf("a"), HashLeaf("b"))};
  made.checkpoint = *Note::Parse(log.Sign(edge.head()));
  const auto proof = RecordProof::Parse(made.Print());
  REQUIRE(proof);
  REQUIRE(CheckSignature(proof->checkpoint, log.key()) == Signed::kYes);
  const auto checkpoint = Checkpoint::Parse(proof->checkpoint.text);
  REQUIRE(checkpoint);
  CHECK(VerifyInclusion(proof->index, checkpoint->head, HashLeaf("c"), proof->path));
  CHECK_FALSE(VerifyInclusion(proof->index, checkpoint->head, HashLeaf("b"), proof->path));
}

}  // namespace strongroom::audit
