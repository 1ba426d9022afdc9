// Each way to tamper with a home's trail, and what `auditlog verify` says of it: kind, first bad seq, exit code.
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "audit/tree.h"
#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

constexpr int kRecords = 300;  // a full tile of 256, and some

// Bad is what must be said of a home.
void Bad(const SignedTrail& trail, std::int64_t seq, const std::string& kind, const std::string& arguments = "") {
  const std::string of_home = arguments.empty() ? "--home " + trail.home() : arguments;
  const Run json = Auditlog("verify --json " + of_home);
  INFO(json.out);
  CHECK(json.status == 1);
  CHECK(json.Has("\"verdict\":\"tampered\""));
  CHECK(json.Has("\"first_bad_seq\":" + std::to_string(seq) + ",\"kind\":\"" + kind + "\""));
  const Run text = Auditlog("verify " + of_home);
  INFO(text.out);
  CHECK(text.status == 1);
  CHECK(text.Has("DOES NOT VERIFY\n"));
  CHECK(text.Has("next "));
}

// Edited is a record with one character of it changed, still canonical.
std::string Edited(const SignedTrail& trail, std::int64_t seq) {
  auto entry = Parse(trail.Record(seq));
  REQUIRE(entry);
  entry->draft.actor.role = "admin";
  return Serialize(entry->draft, entry->place);
}

// EditTile changes one hash of a stored tile.
void EditTile(const SignedTrail& trail, std::int64_t level, std::int64_t index, std::size_t at) {
  const auto database = trail.Open();
  const auto row = database->QueryOne("SELECT HASHES FROM AUDIT_TILE WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2", {level, index});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  Bytes hashes = (*row)->Blob(0);
  (*row)->Reset();
  hashes.at(32 * at) ^= 1;
  REQUIRE(database->Execute("UPDATE AUDIT_TILE SET HASHES = ?3 WHERE TILE_LEVEL = ?1 AND TILE_INDEX = ?2", {level, index, ByteView(hashes)}));
}

}  // namespace

TEST_CASE("attack: a byte changed") {
  const SignedTrail trail(kRecords);
  SECTION("in a tile that is full") { trail.Store(100, Edited(trail, 100)); Bad(trail, 100, "changed"); }
  SECTION("behind the tiles") { trail.Store(280, Edited(trail, 280)); Bad(trail, 280, "changed"); }
  SECTION("in the first record") { trail.Store(0, Edited(trail, 0)); Bad(trail, 0, "changed"); }
  SECTION("in the last record, which no other record vouches for") {
    trail.Store(kRecords - 1, Edited(trail, kRecords - 1));
    Bad(trail, kRecords - 1, "changed");
    Bad(trail, kRecords - 1, "changed", "--db " + trail.file().string());  // the stored head tells, without a checkpoint
  }
  SECTION("in the last record, and the stored head with it") {
    const std::string before = trail.Checkpoint(250);
    trail.Store(kRecords - 1, Edited(trail, kRecords - 1));
    trail.RebuildTree();
    Bad(trail, 0, "fork");
    Bad(trail, 250, "fork", "--home " + trail.home() + " " + before);
  }
  SECTION("in the last record's column alone") {
    trail.Execute("UPDATE AUDIT_LOG SET ACTOR = 'root' WHERE SEQ = 299");
    Bad(trail, 299, "index_mismatch");
  }
  SECTION("in the last record and its column") {
    auto entry = Parse(trail.Record(299));
    entry->draft.actor.name = "root";
    trail.Store(299, Serialize(entry->draft, entry->place));
    Bad(trail, 299, "changed");  // a column that differs would be an index mismatch
    trail.Execute("UPDATE AUDIT_LOG SET ACTOR = 'root' WHERE SEQ = 299");
    Bad(trail, 299, "changed");
  }
  SECTION("nothing but the last record's prev") {
    auto entry = Parse(trail.Record(299));
    entry->place.prev = std::string(64, 'a');
    trail.Store(299, Serialize(entry->draft, entry->place));
    Bad(trail, 299, "changed");
  }
  SECTION("so that it is no record") { trail.Store(100, "{}"); Bad(trail, 100, "changed"); }
}

