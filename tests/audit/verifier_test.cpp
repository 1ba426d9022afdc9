// Each way to tamper with a trail, and what verification must say of it.
#include "tests/audit/trail.h"

namespace strongroom::audit {
namespace {

std::string Record(sql::Database& database, std::int64_t seq) {
  const auto row = database.QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = ?1", {seq});
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  const Bytes bytes = (*row)->Blob(0);
  (*row)->Reset();
  return std::string(base::AsText(bytes));
}

void Store(sql::Database& database, std::int64_t seq, std::string_view bytes) {
  REQUIRE(database.Execute("UPDATE AUDIT_LOG SET RECORD = ?2 WHERE SEQ = ?1", {seq, base::AsBytes(bytes)}) == 1);
}

// Edit changes one record's fields, keeping it canonical.
template <typename Change>
void Edit(sql::Database& database, std::int64_t seq, const Change& change) {
  auto entry = Parse(Record(database, seq));
  REQUIRE(entry);
  change(*entry);
  Store(database, seq, Serialize(entry->draft, entry->place));
}

void CheckFault(const Trail& trail, std::int64_t seq, const std::string& kind) {
  const auto verdict = trail.Verify();
  REQUIRE(verdict.fault);
  CHECK(verdict.fault->seq == seq);
  CHECK(verdict.fault->kind == kind);
  CHECK_FALSE(verdict.fault->detail.empty());
}

}  // namespace

TEST_CASE("an untouched trail verifies, over several pages") {
  const Trail trail;
  trail.Fill(2500);
  const auto verdict = trail.Verify();
  CHECK_FALSE(verdict.fault);
  CHECK(verdict.records == 2500);
  const auto database = trail.Open();
  CHECK(verdict.head == LeafHash(Record(*database, 2499)));
  CHECK(verdict.first_time <= verdict.last_time);
}

TEST_CASE("a changed byte is named at its record, wherever it is") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  const std::string record = Record(*database, 7);
  for (std::size_t i = 0; i < record.size(); i += 3) {
    std::string changed = record;
    changed[i] = changed[i] == '1' ? '2' : '1';
    Store(*database, 7, changed);
    const auto verdict = trail.Verify();
    INFO(changed);
    REQUIRE(verdict.fault);
    CHECK(verdict.fault->seq == 7);
  }
  Store(*database, 7, record);
  CHECK_FALSE(trail.Verify().fault);
}

TEST_CASE("a record changed with care is still named, and as changed") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  SECTION("a field without a column") {
    Edit(*database, 7, [](Entry& entry) { entry.draft.actor.role = "admin"; });
    CheckFault(trail, 7, "changed");
  }
  SECTION("a field with a column, which then differs") {
    Edit(*database, 7, [](Entry& entry) { entry.draft.customer = "OTHER"; });
    CheckFault(trail, 7, "changed");
  }
  SECTION("a field and its column") {
    Edit(*database, 7, [](Entry& entry) { entry.draft.customer = "OTHER"; });
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET CUSTOMER = 'OTHER' WHERE SEQ = 7"));
    CheckFault(trail, 7, "changed");
  }
  SECTION("nothing but its prev") {
    Edit(*database, 7, [](Entry& entry) { entry.place.prev = std::string(64, 'a'); });
    CheckFault(trail, 7, "changed");
  }
  SECTION("two neighbours: the first is named") {
    Edit(*database, 7, [](Entry& entry) { entry.draft.epoch = 99; });
    Edit(*database, 8, [](Entry& entry) { entry.draft.epoch = 99; });
    CheckFault(trail, 7, "changed");
  }
  SECTION("the one before the last") {
    Edit(*database, 18, [](Entry& entry) { entry.draft.epoch = 99; });
    CheckFault(trail, 18, "changed");
  }
  SECTION("the first") {
    Edit(*database, 0, [](Entry& entry) { entry.draft.epoch = 99; });
    CheckFault(trail, 0, "changed");
  }
  SECTION("the first one's prev") {
    Edit(*database, 0, [](Entry& entry) { entry.place.prev = std::string(64, 'a'); });
    CheckFault(trail, 0, "chain");
  }
}

