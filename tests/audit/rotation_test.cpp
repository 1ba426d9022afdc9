// A log that goes on under another key: which checkpoints count for whom who noted one of its keys, and what an attacker gets.
#include "audit/rotation.h"

#include <filesystem>

#include "audit/source.h"
#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

const std::string kLog = "strongroom/test/audit";

// Rotated is a trail whose keys are changed as vaultd changes them. Its database has no anchor.
class Rotated : public SignedTrail {
 public:
  Rotated() : SignedTrail(20) {}

  std::int64_t Tell(std::string_view action, const Signer& before, const Signer& after, const std::string& handover = "") const {
    Draft draft = SampleDraft("admin");
    draft.action = action;
    draft.before = Facts{{"verifier_key", before.key().Print()}};
    draft.after = Facts{{"verifier_key", after.key().Print()}};
    if (!handover.empty()) draft.after->emplace("checkpoint", handover);
    const auto writer = StartWriter();
    REQUIRE(writer->Append(draft));
    return writer->last_seq();
  }
  // Rotate is the record, ten records more, and the record that the old key is gone; it returns the first one's seq.
  std::int64_t Rotate(const Signer& before, const Signer& after) const {
    const std::int64_t seq = Tell(kRotateSigningKey, before, after);
    Fill(10);
    Tell(kEraseSigningKey, before, after, Both(seq + 1, before, after));
    Fill(10);
    return seq;
  }
  std::string Both(std::int64_t size, const Signer& before, const Signer& after) const {
    const std::string note = before.Sign(HeadAt(size));
    return note + after.Line(note.substr(0, note.find("\n\n") + 1));
  }
  std::int64_t records() const { return Verify().records; }
  // Ask holds the trail against notes, by the key of `trusted`, or where `own` by it as the database names it.
  Verdict Ask(const Signer& trusted, const std::vector<std::string>& notes, bool own = false) const {
    const auto database = Open();
    DatabaseSource source(*database);
    Question question;
    question.trust = {trusted.key().public_key, own ? "" : trusted.key().name};
    for (const std::string& text : notes) {
      auto note = Note::Parse(text);
      REQUIRE(note);
      auto claim = Claim::Of("note", std::move(*note));
      REQUIRE(claim);
      question.claims.push_back(std::move(*claim));
    }
    auto verdict = strongroom::audit::Verify(source, question);
    REQUIRE(verdict);
    return std::move(*verdict);
  }

  const Signer &a = signer(), b{kLog, 2}, c{kLog, 3}, thief{kLog, 9};
};

void CheckVouched(const Verdict& verdict, std::int64_t size) {
  INFO((verdict.fault ? verdict.fault->kind + ": " + verdict.fault->detail : std::string()));
  CHECK_FALSE(verdict.fault);
  CHECK(verdict.vouched == size);
}

void CheckNotSigned(const Verdict& verdict) {
  REQUIRE(verdict.fault);
  CHECK(verdict.fault->kind == "signature");
}

}  // namespace

TEST_CASE("who noted the old key verifies what the new one signs: the record of the erasure quotes the handover") {
  const Rotated trail;
  trail.Rotate(trail.a, trail.b);
  const std::int64_t records = trail.records();
  CheckVouched(trail.Ask(trail.a, {trail.b.Sign(trail.HeadAt(records))}), records);
  CheckVouched(trail.Ask(trail.b, {trail.b.Sign(trail.HeadAt(records))}), records);
}

TEST_CASE("while both sign, a checkpoint that both signed hands over by itself") {
  const Rotated trail;
  const std::int64_t seq = trail.Tell(kRotateSigningKey, trail.a, trail.b);
  trail.Fill(5);
  const std::string newest = trail.b.Sign(trail.HeadAt(seq + 6));
  CheckNotSigned(trail.Ask(trail.a, {newest}));
  CheckVouched(trail.Ask(trail.a, {newest, trail.Both(seq + 3, trail.a, trail.b)}), seq + 6);
  CheckVouched(trail.Ask(trail.a, {trail.Both(seq + 6, trail.a, trail.b)}), seq + 6);
  CheckVouched(trail.Ask(trail.b, {trail.Both(seq + 6, trail.a, trail.b)}), seq + 6);
}