TEST_CASE("attack: the last record of a full tile") {
  const SignedTrail trail(512);
  trail.Store(511, Edited(trail, 511));
  SECTION("the head tells") { Bad(trail, 511, "changed"); }
  SECTION("the tile tells where the head was changed too") {
    Edge edge;
    for (int seq = 0; seq < 512; ++seq) edge.Append(HashLeaf(trail.Record(seq)));
    const Hash root = edge.Root();
    REQUIRE(trail.Open()->Execute("UPDATE AUDIT_HEAD SET ROOT = ?1", {ByteView(root)}));
    Bad(trail, 511, "changed");
  }
}

TEST_CASE("attack: rows dropped, swapped, inserted, copied") {
  const SignedTrail trail(kRecords);
  SECTION("dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 100"); Bad(trail, 100, "missing"); }
  SECTION("the first dropped") { trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 0"); Bad(trail, 0, "missing"); }
  SECTION("all dropped") { trail.Execute("DELETE FROM AUDIT_LOG"); Bad(trail, 0, "missing"); }
  SECTION("swapped") {
    const std::string a = trail.Record(100), b = trail.Record(101);
    trail.Store(100, b);
    trail.Store(101, a);
    Bad(trail, 100, "reordered");
  }
  SECTION("inserted") {
    trail.Execute("UPDATE AUDIT_LOG SET SEQ = -SEQ WHERE SEQ >= 100");
    trail.Execute("UPDATE AUDIT_LOG SET SEQ = 1 - SEQ WHERE SEQ < 0");
    trail.Execute("INSERT INTO AUDIT_LOG SELECT 100, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG WHERE SEQ = 99");
    Bad(trail, 100, "reordered");
  }
  SECTION("appended, chained as it should be") {
    auto entry = Parse(trail.Record(299));
    entry->place.prev = LeafHash(entry->bytes);
    entry->place.seq = 300;
    trail.Execute("INSERT INTO AUDIT_LOG SELECT 300, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG WHERE SEQ = 299");
    trail.Store(300, Serialize(entry->draft, entry->place));
    Bad(trail, 300, "index_mismatch");
  }
}

TEST_CASE("attack: the tail cut") {
  const SignedTrail trail(kRecords);
  const std::string checkpoint = trail.Checkpoint(kRecords);
  trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ >= 280");
  SECTION("and no more") {
    Bad(trail, 280, "truncated");
    Bad(trail, 280, "truncated", "--db " + trail.file().string());
  }
  SECTION("and the head with it") {
    trail.RebuildTree();
    Bad(trail, 280, "rollback");
    Bad(trail, 280, "truncated", "--db " + trail.file().string() + " --vkey " + trail.vkey() + " " + checkpoint);
    // Nothing in the database shows it, and no checkpoint vouches for the end.
    const Run alone = Auditlog("verify --db " + trail.file().string());
    CHECK(alone.status == 3);
  }
  SECTION("and the head, below a tile that stays") {
    trail.Execute("DELETE FROM AUDIT_LOG WHERE SEQ >= 200");
    const auto tiles = trail.Copy("tiles.db");
    trail.RebuildTree();
    REQUIRE(trail.Open()->RunScript("ATTACH '" + tiles + "' AS OLD; INSERT INTO AUDIT_TILE SELECT * FROM OLD.AUDIT_TILE"));
    Bad(trail, 200, "truncated", "--db " + trail.file().string());
  }
}

TEST_CASE("attack: yesterday's database put back") {
  const SignedTrail trail(kRecords);
  const std::string yesterday = trail.Copy("yesterday.db");
  trail.Grow(20);
  const std::string checkpoint = trail.Checkpoint(kRecords + 20);
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(trail.file().string() + beside);
  std::filesystem::copy_file(yesterday, trail.file(), std::filesystem::copy_options::overwrite_existing);
  Bad(trail, kRecords, "rollback");
  Bad(trail, kRecords, "truncated", "--db " + yesterday + " --vkey " + trail.vkey() + " " + checkpoint);
}

