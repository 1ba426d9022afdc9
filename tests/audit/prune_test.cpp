// Retention: what is pruned, and what `auditlog verify` says of a pruned trail, sound and tampered with.
#include "audit/prune.h"

#include "audit/tree.h"
#include "tests/audit/pruned_trail.h"

namespace strongroom::audit {
namespace {

void Bad(const SignedTrail& trail, std::int64_t seq, const std::string& kind, const std::string& arguments = "") {
  const Run run = Auditlog("verify --json " + (arguments.empty() ? "--home " + trail.home() : arguments));
  INFO(run.out);
  CHECK(run.status == 1);
  CHECK(run.Has("\"first_bad_seq\":" + std::to_string(seq) + ",\"kind\":\"" + kind + "\""));
}

std::int64_t Rows(const SignedTrail& trail) {
  const auto database = trail.Open();
  const auto row = database->QueryOne("SELECT COUNT(*) FROM AUDIT_LOG");
  REQUIRE(row);
  const std::int64_t rows = (*row)->Int64(0);
  (*row)->Reset();
  return rows;
}

std::int64_t LastOf(const SignedTrail& trail) { return trail.Verify().records - 1; }

void EditTile(const SignedTrail& trail, std::int64_t level, std::int64_t seq) {
  const auto database = trail.Open();
  const std::int64_t index = seq / kTileWidth;
  const auto row = database->QueryOne("SELECT HASHES FROM AUDIT_TILE WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2", {level, index});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  Bytes hashes = (*row)->Blob(0);
  (*row)->Reset();
  hashes.at(static_cast<std::size_t>(32 * (seq % kTileWidth))) ^= 1;
  REQUIRE(database->Execute("UPDATE AUDIT_TILE SET HASHES = ?3 WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2", {level, index, ByteView(hashes)}));
}

std::string Edited(const SignedTrail& trail, std::int64_t seq) {
  auto entry = Parse(trail.Record(seq));
  REQUIRE(entry);
  entry->draft.actor.role = "admin";
  return Serialize(entry->draft, entry->place);
}

// Relinked is a record with another prev, and `role` as its actor's.
std::string Relinked(const SignedTrail& trail, std::int64_t seq, const std::string& role) {
  auto entry = Parse(trail.Record(seq));
  REQUIRE(entry);
  entry->place.prev = std::string(64, 'a');
  entry->draft.actor.role = role;
  return Serialize(entry->draft, entry->place);
}

// PutBack puts a row in the place of a pruned one.
void PutBack(const PrunedTrail& trail, std::int64_t seq, const std::string& bytes) {
  const auto entry = Parse(bytes);
  REQUIRE(entry);
  const Draft& draft = entry->draft;
  REQUIRE(trail.Open()->Execute(
      "INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      {seq, base::AsBytes(bytes), entry->place.time, std::string_view(draft.action), OutcomeName(draft.outcome), std::string_view(draft.actor.name),
       sql::Optional(draft.customer), sql::Optional(draft.key_ref), sql::Optional(draft.request_id)}));
}

Draft Says(std::int64_t first, const std::string& kept, const Hash& root) {
  Draft draft = SampleDraft("vaultd");
  draft.action = kPruneAction;
  draft.after = Facts{{"days", "400"}, {"first", std::to_string(first)}, {"kept", kept}, {"root", base::Hex(root)}};
  return draft;
}

}  // namespace

