// auditlog report: each question over a trail whose answers are known.
#include "tests/audit/published.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "audit/report.h"
#include "base/config.h"
#include "base/process.h"

namespace strongroom::audit {
namespace {

using Json = nlohmann::json;

constexpr base::Micros kHour = 3600 * base::kMicrosPerSecond;

// Story writes records at times of its choosing: a writer gives them its own.
class Story {
 public:
  explicit Story(const Published& published) : database_(published.trail.Open()) {
    seq_ = database_->QueryOne("SELECT COUNT(*) FROM AUDIT_LOG").value()->Int64(0);
  }
  Story& Tell(base::Micros at, const std::string& actor, const std::string& action, Draft draft = Draft()) {
    draft.actor.name = actor;
    draft.actor.uid = actor == "ada" ? 1000 : actor == "srworker" ? 1001 : 1002;
    draft.actor.role = actor == "ada" ? "admin" : actor == "srworker" ? "worker" : "";
    draft.action = action;
    const Place place{"vault/node-1", "boot-1", seq_, std::string(kNoRecord), at, at};
    const std::string record = Serialize(draft, place);
    const std::string outcome(OutcomeName(draft.outcome));
    const auto put = database_->Execute(
        "INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        {seq_++, base::AsBytes(record), at, std::string_view(action), std::string_view(outcome), std::string_view(actor),
         sql::Optional(draft.customer), sql::Optional(draft.key_ref), sql::Optional(draft.request_id)});
    REQUIRE(put);
    return *this;
  }
  Story& Skip() {
    ++seq_;
    return *this;
  }
  void AddKey(const std::string& key_ref, const std::string& status, base::Micros created) {
    REQUIRE(database_->Execute("INSERT INTO KEK (KEK_VERSION, CHECK_VALUE, STATUS, CREATED_AT, CHANGED_AT) VALUES (1, x'00', 'ACTIVE', ?1, ?1) "
                               "ON CONFLICT DO NOTHING", {created}));
    REQUIRE(database_->Execute("INSERT INTO KEY_VAULT (KEY_REF, CUSTOMER, PROVIDER, KEY_VERSION, ENCRYPTED_DEK, ENCRYPTED_KEY, NONCE_DEK, "
                               "NONCE_KEY, KEK_VERSION, STATUS, CREATED_AT, LABEL, ORIGIN, HOSTED, ROW_VERSION, STATE_CHANGED_AT, FINGERPRINT) "
                               "VALUES (?1, 'ACME', 'openai', 1, x'', x'', x'', x'', 1, ?2, ?3, 'default', 'https://x:443', 'N', 1, ?3, 'f')",
                               {std::string_view(key_ref), std::string_view(status), created}));
  }

 private:
  std::unique_ptr<sql::Database> database_;
  std::int64_t seq_ = 0;
};

Draft About(const std::string& key_ref, Outcome outcome = Outcome::kOk, const std::string& reason = "") {
  Draft draft;
  draft.key_ref = key_ref;
  draft.customer = "ACME";
  draft.request_id = "r-" + key_ref;
  draft.outcome = outcome;
  if (!reason.empty()) draft.reason = reason;
  return draft;
}

// Rows is those of a report's only section.
Json Rows(const Published& published, const std::string& arguments) {
  const Ran ran = RunShell(published.Run("report " + arguments + " --json"));
  INFO(ran.out << ran.complaints);
  REQUIRE(ran.status == 0);
  const Json report = Json::parse(ran.out);
  REQUIRE(report.at("sections").size() == 1);
  CHECK(report.at("sections").at(0).at("population") == report.at("sections").at(0).at("rows").size());
  return report.at("sections").at(0).at("rows");
}

Json Column(const Json& rows, const std::string& name) {
  Json values = Json::array();
  for (const Json& row : rows) values.push_back(row.at(name));
  return values;
}

base::Micros At(const std::string& text) { return base::ParseTime(text).value(); }

// Week has a week of acts about two keys.
struct Week {
  Week() : published(0), story(published) {
    Draft add = About("K1");
    add.after = Facts{{"status", "PENDING"}};
    Draft revoke = About("K1");
    revoke.purpose = "leaked";
    revoke.before = Facts{{"status", "ACTIVE"}};
    revoke.after = Facts{{"status", "REVOKED"}, {"move", "revoke"}, {"approval", "A1"}, {"approved_by", "bob"}};
    Draft rotate = About("K2");
    rotate.before = Facts{{"key_ref", "K1"}, {"status", "ACTIVE"}};
    rotate.after = Facts{{"status", "ACTIVE"}, {"old_status", "ROTATED"}};
    Draft waits = About("K1", Outcome::kDenied, "TWO_PEOPLE");
    waits.before = Facts{{"act", "revoke K1"}, {"digest", "00"}};
    story.Tell(At("2026-11-01T08:00:00Z"), "root", "vaultd_start")
        .Tell(At("2026-11-01T08:01:00Z"), "ada", "add_key", add)
        .Tell(At("2026-11-01T08:02:00Z"), "ada", "probe", About("K1"))
        .Tell(At("2026-11-02T09:00:00Z"), "srworker", "resolve", About("K1"))
        .Tell(At("2026-11-02T09:00:01Z"), "srworker", "report_call", About("K1"))
        .Tell(At("2026-11-02T10:00:00Z"), "srworker", "resolve", About("K1", Outcome::kDenied, "KEY_SUSPENDED"))
        .Tell(At("2026-11-03T08:00:00Z"), "eve", "resolve", About("K1", Outcome::kDenied, "NO_ROLE"))
        .Tell(At("2026-11-03T08:00:01Z"), "eve", "status", [] { Draft d; d.outcome = Outcome::kDenied; d.reason = "NO_ROLE"; return d; }())
        .Tell(At("2026-11-04T08:00:00Z"), "ada", "rotate_key", rotate)
        .Tell(At("2026-11-05T07:00:00Z"), "ada", "move_key", waits)
        .Tell(At("2026-11-05T08:00:00Z"), "ada", "move_key", revoke)
        .Tell(At("2026-11-06T08:00:00Z"), "srworker", "resolve", About("K2"));
  }
  Published published;
  Story story;
};

}  // namespace