TEST_CASE("attack: index columns edited") {
  const SignedTrail trail(kRecords);
  SECTION("AT") { trail.Execute("UPDATE AUDIT_LOG SET AT = AT + 1 WHERE SEQ = 7"); }
  SECTION("CUSTOMER") { trail.Execute("UPDATE AUDIT_LOG SET CUSTOMER = NULL WHERE SEQ = 7"); }
  SECTION("OUTCOME") { trail.Execute("UPDATE AUDIT_LOG SET OUTCOME = 'denied' WHERE SEQ = 7"); }
  Bad(trail, 7, "index_mismatch");
}

TEST_CASE("attack: the tree edited, the records as they were") {
  const SignedTrail trail(600);
  const std::string database = "--db " + trail.file().string();
  SECTION("a hash") { EditTile(trail, 0, 1, 44); Bad(trail, 300, "index_mismatch"); Bad(trail, 300, "index_mismatch", database); }
  SECTION("the last hash of a tile") { EditTile(trail, 0, 0, 255); Bad(trail, 255, "index_mismatch"); Bad(trail, 255, "index_mismatch", database); }
  SECTION("a tile dropped") {
    trail.Execute("DELETE FROM AUDIT_TILE WHERE TILE_INDEX = 1");
    Bad(trail, 256, "index_mismatch");
  }
  SECTION("a tile of records that nobody has") {
    trail.Execute("INSERT INTO AUDIT_TILE VALUES (0, 9223372036854775807, x'00')");
    Bad(trail, 600, "truncated");
  }
  SECTION("a tile of another length") {
    trail.Execute("UPDATE AUDIT_TILE SET HASHES = ZEROBLOB(32) WHERE TILE_INDEX = 0");
    Bad(trail, 0, "index_mismatch");
  }
}

TEST_CASE("attack: the tree edited above its leaves") {
  const SignedTrail trail(256 * 256 + 10);
  CHECK(Auditlog("verify --home " + trail.home()).status == 0);
  SECTION("a hash") { EditTile(trail, 1, 0, 10); Bad(trail, 10 * 256, "index_mismatch"); }
  SECTION("a tile dropped") { trail.Execute("DELETE FROM AUDIT_TILE WHERE TILE_LEVEL = 1"); Bad(trail, 0, "index_mismatch"); }
  SECTION("a record below") { trail.Store(70, Edited(trail, 70)); Bad(trail, 70, "changed"); }
}