TEST_CASE("who noted the old key has what the home published by the new one held against it") {
  const Rotated trail;
  trail.Rotate(trail.a, trail.b);
  const std::string before = trail.Copy("before.db");
  const std::int64_t records = trail.records();
  trail.Fill(5);
  std::filesystem::create_directory(trail.home() + "/checkpoints");
  trail.Write("checkpoints/checkpoint", trail.b.Sign(trail.HeadAt(records + 5)));
  const std::string verify = "verify --home " + trail.home() + " --vkey " + trail.a.key().Print();
  const Run whole = Auditlog(verify);
  INFO(whole.out);
  CHECK(whole.Has("the newest of " + std::to_string(records + 5) + " records"));
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(trail.file().string() + beside);
  std::filesystem::copy_file(before, trail.file(), std::filesystem::copy_options::overwrite_existing);
  const Run run = Auditlog(verify);
  INFO(run.out);
  CHECK(run.status == 1);
  CHECK(run.Has("truncated"));
}

TEST_CASE("rotations chain, forwards and backwards") {
  const Rotated trail;
  trail.Rotate(trail.a, trail.b);
  trail.Rotate(trail.b, trail.c);
  const std::int64_t records = trail.records();
  CheckVouched(trail.Ask(trail.a, {trail.c.Sign(trail.HeadAt(records))}), records);
  CheckVouched(trail.Ask(trail.b, {trail.c.Sign(trail.HeadAt(records)), trail.a.Sign(trail.HeadAt(7))}), records);
  CheckVouched(trail.Ask(trail.c, {trail.c.Sign(trail.HeadAt(records)), trail.a.Sign(trail.HeadAt(20))}), records);
}

TEST_CASE("who noted the new key takes the old one's checkpoints up to the record that it was erased, and none beyond") {
  const Rotated trail;
  const std::int64_t seq = trail.Rotate(trail.a, trail.b);
  const std::int64_t erased = seq + 11;
  CheckVouched(trail.Ask(trail.b, {trail.a.Sign(trail.HeadAt(seq))}), seq);
  CheckVouched(trail.Ask(trail.b, {trail.a.Sign(trail.HeadAt(erased))}), erased);
  CheckNotSigned(trail.Ask(trail.b, {trail.a.Sign(trail.HeadAt(erased + 1))}));
  CheckNotSigned(trail.Ask(trail.a, {trail.a.Sign(trail.HeadAt(erased + 1))}));
}

TEST_CASE("the new key does not count for what is older than its record") {
  const Rotated trail;
  const std::int64_t seq = trail.Rotate(trail.a, trail.b);
  CheckNotSigned(trail.Ask(trail.a, {trail.b.Sign(trail.HeadAt(seq))}));
  CheckVouched(trail.Ask(trail.a, {trail.b.Sign(trail.HeadAt(seq + 1))}), seq + 1);
}