TEST_CASE("report uses: who asked for a key between two times") {
  const Week week;
  CHECK(Column(Rows(week.published, "uses K1"), "actor") == Json({"ada", "srworker", "srworker", "eve"}));
  const Json rows = Rows(week.published, "uses K1 --since 2026-11-02 --until 2026-11-02T23:59:59Z");
  CHECK(Column(rows, "outcome") == Json({"ok", "denied"}));
  CHECK(Column(rows, "why") == Json({nullptr, "KEY_SUSPENDED"}));
  CHECK(rows.at(0).at("request") == "r-K1");
  CHECK(Rows(week.published, "uses K9").empty());
}

TEST_CASE("report denied: each reason, how often, first and last") {
  const Week week;
  const Json rows = Rows(week.published, "denied");
  CHECK(Column(rows, "reason") == Json({"KEY_SUSPENDED", "NO_ROLE", "TWO_PEOPLE"}));
  CHECK(Column(rows, "count") == Json({"1", "2", "1"}));
  CHECK(rows.at(1).at("first") == "2026-11-03T08:00:00.000000Z");
  CHECK(rows.at(1).at("last") == "2026-11-03T08:00:01.000000Z");
  CHECK(Rows(week.published, "denied --since 2026-11-06").empty());
}

TEST_CASE("report admin: all a person did but using keys, by name or uid") {
  const Week week;
  const Json expected{"add_key", "probe", "rotate_key", "move_key", "move_key"};
  CHECK(Column(Rows(week.published, "admin ada"), "action") == expected);
  CHECK(Column(Rows(week.published, "admin 1000"), "action") == expected);
  CHECK(Column(Rows(week.published, "admin eve"), "action") == Json({"status"}));
  CHECK(Rows(week.published, "admin srworker").empty());
}

TEST_CASE("report outside-worker: keys asked for by others") {
  const Week week;
  const Json rows = Rows(week.published, "outside-worker");
  CHECK(Column(rows, "action") == Json({"probe", "resolve"}));
  CHECK(Column(rows, "actor") == Json({"ada", "eve"}));
}

TEST_CASE("report key: before and after of each act, rotations from it included") {
  const Week week;
  const Json rows = Rows(week.published, "key K1");
  CHECK(Column(rows, "action") == Json({"add_key", "probe", "rotate_key", "move_key", "move_key"}));
  CHECK(Column(rows, "status_before") == Json({nullptr, nullptr, "ACTIVE", nullptr, "ACTIVE"}));
  CHECK(Column(rows, "status_after") == Json({"PENDING", nullptr, "ROTATED", nullptr, "REVOKED"}));
  CHECK(Column(Rows(week.published, "key K2"), "status_after") == Json({"ACTIVE"}));
}