TEST_CASE("attack: the stored head edited") {
  const SignedTrail trail(kRecords);
  SECTION("its root") {
    trail.Execute("UPDATE AUDIT_HEAD SET ROOT = ZEROBLOB(32)");
    Bad(trail, 299, "index_mismatch");  // the anchor tells that it is not the record
    Bad(trail, 299, "changed", "--db " + trail.file().string());
  }
  SECTION("its size, larger") { trail.Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = 301"); Bad(trail, 300, "truncated"); }
  SECTION("its size, smaller") { trail.Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = 299"); Bad(trail, 299, "index_mismatch"); }
  SECTION("its size, absurd") { trail.Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = 9223372036854775807"); Bad(trail, 300, "truncated"); }
  SECTION("its size, below nothing") { trail.Execute("UPDATE AUDIT_HEAD SET TREE_SIZE = -5"); Bad(trail, 0, "index_mismatch"); }
  SECTION("dropped") { trail.Execute("DELETE FROM AUDIT_HEAD"); Bad(trail, 299, "index_mismatch"); }
  SECTION("no head at all") { trail.Execute("UPDATE AUDIT_HEAD SET ROOT = x'00'"); Bad(trail, 299, "index_mismatch"); }
}

TEST_CASE("attack: everything written anew from some record on, chained as it should be") {
  const SignedTrail trail(600);
  const std::string early = trail.Checkpoint(40), late = trail.Checkpoint(600);
  const std::string by_key = " --vkey " + trail.vkey() + " ";
  trail.Rewrite(100);
  SECTION("the tree as it was") {
    Bad(trail, 100, "changed");
    Bad(trail, 100, "changed", "--db " + trail.file().string());
  }
  SECTION("the tree too") {
    trail.RebuildTree();
    CHECK(Auditlog("verify --db " + trail.file().string()).status == 3);
    Bad(trail, 0, "fork");
    Bad(trail, 40, "fork", "--home " + trail.home() + by_key + early);
    Bad(trail, 40, "fork", "--db " + trail.file().string() + by_key + early + " " + late);
    // The early checkpoint alone is not contradicted.
    CHECK(Auditlog("verify --db " + trail.file().string() + by_key + early).status == 3);
  }
}

TEST_CASE("attack: behind the tiles, written anew, chained, with the head") {
  const SignedTrail trail(kRecords);
  trail.Rewrite(290);
  trail.RebuildTree();
  Bad(trail, 0, "fork");
  Bad(trail, 260, "fork", "--home " + trail.home() + " " + [&] {
    // A checkpoint of records that were not touched.
    return trail.Checkpoint(260);
  }());
}

TEST_CASE("attack: two checkpoints of one size") {
  const SignedTrail trail(kRecords);
  const std::string sound = trail.Checkpoint(kRecords);
  Head other = trail.HeadAt(kRecords);
  other.root[0] ^= 1;
  const std::string forged = trail.Write("other", trail.signer().Sign(other));
  Bad(trail, 0, "fork", "--db " + trail.file().string() + " " + sound + " " + forged);
  // Beyond the trail too, where no record can tell.
  other.size = 400;
  const std::string a = trail.Write("a", trail.signer().Sign(other));
  other.root[0] ^= 1;
  const std::string b = trail.Write("b", trail.signer().Sign(other));
  Bad(trail, 0, "fork", "--db " + trail.file().string() + " " + a + " " + b);
}

TEST_CASE("attack: checkpoints that nobody entitled has signed") {
  const SignedTrail trail(kRecords);
  const Head head = trail.HeadAt(kRecords);
  const std::string by_key = "--db " + trail.file().string() + " --vkey " + trail.vkey() + " ";
  const std::string name = trail.signer().key().name;
  const std::string body = Checkpoint{name, head}.Body();
  const Signer wrong(name, 2);
  Bad(trail, 0, "signature", by_key + trail.Write("wrong", wrong.Sign(head)));
  Bad(trail, 0, "signature", by_key + trail.Write("none", body + '\n'));
  Bad(trail, 0, "signature", by_key + trail.Write("other", Signer("strongroom/other/audit", 1).Sign(head)));
  // The right key's line, over another text.
  Bad(trail, 0, "signature", by_key + trail.Write("forged", body + '\n' + trail.signer().Line(body + "x")));
  // A sound checkpoint says how far the trail is vouched for all the same.
  Bad(trail, 250, "signature", by_key + trail.Checkpoint(250) + " " + trail.Write("wrong", wrong.Sign(head)));
  // The key that was noted is not that of this home.
  Bad(trail, 0, "signature", "--home " + trail.home() + " --vkey " + wrong.key().Print());
  // An anchor that was replaced.
  trail.Write("anchor", wrong.Sign(head));
  Bad(trail, 0, "signature");
  trail.Write("anchor", std::string(8192, 'x'));
  Bad(trail, 0, "signature");
}

TEST_CASE("attack: an index that hides a record") {
  const SignedTrail trail(kRecords);
  {
    // The index leaves row 41 out from the beginning, and is said afterwards to be the one that leaves out nothing. Our own connections
    // cannot do that.
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(trail.file().c_str(), &raw) == SQLITE_OK);
    const auto [name, honest] = GENERATE(table<std::string, std::string>(
        {{"AUDIT_LOG_KEY", "CREATE INDEX AUDIT_LOG_KEY ON AUDIT_LOG (KEY_REF, AT) WHERE KEY_REF IS NOT NULL"},
         {"AUDIT_LOG_ACTS", "CREATE INDEX AUDIT_LOG_ACTS ON AUDIT_LOG (AT) WHERE ACTION <> 'resolve'"}}));
    std::string quoted = honest;
    for (std::size_t at = 0; (at = quoted.find('\'', at)) != std::string::npos; at += 2) quoted.insert(at, "'");
    const std::string script = "DROP INDEX " + name + "; " + honest + " AND SEQ <> 41; PRAGMA writable_schema = ON; UPDATE sqlite_schema SET SQL = '" +
                               quoted + "' WHERE NAME = '" + name + "';";
    CHECK(sqlite3_exec(raw, script.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(raw);
  }
  Bad(trail, 0, "index_mismatch");
}

TEST_CASE("attack: what is read is no table of this schema") {
  const SignedTrail trail(kRecords);
  std::string script;
  SECTION("a view of the records") {
    script = "ALTER TABLE AUDIT_LOG RENAME TO REAL_LOG; CREATE VIEW AUDIT_LOG AS SELECT * FROM REAL_LOG";
  }
  SECTION("a view of the tiles") {
    script = "ALTER TABLE AUDIT_TILE RENAME TO REAL_TILE; CREATE VIEW AUDIT_TILE AS SELECT * FROM REAL_TILE";
  }
  SECTION("a view of the head") {
    script = "ALTER TABLE AUDIT_HEAD RENAME TO REAL_HEAD; CREATE VIEW AUDIT_HEAD AS SELECT * FROM REAL_HEAD";
  }
  SECTION("a virtual table of the head") {
    script = "ALTER TABLE AUDIT_HEAD RENAME TO REAL_HEAD; CREATE VIRTUAL TABLE AUDIT_HEAD USING FTS5 (TREE_SIZE, ROOT); "
             "INSERT INTO AUDIT_HEAD SELECT * FROM REAL_HEAD";
  }
  SECTION("a column dropped") { script = "ALTER TABLE AUDIT_TILE RENAME COLUMN HASHES TO OTHERS"; }
  SECTION("a column of another type") {
    script = "DROP TABLE AUDIT_HEAD; CREATE TABLE AUDIT_HEAD (TREE_SIZE TEXT NOT NULL, ROOT BLOB NOT NULL)";
  }
  SECTION("a column that is computed") {
    script = "ALTER TABLE AUDIT_LOG DROP COLUMN REQUEST_ID; ALTER TABLE AUDIT_LOG ADD COLUMN REQUEST_ID TEXT AS (ACTOR)";
  }
  SECTION("an index dropped") { script = "DROP INDEX AUDIT_LOG_KEY"; }
  SECTION("a table dropped") { script = "DROP TABLE AUDIT_HEAD"; }
  REQUIRE(trail.Open()->RunScript(script));
  Bad(trail, 0, "index_mismatch");
}

TEST_CASE("attack: what nobody reads is put beside what is read") {
  const SignedTrail trail(600);
  SECTION("a second head") {
    trail.Execute("INSERT INTO AUDIT_HEAD VALUES (5, ZEROBLOB(32))");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("a tile before the first") {
    trail.Execute("INSERT INTO AUDIT_TILE VALUES (0, -1, ZEROBLOB(8192))");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("a tile of a level below the records") {
    trail.Execute("INSERT INTO AUDIT_TILE VALUES (-1, 0, ZEROBLOB(8192))");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("a tile above that is not full yet") {
    trail.Execute("INSERT INTO AUDIT_TILE VALUES (1, 0, ZEROBLOB(8192))");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("a tile of a level that no trail reaches") {
    trail.Execute("INSERT INTO AUDIT_TILE VALUES (9223372036854775807, 0, ZEROBLOB(8192))");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("a tile between two") {
    trail.Execute("INSERT INTO AUDIT_TILE SELECT 0, 0.5, HASHES FROM AUDIT_TILE WHERE TILE_INDEX = 0");
    Bad(trail, 0, "index_mismatch");
  }
  SECTION("bytes behind a tile's hashes") {
    trail.Execute("UPDATE AUDIT_TILE SET HASHES = CAST(HASHES || x'0102' AS BLOB) WHERE TILE_INDEX = 1");
    Bad(trail, 511, "index_mismatch");
  }
}

TEST_CASE("attack: rows before the first record") {
  const SignedTrail trail(kRecords);
  trail.Execute("INSERT INTO AUDIT_LOG SELECT -5, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG WHERE SEQ = 7");
  Bad(trail, 0, "reordered");
  CHECK(Auditlog("verify --home " + trail.home()).Has("there is a row before record 0, under the seq -5"));
  trail.Execute("UPDATE AUDIT_LOG SET SEQ = -9223372036854775808 WHERE SEQ = -5");
  Bad(trail, 0, "reordered");
}

}  // namespace strongroom::audit