TEST_CASE("prune: what is old goes, in whole tiles, under a checkpoint, eight tiles a step") {
  const SignedTrail trail(5000);
  SECTION("nothing is old") {
    CHECK(trail.Prune(0) == false);
    CHECK(Rows(trail) == 5000);
  }
  SECTION("nothing is under a signed checkpoint") { CHECK(PlanPrune(*trail.Open(), {400, Later(), 255}).value() == std::nullopt); }
  SECTION("a tile with one record that is not old stays") {
    const auto entry = Parse(trail.Record(600));
    REQUIRE(entry);
    const auto plan = PlanPrune(*trail.Open(), {400, entry->place.time, 5000});
    REQUIRE(plan);
    const std::int64_t first = *plan ? (*plan)->pruned.first : 0;
    CHECK(first <= 512);
    CHECK(first % kTileWidth == 0);
  }
  SECTION("step by step, to the last tile") {
    for (const std::int64_t first : {2048, 4096, 4864}) {
      REQUIRE(trail.Prune(Later()) == true);
      const auto pruned = FindPruned(*trail.Open());
      REQUIRE(pruned);
      REQUIRE(*pruned);
      CHECK((*pruned)->first == first);
      CHECK((*pruned)->kept == std::vector<std::int64_t>{0});
      CHECK((*pruned)->days == 400);
      CHECK((*pruned)->root == trail.HeadAt(first).root);
      CHECK(Auditlog("verify --home " + trail.home()).status == 0);
    }
    CHECK(trail.Prune(Later()) == false);
    CHECK(Rows(trail) == 5000 - 4864 + 1 + 3);
    // Once they are old, the records of pruning go as any other, and the newest is of all.
    trail.Grow(300);
    REQUIRE(trail.Prune(Later()) == true);
    CHECK(Auditlog("verify --home " + trail.home()).status == 0);
  }
}

TEST_CASE("prune: a record that was changed or dropped is not covered up") {
  const SignedTrail trail(600);
  const auto refused = [&](std::int64_t seq) {
    const auto pruned = trail.Prune(Later());
    REQUIRE_FALSE(pruned);
    CHECK(pruned.error().code() == Code::kCorrupt);
    CHECK(pruned.error().number() == seq);
    const auto database = trail.Open();
    CHECK(FindPruned(*database).value() == std::nullopt);
  };
  SECTION("changed") { trail.Store(100, Edited(trail, 100)); refused(100); }
  SECTION("dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 100"); refused(100); }
  SECTION("its hash changed") { EditTile(trail, 0, 100); refused(100); }
  SECTION("its tile dropped") { trail.Execute("DELETE FROM AUDIT_TILE WHERE TILE_INDEX = 1"); refused(256); }
  SECTION("an edited column makes nothing go") {
    trail.Execute("UPDATE AUDIT_LOG SET AT = 0");
    CHECK(trail.Prune(1) == false);
  }
  SECTION("between plan and act") {
    const auto plan = PlanPrune(*trail.Open(), {400, Later(), 600});
    REQUIRE(plan);
    REQUIRE(*plan);
    trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 100");
    CHECK(Prune(*trail.Open(), **plan).error().code() == Code::kCorrupt);
  }
}

TEST_CASE("prune: more landmarks than a record can name end it") {
  const SignedTrail trail(256);
  Draft removed = SampleDraft();
  removed.action = "node_join";
  for (std::size_t i = 0; i < kMostKept; ++i) trail.Append(removed);
  trail.Grow(256);
  REQUIRE(trail.Prune(Later()) == true);  // the first tile
  const auto refused = trail.Prune(Later());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kRefused);
  CHECK(FindPruned(*trail.Open()).value()->first == 256);
  CHECK(Auditlog("verify --home " + trail.home()).status == 0);
}

TEST_CASE("prune: that there were recovery shares is never forgotten, and a try to make some is") {
  Entry entry;
  entry.place.seq = 7;
  entry.draft = SampleDraft();
  entry.draft.action = "put_recovery";
  CHECK(IsLandmark(entry));
  entry.draft.outcome = Outcome::kDenied;
  CHECK_FALSE(IsLandmark(entry));
}

TEST_CASE("prune: its record is read strictly") {
  const PrunedTrail trail;
  const auto entry = Parse(trail.Record(kPruneSeq));
  REQUIRE(entry);
  REQUIRE(PrunedBy(*entry));
  CHECK(PruneFacts(*PrunedBy(*entry)) == *entry->draft.after);
  const auto with = [&](const std::string& name, const std::string& value) {
    Entry other = *entry;
    (*other.draft.after)[name] = value;
    return PrunedBy(other);
  };
  for (const std::string first : {"", "0", "1000", "-256", "+256", "01024", "1280", "9007199254740992", "x"}) CHECK_FALSE(with("first", first));
  for (const std::string kept : {"", "300", "0,", "0,0", "0,300,299", "0,1024", "0 300", "00"}) CHECK_FALSE(with("kept", kept));
  for (const std::string& root : {std::string(), std::string("00"), std::string(64, 'A'), std::string(64, 'g')}) CHECK_FALSE(with("root", root));
  for (const std::string days : {"", "-1", "36501"}) CHECK_FALSE(with("days", days));
  Entry refused = *entry;
  refused.draft.outcome = Outcome::kError;
  CHECK_FALSE(PrunedBy(refused));
}