TEST_CASE("report unused: keys without use, from the trail and not from their row") {
  const Week week;
  const base::Micros now = base::WallMicros();
  Story story(week.published);
  story.AddKey("K1", "ACTIVE", now - 100 * base::kMicrosPerDay);
  story.AddKey("K2", "REVOKED", now - 100 * base::kMicrosPerDay);
  story.AddKey("K3", "SUSPENDED", now - 100 * base::kMicrosPerDay);
  story.AddKey("K4", "ACTIVE", now - base::kMicrosPerDay);
  const std::int64_t days = (now - At("2026-11-02T09:00:00Z")) / base::kMicrosPerDay;  // its refusals are no use
  CHECK(Column(Rows(week.published, "unused --days 90"), "key") == Json({"K3"}));
  const Json rows = Rows(week.published, "unused --days " + std::to_string(days));
  CHECK(Column(rows, "key") == Json({"K1", "K3"}));
  CHECK(rows.at(0).at("last_used") == "2026-11-02T09:00:00.000000Z");
  CHECK(rows.at(1).at("last_used").is_null());
  story.Tell(now - kHour, "srworker", "resolve", About("K1"));
  CHECK(Column(Rows(week.published, "unused --days 1"), "key") == Json({"K3", "K4"}));
}

TEST_CASE("report gaps: silences, missing numbers, and starts with and without a stop") {
  const Published published(0);
  const base::Micros start = At("2026-11-01T08:00:00Z");
  Story(published)
      .Tell(start, "root", "init")
      .Tell(start + 1, "root", "vaultd_start")
      .Tell(start + kHour, "ada", "add_key")       // 1: silence
      .Tell(start + kHour + 1, "root", "vaultd_stop")
      .Tell(start + kHour + 2, "root", "vaultd_start")  // 2: restart
      .Skip()
      .Tell(start + kHour + 3, "ada", "status")    // 3: missing
      .Tell(start + kHour + 4, "root", "recovered_tail")  // 4: without a stop
      .Tell(start + kHour + 5, "root", "vaultd_start");
  CHECK(Column(Rows(published, "gaps"), "kind") == Json({"silence", "restart", "missing", "restart without a stop"}));
  CHECK(Rows(published, "gaps").at(0).at("length") == "0h 59m 59s");
  CHECK(Column(Rows(published, "gaps --gap 2h"), "kind") == Json({"restart", "missing", "restart without a stop"}));
  REQUIRE(published.trail.Open()->Execute("DELETE FROM AUDIT_LOG WHERE SEQ < 2"));
  CHECK(Rows(published, "gaps").at(0).at("kind") == "missing");
}

TEST_CASE("report request: queue, trail, reply and usage by their time") {
  const Week week;
  const Ran alone = RunShell(week.published.Run("report request r-K2 --json"));
  CHECK(alone.status == 0);
  CHECK(alone.out.find("only the trail's part: the work database cannot be opened") != std::string::npos);
  CHECK(Json::parse(alone.out).at("sections").at(0).at("rows").size() == 2);  // rotate_key and resolve name it

  const auto work = sql::Open("sqlite:" + (week.published.trail.directory() / "strongroom.db").string(), {.access = sql::Access::kCreate});
  REQUIRE(work);
  REQUIRE(sql::CreateSchema(**work, sql::Schema::kWork));
  REQUIRE((*work)->Execute("INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROFILE_REF, PROVIDER, MODEL, STATUS, TOKENS_IN, TOKENS_OUT, "
                           "LATENCY_MS, COST_BASIS_USD, ATTEMPTS, KEY_REF, WORKER_ID, VERSION, LOGGED_AT) VALUES (1, 'r-K2', 'ACME', 'P', 'openai', "
                           "'m', 'OK', 10, 20, 300, 0.0125, 1, 'K2', 'w:1', '1', ?1)", {At("2026-11-06T08:00:02Z")}));
  REQUIRE((*work)->Execute("INSERT INTO REPLY_MESSAGE (LIBRARY, NAME, CUSTOMER, REQUEST_ID, CONTENT_HASH, MESSAGE, CREATED_AT, TAKEN_AT) VALUES "
                           "('L', 'Q', 'ACME', 'r-K2', x'00', 'the answer', ?1, ?2)", {At("2026-11-06T08:00:01Z"), At("2026-11-06T08:00:03Z")}));
  const Json rows = Rows(week.published, "request r-K2");
  CHECK(Column(rows, "what") == Json({"rotate_key", "resolve", "reply queued", "call settled", "reply taken"}));
  CHECK(rows.at(3).at("detail").get<std::string>().find("usd 0.012500 attempts 1 key K2") != std::string::npos);
  CHECK(RunShell(week.published.Run("report request r-K2")).out.find("it was settled and acknowledged") != std::string::npos);
  CHECK(RunShell(week.published.Run("report request r-unknown")).out.find("nor has the queue a message of it") != std::string::npos);
  CHECK(rows.dump().find("the answer") == std::string::npos);  // what a customer was told is not the auditor's
}

