// Signed notes against published ones:
//   golang.org/x/mod, sumdb/note/note_test.go (BSD-3-Clause): the keys and signatures of PeterNeumann and EnochRoot, and what is malformed;
//   C2SP, signed-note.md and tlog-cosignature.md (CC-BY-4.0): the examples, whose keys are not published, so they are parsed only;
//   transparency-dev/formats, note/note_cosigv1_test.go (Apache-2.0): the verifier key of the witness remora.n621.de;
//   the public log arche2025h1.staging.ct.transparency.dev: a checkpoint that it and that witness signed.
#include "audit/note.h"

#include <algorithm>

#include "tests/audit/signer.h"
// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::audit {
namespace {

constexpr std::string_view kPeterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kPeterSecret = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr std::string_view kEnochKey = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const std::string kText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const std::string kPeterLine =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const std::string kEnochLine =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

const std::string kRealText =
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n";
const std::string kReal =
    kRealText +
    "\n— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
constexpr std::string_view kRealKey = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
constexpr std::string_view kRemoraKey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

VerifierKey Key(std::string_view text) {
  auto key = VerifierKey::Parse(text);
  REQUIRE(key);
  return std::move(*key);
}

Note Parsed(std::string_view text) {
  auto note = Note::Parse(text);
  INFO(text);
  REQUIRE(note);
  REQUIRE(note->Print() == text);
  return std::move(*note);
}

std::string Repeat(const std::string& line, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += line;
  return out;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("published verifier keys are read, and written back") {
  for (const std::string_view text : {kPeterKey, kEnochKey, kRealKey, kRemoraKey}) CHECK(Key(text).Print() == text);
  const VerifierKey peter = Key(kPeterKey);
  CHECK(peter.name == "PeterNeumann");
  CHECK(peter.id == 0xc74f20a3);
  CHECK(peter.type == SignatureType::kEd25519);
  CHECK(Key(kRemoraKey).type == SignatureType::kCosignature);
  // The ID is computed from name, type and key.
  CHECK(VerifierKey::Of("PeterNeumann", SignatureType::kEd25519, peter.public_key) == peter);
  CHECK(VerifierKey::Of("PeterNeumann", SignatureType::kCosignature, peter.public_key)->id != peter.id);
}

TEST_CASE("a verifier key that was mangled is refused") {
  const std::string key(kPeterKey);
  for (std::size_t begin = 0; begin <= key.size(); ++begin) {
    for (std::size_t end = begin; end <= key.size(); ++end) {
      if (begin != 0 || end != key.size()) REQUIRE_FALSE(VerifierKey::Parse(key.substr(begin, end - begin)));
    }
  }
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::string mangled = key;
    ++mangled[i];
    INFO(mangled);
    REQUIRE_FALSE(VerifierKey::Parse(mangled));
  }
  // As the published tests have them: a key that is too long, and an unknown type, each with the ID that fits.
  CHECK_FALSE(VerifierKey::Parse("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="));
  CHECK_FALSE(VerifierKey::Parse("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
  CHECK_FALSE(VerifierKey::Parse("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
  CHECK_FALSE(VerifierKey::Parse(key + "\n"));
  CHECK_FALSE(VerifierKey::Parse(" " + key));
}

TEST_CASE("names that no note may hold are refused") {
  const Bytes public_key(32, 7);
  for (const char* name : {"", "a b", "a+b", "a\tb", "a\nb", "a\x7f", "\xff", "a\xc2\xa0z", "\xe2\x80\x83", "a\xe3\x80\x80", "a\xc2\x85"}) {
    INFO(name);
    CHECK_FALSE(VerifierKey::Of(name, SignatureType::kEd25519, public_key));
    CHECK_FALSE(Note::Parse(kText + "\n— " + name + " x08go/ZJ\n"));
  }
  CHECK(VerifierKey::Of("zo\xc3\xab/audit", SignatureType::kEd25519, public_key));
  CHECK_FALSE(VerifierKey::Of(std::string(1001, 'a'), SignatureType::kEd25519, public_key));
  CHECK_FALSE(VerifierKey::Of("a", SignatureType::kEd25519, Bytes(31, 7)));
  CHECK_FALSE(VerifierKey::Of("a", SignatureType::kEd25519, Bytes(33, 7)));
}

TEST_CASE("the published note is signed by whom it says") {
  const Note note = Parsed(kText + '\n' + kPeterLine + kEnochLine);
  CHECK(note.text == kText);
  REQUIRE(note.signatures.size() == 2);
  CHECK(CheckSignature(note, Key(kPeterKey)) == Signed::kYes);
  CHECK(CheckSignature(note, Key(kEnochKey)) == Signed::kYes);
  CHECK(CheckSignature(Parsed(kText + '\n' + kPeterLine), Key(kEnochKey)) == Signed::kNot);
  // Ed25519 is deterministic: the published secret makes the published line.
  const auto secret = FromBase64(kPeterSecret);
  REQUIRE(secret);
  const Signer peter("PeterNeumann", ByteView(*secret).subspan(1));
  CHECK(peter.key() == Key(kPeterKey));
  CHECK(peter.Line(kText) == kPeterLine);
}

TEST_CASE("a signature that does not fit is forged, and that of another key is none") {
  const VerifierKey peter = Key(kPeterKey);
  // Another text.
  CHECK(CheckSignature(Parsed(Replaced(kText, "answer", "Answer") + '\n' + kPeterLine), peter) == Signed::kForged);
  // A signature of another length, as published.
  CHECK(CheckSignature(Parsed(kText + '\n' + std::string(kPeterLine).insert(60, "ABCD")), peter) == Signed::kForged);
  // Every bit of the signature counts.
  Note note = Parsed(kText + '\n' + kPeterLine);
  for (std::size_t i = 0; i < kEd25519Bytes * 8; ++i) {
    const auto bit = static_cast<std::uint8_t>(1U << (i % 8));
    note.signatures[0].signature[i / 8] ^= bit;
    REQUIRE(CheckSignature(note, peter) == Signed::kForged);
    note.signatures[0].signature[i / 8] ^= bit;
  }
  note.signatures[0].signature.clear();
  CHECK(CheckSignature(note, peter) == Signed::kForged);
  // One name with another ID, and one ID with another name, are other keys.
  CHECK(CheckSignature(Parsed(kText + '\n' + Replaced(kPeterLine, "PeterNeumann", "CarmenSandiego")), peter) == Signed::kNot);
  CHECK(CheckSignature(Parsed(kText + '\n' + Replaced(kPeterLine, "x08g", "xxxx")), peter) == Signed::kNot);
  CHECK(CheckSignature(Parsed(kText + '\n'), peter) == Signed::kNot);
}

TEST_CASE("of two signatures by one key the first counts") {
  const VerifierKey peter = Key(kPeterKey);
  const std::string forged = Replaced(kPeterLine, "ZJkuBS", "ZJkuBT");
  CHECK(CheckSignature(Parsed(kText + '\n' + kPeterLine + kPeterLine), peter) == Signed::kYes);
  CHECK(CheckSignature(Parsed(kText + '\n' + kPeterLine + forged), peter) == Signed::kYes);
  CHECK(CheckSignature(Parsed(kText + '\n' + forged + kPeterLine), peter) == Signed::kForged);
}

TEST_CASE("what is no note is refused") {
  const std::string good = kText + '\n' + kPeterLine;
  const std::string line = kPeterLine;
  const std::string bad[] = {
      "", "\n", kText, kText + kPeterLine, good.substr(0, good.size() - 1), "\x01" + good, "\xff" + good, good + std::string(1, '\0'),
      kText + "\r\n" + kPeterLine,
      kText + "\n— Bad Name x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
      good + "Unexpected line.\n",
      good + "\n",  // an empty line would end the text elsewhere
      kText + "\n-" + line.substr(3),   // no em dash
      kText + "\n—" + line.substr(4),   // no space behind it
      Replaced(good, "nAM=", "nAM"),    // no padding
      Replaced(good, "nAM=", "nAN="),   // bits that mean nothing
      Replaced(good, "nAM=", "nAM=="),
      Replaced(good, "nAM=", "nAM= "),
      Replaced(good, "nAM=", "n_M="),   // the other alphabet
      Replaced(good, "x08go/", " x08go/"),
      kText + "\n— PeterNeumann x08gow==\n",  // an ID and nothing behind it
      kText + "\n— PeterNeumann \n", kText + "\n— PeterNeumann\n", kText + "\n— \n",
      kText + '\n' + Repeat(kPeterLine, 101),
      kText + std::string(kMostNoteBytes, 'x') + "\n\n" + kPeterLine};
  for (const std::string& text : bad) {
    INFO(text.substr(0, 400));
    // "good" with one newline more is a longer text without signatures, which nobody is bound by.
    const auto note = Note::Parse(text);
    if (text == good + "\n") {
      REQUIRE(note);
      CHECK(note->signatures.empty());
    } else {
      CHECK_FALSE(note);
    }
  }
  CHECK(Parsed(kText + '\n' + Repeat(kPeterLine, 100)).signatures.size() == 100);
  CHECK(Parsed(kText + '\n').signatures.empty());
}

TEST_CASE("the examples of C2SP are notes") {
  const Note poem = Parsed(
      "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
      "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n");
  CHECK(poem.text.ends_with(":\n\ned è subito sera.\n"));  // the last empty line counts
  REQUIRE(poem.signatures.size() == 1);
  CHECK(poem.signatures[0].name == "quasimodo.example/salvatore");
  CHECK(poem.signatures[0].id == 0x367ba04b);
  const Note sofa = Parsed(
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
      "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n");
  REQUIRE(sofa.signatures.size() == 2);
  CHECK(sofa.signatures[1].signature.size() == 72);
}

TEST_CASE("a real log's checkpoint and its witness's cosignature verify") {
  const Note note = Parsed(kReal);
  CHECK(CheckSignature(note, Key(kRealKey)) == Signed::kYes);
  CHECK(CosignedAt(note, Key(kRemoraKey)) == 0x6a122120);
  const Note clobbered = Parsed(Replaced(kReal, "1432088532", "42"));
  CHECK(CheckSignature(clobbered, Key(kRealKey)) == Signed::kForged);
  CHECK_FALSE(CosignedAt(clobbered, Key(kRemoraKey)));
  // The time is signed too, and a witness's line is its own.
  CHECK_FALSE(CosignedAt(Parsed(Replaced(kReal, "2net5wAAAABq", "2net5wAAAABr")), Key(kRemoraKey)));
  CHECK_FALSE(CosignedAt(Parsed(Replaced(kReal, "remora.n621.de", "remora.n621.dk")), Key(kRemoraKey)));
}

TEST_CASE("a cosignature is none where its length or its time cannot be") {
  const Signer witness("witness.example/w", 9, SignatureType::kCosignature);
  const std::string text = "log\n1\nx\n";
  CHECK(CosignedAt(Parsed(text + '\n' + witness.CosignLine(text, 0)), witness.key()) == 0);
  CHECK(CosignedAt(Parsed(text + '\n' + witness.CosignLine(text, INT64_MAX)), witness.key()) == INT64_MAX);
  CHECK_FALSE(CosignedAt(Parsed(text + '\n' + witness.CosignLine(text, std::uint64_t{1} << 63)), witness.key()));
  // A plain signature under the witness's ID.
  CHECK_FALSE(CosignedAt(Parsed(text + '\n' + witness.Line(text)), witness.key()));
  CHECK_FALSE(CosignedAt(Parsed(text + '\n'), witness.key()));
}

TEST_CASE("base64 is read as it is written, and not otherwise") {
  // RFC 4648 §10.
  const std::pair<std::string_view, std::string_view> published[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : published) {
    CHECK(Base64(base::AsBytes(plain)) == encoded);
    const auto decoded = FromBase64(encoded);
    REQUIRE(decoded);
    CHECK(base::AsText(*decoded) == plain);
  }
  for (const char* bad : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "=", "Zg==Zg==", "Zm9v\n", " Zm9", "Zm-v", "Zm9vZg==\n\n\n\n"}) {
    INFO(bad);
    CHECK_FALSE(FromBase64(bad));
  }
}

}  // namespace strongroom::audit