TEST_CASE("a dropped row is missing") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  SECTION("from the middle") {
    REQUIRE(database->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 7"));
    CheckFault(trail, 7, "missing");
  }
  SECTION("the first") {
    REQUIRE(database->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 0"));
    CheckFault(trail, 0, "missing");
  }
  SECTION("with what follows moved down") {
    REQUIRE(database->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 7"));
    for (std::int64_t seq = 8; seq < 20; ++seq) {
      REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = ?1 - 1 WHERE SEQ = ?1", {seq}));
    }
    CheckFault(trail, 7, "reordered");
  }
}

TEST_CASE("a trail without records has lost its first") {
  const Trail trail;
  CheckFault(trail, 0, "missing");
  trail.Fill(3);
  CHECK_FALSE(trail.Verify().fault);
  REQUIRE(trail.Open()->Execute("DELETE FROM AUDIT_LOG"));
  CheckFault(trail, 0, "missing");
  CHECK(trail.Verify().records == 0);
}

TEST_CASE("two swapped records are reordered") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  const auto swap = [&](std::int64_t a, std::int64_t b) {
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = -1 WHERE SEQ = ?1", {a}));
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = ?1 WHERE SEQ = ?2", {a, b}));
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = ?1 WHERE SEQ = -1", {b}));
  };
  SECTION("neighbours") { swap(7, 8); }
  SECTION("far apart") { swap(7, 15); }
  CheckFault(trail, 7, "reordered");
}

TEST_CASE("a record put in is named") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  for (std::int64_t seq = 19; seq >= 7; --seq) {
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = ?1 + 1 WHERE SEQ = ?1", {seq}));
  }
  const auto insert = [&](std::int64_t from) {
    REQUIRE(database->Execute("INSERT INTO AUDIT_LOG SELECT 7, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, "
                              "REQUEST_ID FROM AUDIT_LOG WHERE SEQ = ?1",
                              {from}));
  };
  SECTION("a forgery that fits the record before it") {
    insert(8);
    Edit(*database, 7, [](Entry& entry) { entry.draft.epoch = 99; });
    CheckFault(trail, 7, "reordered");
  }
  SECTION("a copy of an older record") {
    insert(3);
    CheckFault(trail, 7, "reordered");
  }
}

TEST_CASE("each edited index column is a mismatch") {
  const Trail trail;
  trail.Fill(20);
  const auto database = trail.Open();
  SECTION("AT") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET AT = AT + 1 WHERE SEQ = 7")); }
  SECTION("ACTION") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET ACTION = 'x' WHERE SEQ = 7")); }
  SECTION("OUTCOME") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET OUTCOME = 'error' WHERE SEQ = 7")); }
  SECTION("ACTOR") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET ACTOR = 'root' WHERE SEQ = 7")); }
  SECTION("CUSTOMER") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET CUSTOMER = NULL WHERE SEQ = 7")); }
  SECTION("KEY_REF") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET KEY_REF = '' WHERE SEQ = 7")); }
  SECTION("REQUEST_ID") { REQUIRE(database->Execute("UPDATE AUDIT_LOG SET REQUEST_ID = 'x' WHERE SEQ = 7")); }
  CheckFault(trail, 7, "index_mismatch");
}

TEST_CASE("an edited column of the last record is a mismatch") {
  const Trail trail;
  trail.Fill(20);
  REQUIRE(trail.Open()->Execute("UPDATE AUDIT_LOG SET ACTOR = 'root' WHERE SEQ = 19"));
  CheckFault(trail, 19, "index_mismatch");
}

TEST_CASE("a chain that goes on in another log, or back in time, is at fault") {
  const Trail trail;
  trail.Fill(5);
  const auto database = trail.Open();
  const auto append = [&](const std::string& log, base::Micros earlier) {
    const auto last = Parse(Record(*database, 4));
    REQUIRE(last);
    const Place place{log, "boot", 5, LeafHash(last->bytes), last->place.time - earlier, 0};
    const std::string bytes = Serialize(last->draft, place);
    REQUIRE(database->Execute("INSERT INTO AUDIT_LOG SELECT 5, ?1, ?2, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, "
                              "REQUEST_ID FROM AUDIT_LOG WHERE SEQ = 4",
                              {base::AsBytes(bytes), place.time}));
  };
  SECTION("log") { append("other", 0); }
  SECTION("time") { append("vault/node-1", 1); }
  CheckFault(trail, 5, "chain");
}

TEST_CASE("a tail cut off is seen by the stored head, until that is cut too") {
  const Trail trail;
  trail.Fill(20);
  REQUIRE(trail.Open()->Execute("DELETE FROM AUDIT_LOG WHERE SEQ >= 15"));
  CheckFault(trail, 15, "truncated");
}

TEST_CASE("rows that are no records are faults, not crashes") {
  const Trail trail;
  trail.Fill(3);
  const auto database = trail.Open();
  SECTION("empty") { Store(*database, 1, ""); CheckFault(trail, 1, "changed"); }
  SECTION("huge") { Store(*database, 1, std::string(3'000'000, '{')); CheckFault(trail, 1, "changed"); }
  SECTION("a negative seq") {
    REQUIRE(database->Execute("UPDATE AUDIT_LOG SET SEQ = -5 WHERE SEQ = 0"));
    CheckFault(trail, 0, "reordered");
  }
}

}  // namespace strongroom::audit