TEST_CASE("pruned: what is left verifies, and is told to be what is left") {
  const PrunedTrail trail;
  CHECK(Rows(trail) == kPruneSeq + 21 - kBoundary + 2);
  const Run json = Auditlog("verify --json --home " + trail.home());
  INFO(json.out);
  CHECK(json.status == 0);
  CHECK(json.Has(R"("records":1121,)"));
  CHECK(json.Has(R"("pruned":{"before":1024,"records":1022,"kept":[0,300],"retention_days":400,"by_seq":1100,"at":"20)"));
  const Run text = Auditlog("verify --home " + trail.home());
  CHECK(text.Has("1022 records below seq 1024 were pruned by policy (older than 400 days), as record 1100 of 20"));
  const std::string copy = "--db " + trail.Copy("copy.db");
  const Run unsigned_end = Auditlog("verify --json " + copy);
  CHECK(unsigned_end.status == 3);
  CHECK(unsigned_end.Has("\"pruned\":{"));
  CHECK(Auditlog("verify " + copy + " --vkey " + trail.vkey() + " " + trail.Checkpoint(1121)).status == 0);
  CHECK(Auditlog("verify " + copy + " --vkey " + trail.vkey() + " " + trail.Checkpoint(500) + " " + trail.Checkpoint(1110)).status == 3);
  trail.Grow(5, true);
  CHECK(Auditlog("verify --home " + trail.home()).status == 3);
}

TEST_CASE("pruned: a record of pruning that no checkpoint is of excuses nothing") {
  SECTION("an honest one, by a checkpoint of before") {
    const PrunedTrail trail;
    Bad(trail, 1, "missing", "--db " + trail.file().string() + " --vkey " + trail.vkey() + " " + trail.Checkpoint(kPruneSeq));
  }
  SECTION("one that somebody put at the end") {
    const SignedTrail trail(1100);
    const Head head = trail.HeadAt(512);
    REQUIRE(trail.StartWriter()->Append(Says(512, "0", head.root)));  // past the anchor
    trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ > 0 AND SEQ < 512");
    Bad(trail, 1, "missing");
    const Run copy = Auditlog("verify --db " + trail.Copy("copy.db"));
    CHECK(copy.status == 3);  // nothing signed speaks of anything
  }
  SECTION("an unsigned anchor's is one of the home") {
    const SignedTrail trail(1100);
    REQUIRE(trail.Prune(Later()) == true);
    trail.Grow(1, true);
    CHECK(Auditlog("verify --home " + trail.home()).status == 3);
  }
}

TEST_CASE("pruned, attack: rows") {
  const PrunedTrail trail;
  SECTION("one is put back") { PutBack(trail, 500, trail.OldRecord(500)); Bad(trail, 500, "reordered"); }
  SECTION("another is put in") { PutBack(trail, 500, trail.OldRecord(501)); Bad(trail, 500, "reordered"); }
  SECTION("a kept one is dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 300"); Bad(trail, 300, "missing"); }
  SECTION("the first is dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 0"); Bad(trail, 0, "missing"); }
  SECTION("a kept one is changed") {
    trail.Store(300, Edited(trail, 300));
    Bad(trail, 300, "changed");
    Bad(trail, 300, "changed", "--db " + trail.file().string());
  }
  SECTION("the first one left is dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 1024"); Bad(trail, 1024, "missing"); }
  SECTION("the first one left is changed") { trail.Store(1024, Edited(trail, 1024)); Bad(trail, 1024, "changed"); }
  SECTION("the prev of one behind a pruned one is changed, alone or not") {
    for (const std::int64_t seq : {kLandmark, kBoundary}) {
      const std::string before = trail.Record(seq);
      for (const std::string role : {"worker", "admin"}) {
        trail.Store(seq, Relinked(trail, seq, role));
        Bad(trail, seq, "changed");
        Bad(trail, seq, "changed", "--db " + trail.file().string());
      }
      trail.Store(seq, before);
    }
  }
  SECTION("a column of a kept one is changed") {
    trail.Execute("UPDATE AUDIT_LOG SET ACTOR = 'root' WHERE SEQ = 300");
    Bad(trail, 300, "index_mismatch");
  }
}