TEST_CASE("a record of a rotation that no checkpoint of the old key covers makes nobody's key count") {
  const Rotated trail;
  const std::string before = trail.a.Sign(trail.HeadAt(20));
  SECTION("the record alone") {
    trail.Tell(kRotateSigningKey, trail.a, trail.thief);
    CheckNotSigned(trail.Ask(trail.a, {before, trail.thief.Sign(trail.HeadAt(21))}));
  }
  SECTION("an old checkpoint with the thief's signature below it") {
    trail.Tell(kRotateSigningKey, trail.a, trail.thief);
    const std::string both = trail.Both(20, trail.a, trail.thief);
    CheckNotSigned(trail.Ask(trail.a, {both, trail.thief.Sign(trail.HeadAt(21))}));
  }
  SECTION("a handover that names the old key, and has the thief's signature twice") {
    const std::int64_t seq = trail.Tell(kRotateSigningKey, trail.a, trail.thief);
    const Signer forger(kLog, 9);
    std::string forged = trail.Both(seq + 1, trail.a, trail.thief);
    const std::string text = forged.substr(0, forged.find("\n\n") + 1);
    forged = text + '\n' + SignatureLine(trail.a.key(), trail.thief.SignBytes(text)) + trail.thief.Line(text);
    trail.Tell(kEraseSigningKey, trail.a, trail.thief, forged);
    CheckNotSigned(trail.Ask(trail.a, {trail.thief.Sign(trail.HeadAt(22))}));
  }
  SECTION("a handover of another trail, which the old key did sign") {
    const Rotated other;
    other.Fill(3);
    trail.Tell(kRotateSigningKey, trail.a, trail.thief);
    trail.Tell(kEraseSigningKey, trail.a, trail.thief, trail.Both(20, other.a, other.thief));
    CheckNotSigned(trail.Ask(trail.a, {trail.thief.Sign(trail.HeadAt(22))}));
  }
  SECTION("the database's records rewritten behind a handover that was true") {
    const std::int64_t seq = trail.Rotate(trail.a, trail.b);
    trail.Rewrite(seq - 1);
    trail.RebuildTree();
    const auto verdict = trail.Ask(trail.a, {trail.b.Sign(trail.HeadAt(trail.records()))});
    CheckNotSigned(verdict);
  }
}

TEST_CASE("a thief's key does not count backwards either") {
  const Rotated trail;
  trail.Tell(kRotateSigningKey, trail.thief, trail.a);
  CheckNotSigned(trail.Ask(trail.a, {trail.a.Sign(trail.HeadAt(21)), trail.thief.Sign(trail.HeadAt(10))}));
}

TEST_CASE("a rotation that was refused, and one under two names, is none") {
  const Rotated trail;
  const Signer elsewhere("strongroom/other/audit", 2);
  SECTION("two names") {
    const std::int64_t seq = trail.Tell(kRotateSigningKey, trail.a, elsewhere);
    CheckNotSigned(trail.Ask(trail.a, {elsewhere.Sign(trail.HeadAt(seq + 1))}));
  }
  SECTION("refused") {
    Entry entry;
    entry.draft.action = kRotateSigningKey;
    entry.draft.outcome = Outcome::kDenied;
    entry.draft.before = Facts{{"verifier_key", trail.a.key().Print()}};
    entry.draft.after = Facts{{"verifier_key", trail.b.key().Print()}};
    std::vector<Rotation> rotations;
    TakeRotation(entry, rotations);
    CHECK(rotations.empty());
    entry.draft.outcome = Outcome::kOk;
    TakeRotation(entry, rotations);
    CHECK(rotations.size() == 1);
  }
}

TEST_CASE("after a crash before anything was signed by both, the database's own key takes what the old one signed") {
  const Rotated trail;
  const std::string before = trail.a.Sign(trail.HeadAt(20));
  trail.Tell(kRotateSigningKey, trail.a, trail.b);
  CheckVouched(trail.Ask(trail.b, {before}, true), 20);
  // Nobody can have noted it by then.
  CheckNotSigned(trail.Ask(trail.b, {before}));
}

TEST_CASE("the columns find the same rotations as the records") {
  const Rotated trail;
  const std::int64_t first = trail.Rotate(trail.a, trail.b);
  const std::int64_t second = trail.Tell(kRotateSigningKey, trail.b, trail.c);
  const auto found = RotationsOf(*trail.Open());
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK((*found)[0].seq == first);
  CHECK((*found)[0].erased == first + 11);
  CHECK((*found)[0].handover == trail.Both(first + 1, trail.a, trail.b));
  CHECK((*found)[1].seq == second);
  CHECK_FALSE((*found)[1].erased);
  const KeyRange range = RangeOf(trail.b.key(), *found);
  CHECK(range.from == first + 1);
  CHECK(range.to == INT64_MAX);
  CHECK(RangeOf(trail.a.key(), *found).to == first + 11);
}

}  // namespace strongroom::audit