TEST_CASE("report: an access review says who, what, since when, and what the trail is worth") {
  const Week week;
  Story(week.published).AddKey("K1", "ACTIVE", base::WallMicros() - 400 * base::kMicrosPerDay);
  const Ran ran = RunShell(week.published.Run("report --json"));
  REQUIRE(ran.status == 0);
  const Json report = Json::parse(ran.out);
  CHECK(Column(report.at("sections"), "name") == Json({"integrity", "roles", "keys", "overdue", "two-people", "denied-by-day"}));
  const auto rows = [&](std::size_t section) { return report.at("sections").at(section).at("rows"); };
  CHECK(rows(0).at(0).at("verdict").get<std::string>().starts_with("DOES NOT VERIFY"));  // it was not written by a writer
  const Json roles = rows(1);
  CHECK(roles.at(0).at("user") == "root");
  CHECK(roles.at(0).at("last_action") == "vaultd_start");
  CHECK(Column(roles, "role").back() == "none");
  CHECK(Column(rows(2), "key") == Json({"K1"}));
  CHECK(Column(rows(3), "kind") == Json({"key", "kek"}));
  CHECK(Column(rows(4), "approved_by") == Json({nullptr, "bob"}));
  CHECK(Column(rows(4), "act") == Json({"revoke K1", nullptr}));
  CHECK(Column(rows(5), "day") == Json({"2026-11-02", "2026-11-03", "2026-11-05"}));
  CHECK(report.at("sections").at(0).at("notes").dump().find("a log does not verify") != std::string::npos);
  CHECK(RunShell(week.published.Run("report --rotation-days 500 --csv")).out.find("overdue") == std::string::npos);
  const Ran csv = RunShell(week.published.Run("report --csv"));
  CHECK(csv.out.starts_with("SECTION,ROW,COLUMN,VALUE\r\n"));
  CHECK(csv.out.find("keys,1,KEY,K1\r\n") != std::string::npos);
}

TEST_CASE("report: of a sound trail the review says verified, and what the anchor covers") {
  const Published published(10);
  const Ran ran = RunShell(published.Run("report"));
  CHECK(ran.out.find("verified") != std::string::npos);
  CHECK(ran.out.find("first 10 records (auditlog verify checks its signature)") != std::string::npos);
}

TEST_CASE("report: a sample is drawn by the seed, and others can draw it too") {
  Section section{"s", "q", {{"A"}, {"B"}}, {}, {}};
  for (int i = 0; i < 5; ++i) section.rows.push_back({std::to_string(i), "x,y"});
  // (printf '\0'; printf '%s\n%s' SEED '0,"x,y"') | sha256sum, and so on, by another implementation: lowest with the seed 1 are the
  // rows 3 and 0, with 2 they are 1 and 2.
  const auto drawn = [&](const std::string& seed) {
    Section some = section;
    Draw(some, 2, seed);
    CHECK(some.population == 5);
    REQUIRE(some.rows.size() == 2);
    return some.rows[0][0] + some.rows[1][0];
  };
  CHECK(drawn("1") == "03");
  CHECK(drawn("2") == "12");
  Section again = section;
  Draw(again = section, 99, "1");
  CHECK(again.rows == section.rows);
}

TEST_CASE("report: CSV is safe in a spreadsheet, and nothing steers a terminal") {
  Section section{"s", "q", {{"A"}, {"LAST USED"}}, {{"=1+1", "a\x1b\"b"}, {"-2"}}, {}};
  const Answers report{"r", {section}};
  CHECK(FormatReport(report, ReportStyle::kCsv) == "A,LAST USED\r\n'=1+1,\"a?\"\"b\"\r\n'-2,\r\n");
  CHECK(FormatReport(report, ReportStyle::kJson) ==
        "{\"report\":\"r\",\"sections\":[{\"name\":\"s\",\"query\":\"q\",\"population\":2,\"notes\":[],\"rows\":[{\"a\":\"=1+1\","
        "\"last_used\":\"a?\\\"b\"},{\"a\":\"-2\",\"last_used\":null}]}]}\n");
  CHECK(FormatReport(report, ReportStyle::kTable).find('\x1b') == std::string::npos);
}

TEST_CASE("report: what makes no sense is 2, what cannot be read 1") {
  const Week week;
  for (const std::string arguments : {"everything", "uses", "denied K1", "unused", "denied --days 3", "gaps --gap soon", "denied --since soon",
                                      "denied --sample 3", "denied --json --csv", "unused --days 3 --since 1d", "denied --sample 0 --seed x"}) {
    INFO(arguments);
    CHECK(RunShell(week.published.Run("report " + arguments)).status == 2);
  }
  CHECK(RunShell(week.published.Run("report admin")).complaints.find("needs an ACTOR;") != std::string::npos);
  CHECK(RunShell("report denied --home /nowhere").status == 1);
  CHECK(RunShell(week.published.Run("report denied >/dev/full")).status == 1);
  CHECK(RunShell("report --help").status == 0);
}

}  // namespace strongroom::audit