TEST_CASE("pruned, attack: hashes") {
  const PrunedTrail trail;
  SECTION("of a pruned record") {
    EditTile(trail, 0, 700);
    Bad(trail, 1, "index_mismatch");  // no more than the roots tells: the first that it may be
    Bad(trail, 1, "index_mismatch", "--db " + trail.file().string());
  }
  SECTION("of the last pruned record: the next one names it") { EditTile(trail, 0, 1023); Bad(trail, 1023, "index_mismatch"); }
  SECTION("of the one before a kept one: that names it") { EditTile(trail, 0, 299); Bad(trail, 299, "index_mismatch"); }
  SECTION("of a kept one") {
    EditTile(trail, 0, 300);
    Bad(trail, 300, "index_mismatch");
    Bad(trail, 300, "index_mismatch", "--db " + trail.file().string());
  }
  SECTION("a tile dropped") { trail.Execute("DELETE FROM AUDIT_TILE WHERE TILE_LEVEL = 0 AND TILE_INDEX = 2"); Bad(trail, 512, "index_mismatch"); }
  SECTION("a tile cut") {
    trail.Execute("UPDATE AUDIT_TILE SET HASHES = ZEROBLOB(64) WHERE TILE_LEVEL = 0 AND TILE_INDEX = 2");
    Bad(trail, 512, "index_mismatch");
  }
  SECTION("the head") {
    trail.Execute("UPDATE AUDIT_HEAD SET ROOT = ZEROBLOB(32)");
    Bad(trail, LastOf(trail), "index_mismatch");
  }
}

TEST_CASE("pruned, attack: the record that says so") {
  const PrunedTrail trail;
  SECTION("dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 1100"); Bad(trail, 1, "missing"); }
  SECTION("hidden from the search") { trail.Execute("UPDATE AUDIT_LOG SET ACTION = 'x' WHERE SEQ = 1100"); Bad(trail, 1, "missing"); }
  SECTION("without one that it kept") {
    auto entry = Parse(trail.Record(kPruneSeq));
    REQUIRE(entry);
    (*entry->draft.after)["kept"] = "0";
    trail.Store(kPruneSeq, Serialize(entry->draft, entry->place));
    SECTION("and the rows are there") { Bad(trail, 300, "reordered"); }
    SECTION("and the rows are gone") {
      trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 300");
      Bad(trail, kPruneSeq, "changed");
    }
  }
  SECTION("more rows are gone than it says") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ < 1050 AND SEQ > 0"); Bad(trail, 300, "missing"); }
}

TEST_CASE("pruned, attack: a greater boundary") {
  const SignedTrail trail(1100);
  trail.Append(Says(512, "0", trail.HeadAt(512).root));
  trail.Grow(3);
  trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ > 0 AND SEQ < 512");
  REQUIRE(Auditlog("verify --home " + trail.home()).status == 0);
  auto entry = Parse(trail.Record(kPruneSeq));
  REQUIRE(entry);
  (*entry->draft.after)["first"] = "768";
  (*entry->draft.after)["root"] = base::Hex(trail.HeadAt(768).root);
  trail.Store(kPruneSeq, Serialize(entry->draft, entry->place));
  SECTION("and the rows are there") { Bad(trail, 512, "reordered"); }
  SECTION("and the rows are gone") {
    trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ >= 512 AND SEQ < 768");
    Bad(trail, kPruneSeq, "changed");
  }
}

TEST_CASE("pruned: a boundary that goes back") {
  const PrunedTrail trail;
  const std::int64_t seq = LastOf(trail) + 1;
  trail.Append(Says(512, "0,300", trail.HeadAt(512).root));
  trail.Grow(3);
  SECTION("and the rows do not") { Bad(trail, 512, "missing"); }
  SECTION("and the rows too") {
    REQUIRE(trail.Open()->RunScript("ATTACH '" + trail.whole + "' AS WHOLE; INSERT INTO AUDIT_LOG SELECT * FROM WHOLE.AUDIT_LOG WHERE SEQ >= 512 AND SEQ < 1024"));
    Bad(trail, seq, "chain");
  }
}

}  // namespace strongroom::audit
