#include "keytool/recovery_log.h"

#include "tests/keytool/calls.h"

namespace strongroom::keytool {
namespace {

constexpr base::Micros kSecond = base::kMicrosPerSecond;
constexpr base::Micros kNoon = 1'795'000'000 * kSecond;

struct Recoveries : Calls {
  Recoveries() {
    row.key_ref = "ACME/openai/default/1";
    row.customer = "ACME";
    row.provider = "openai";
    row.stopped_as = "REVOKED";
    row.profiles = {"ACME_DEFAULT", "a, b"};
    row.customers = {"ACME"};
    row.stopped_at = kNoon;
    row.started_by = "root";
    row.started_at = kNoon + kSecond;
  }
  RecoveryLog Log() const {
    Context context;
    context.home = home.path();
    auto log = RecoveryLog::Open(context);
    REQUIRE(log.has_value());
    return std::move(*log);
  }
  // A call at so many seconds from noon; an empty key is none.
  void Call(const std::string& id, int second, bool good, std::string_view key, std::string_view profile = "ACME_DEFAULT", std::string_view customer = "ACME") {
    const auto added = database->Execute(
        "INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROFILE_REF, PROVIDER, MODEL, STATUS, ERROR_CODE, KEY_REF, WORKER_ID, VERSION, LOGGED_AT) "
        "VALUES (1, ?1, ?2, ?3, 'openai', 'm', ?4, ?5, ?6, 'w', '1.0', ?7)",
        {std::string_view(id), customer, profile, std::string_view(good ? "success" : "error"),
         good ? sql::Parameter(std::monostate{}) : sql::Parameter(std::string_view("PROVIDER_AUTH")),
         key.empty() ? sql::Parameter(std::monostate{}) : sql::Parameter(key), kNoon + second * kSecond});
    REQUIRE(added.has_value());
  }
  void Batch(const std::string& id) {
    REQUIRE(database
                ->Execute("INSERT INTO AI_BATCH (BATCH_ID, BATCH_TYPE, INITIATED_BY, INITIATED_AT, STATUS, TOTAL_UNITS, CUSTOMER, PROFILE_REF, INPUT_FILE, "
                          "INPUT_SHA256, OUTPUT_FILE, IN_FLIGHT, TIMEOUT_MS) VALUES (?1, 'prompts', 'root', 1, 'complete', 2, 'ACME', 'ACME_DEFAULT', '/in', 'x', '/out', 1, 1)",
                          {std::string_view(id)})
                .has_value());
  }
  RecoveryRow row;
};

}  // namespace

TEST_CASE("recovery log: a row is what was put, and is put anew") {
  Recoveries home;
  RecoveryLog log = home.Log();
  CHECK_FALSE(log.Find(home.row.key_ref).value().has_value());
  REQUIRE(log.Put(home.row).has_value());
  const RecoveryRow read = log.Find(home.row.key_ref).value().value();
  CHECK(read.profiles == home.row.profiles);
  CHECK(read.customers == home.row.customers);
  CHECK(read.stopped_at == kNoon);
  CHECK(read.new_key_ref.empty());
  CHECK_FALSE(read.replaced_at.has_value());
  CHECK(log.List("ACME", "").value().size() == 1);
  CHECK(log.List("", "openai").value().size() == 1);
  CHECK(log.List("BARCO", "").value().empty());
  home.row.new_key_ref = "ACME/openai/default/2";
  home.row.replaced_at = kNoon + 9 * kSecond;
  home.row.calls_failed = 7;
  home.row.closed_at = kNoon + 10 * kSecond;
  REQUIRE(log.Put(home.row).has_value());
  CHECK(log.Find(home.row.key_ref).value()->new_key_ref == "ACME/openai/default/2");
  CHECK(log.Find(home.row.key_ref).value()->calls_failed == 7);
  CHECK(log.List("ACME", "").value().empty());
  CHECK(log.List("", "").value().size() == 1);
}

TEST_CASE("recovery log: calls fail from the first refusal on, also by the vault, and only those that want this key") {
  Recoveries home;
  RecoveryLog log = home.Log();
  const std::string& key = home.row.key_ref;
  home.Call("forbidden-long-ago", -5'000, false, key);
  home.Call("good", -100, true, key);
  home.Call("first", -90, false, key);
  home.Call("under-way", -80, true, key);
  home.Call("B1-2", 5, false, "");
  home.Call("B1-x", 6, false, "");
  home.Call("lone", 7, false, "", "a, b");
  home.Call("other-key", 8, false, "ACME/openai/other/1", "OTHER");
  home.Call("other-profile", 9, false, "", "OTHER");
  home.Call("barco", 10, false, "", "ACME_DEFAULT", "BARCO");
  home.Batch("B1");
  home.row.stopped_at = log.StoppedAt(home.row, kNoon, 0).value();
  CHECK(home.row.stopped_at == kNoon - 90 * kSecond);
  const FailedCalls failed = log.FailedCallsOf(home.row).value();
  CHECK(failed.left.size() == 2);
  CHECK(failed.CountLeft() == 4);
  CHECK(failed.refused_since == 0);
  CHECK(failed.left.at("B1") == std::vector<std::string>{"B1-2", "B1-x"});
  CHECK(failed.left.at("") == std::vector<std::string>{"first", "lone"});
  // With the key that took its place they are others, also where the vault refused without naming one.
  home.row.new_key_ref = "ACME/openai/default/2";
  home.row.replaced_at = kNoon + 20 * kSecond;
  home.Call("B1-3", 21, false, home.row.new_key_ref);
  home.Call("B1-4", 22, false, "");
  home.Call("late", 23, false, key);
  const FailedCalls later = log.FailedCallsOf(home.row).value();
  CHECK(later.refused_since == 2);
  CHECK(later.left.at("") == std::vector<std::string>{"first", "lone", "late"});
  CHECK(later.CountLeft() == 5);
  CHECK(log.FindBatch("B1").value()->input_file == "/in");
  CHECK_FALSE(log.FindBatch("B2").value().has_value());
}

TEST_CASE("recovery log: the first call again is the new key's, and none of before it took the old one's place") {
  Recoveries home;
  RecoveryLog log = home.Log();
  home.row.new_key_ref = home.row.key_ref;
  home.row.replaced_at = kNoon;
  home.Call("before", -1, true, home.row.key_ref);
  CHECK_FALSE(log.FirstCall(home.row).value().has_value());
  home.Call("refused", 1, false, home.row.key_ref);
  home.Call("again", 2, true, home.row.key_ref);
  CHECK(log.FirstCall(home.row).value() == kNoon + 2 * kSecond);
}

TEST_CASE("recovery log: without a work database there is none, and nothing can be kept") {
  Recoveries home;
  RecoveryLog log = home.Log();
  REQUIRE(home.database->Execute("DROP TABLE RECOVERY").has_value());
  const auto put = log.Put(home.row);
  REQUIRE_FALSE(put.has_value());
  CHECK(Has(put.error().text, "how far this is cannot be kept"));
  home.database.reset();
  std::filesystem::remove(home.home.path() + "/strongroom.db");
  Context context;
  context.home = home.home.path();
  CHECK_FALSE(RecoveryLog::Open(context).has_value());
}

}  // namespace strongroom::keytool
