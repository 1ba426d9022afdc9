// Retention as vaultd does it: what goes, when nothing does, and what a failure leaves.
#include "vault/pruner.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "audit/verifier.h"
#include "base/files.h"
#include "tests/vault/service_house.h"
#include "vault/open_vault.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kAfter = 401 * base::kMicrosPerDay;
constexpr const char* kPersonal = "a-person-of-long-ago";

// Aging is a house whose vault is in the test's own hands, so that the test may say how late it is.
struct Aging : ServiceHouse {
  explicit Aging(int records) : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) {
    Stop();
    Load();
    Fill(records);
  }
  void Load() {
    auto loaded = LoadVault(config());
    if (!loaded) FAIL(loaded.error().text);
    vault = std::move(*loaded);
  }
  void Reload() {
    vault.reset();
    Load();
  }
  void Fill(int records) {
    audit::Draft draft;
    draft.action = "note_read";
    draft.actor = SystemActor();
    draft.purpose = kPersonal;
    for (int i = 1; i < records; ++i) {
      audit::Job job;
      job.decide = [draft](sql::Database&, base::Micros) { return audit::Decision{draft, false}; };
      job.done = [](const Result<audit::Receipt>&) {};
      REQUIRE(vault->log->Submit(std::move(job)).has_value());
    }
    REQUIRE(vault->log->Append(draft).has_value());
  }
  // Prune looks until a step has been taken; false where none is within ten seconds.
  bool Prune() {
    const std::int64_t before = Count("ok");
    for (int i = 0; i < 1000; ++i) {
      vault->pruner.Look(base::WallMicros() + kAfter);
      if (Count("ok") > before) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // Stays is true where a look has taken no step by the time that what is asked for behind it is done.
  bool Stays(base::Micros later = kAfter) {
    const std::int64_t before = Count("ok");
    vault->pruner.Look(base::WallMicros() + later);
    audit::Draft behind;
    behind.action = "heartbeat";
    behind.actor = SystemActor();
    const auto written = [&] { return vault->log->Append(behind).has_value(); };
    for (int i = 0; i < 1000 && !written(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return Count("ok") == before;
  }
  std::int64_t Count(std::string_view outcome) {
    return std::stoll(Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'prune_trail' AND OUTCOME = ?1", {outcome}));
  }
  audit::Verdict Verify() {
    const auto verdict = audit::Verify(*Open());
    REQUIRE(verdict.has_value());
    return *verdict;
  }
  bool Sound() {
    const audit::Verdict verdict = Verify();
    if (verdict.fault) UNSCOPED_INFO(verdict.fault->kind << " at " << verdict.fault->seq << ": " << verdict.fault->detail);
    return !verdict.fault.has_value();
  }
  const std::string ref;
  std::unique_ptr<OpenVault> vault;
};

bool Holds(const std::string& path, std::string_view text) {
  const auto bytes = base::ReadFile(path, std::size_t{1} << 28);
  return bytes && bytes->find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("pruner: what is older than the policy goes, and the vault serves as before", "[prune]") {
  Aging house(600);
  CHECK(house.Stays(399 * base::kMicrosPerDay));
  house.Reload();  // it had an hour to wait
  REQUIRE(house.Prune());
  const audit::Verdict verdict = house.Verify();
  CHECK_FALSE(verdict.fault.has_value());
  REQUIRE(verdict.pruned.has_value());
  CHECK(verdict.pruned->first == 512);
  CHECK(verdict.pruned->days == 400);
  CHECK(house.Records() == verdict.records - verdict.pruned->gone());
  CHECK(house.Last().draft.actor.role == "vaultd");
  house.vault.reset();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  CHECK(house.MoveKey(house.ref, "suspend").has_value());
  house.Stop();
  CHECK(house.Sound());
}

TEST_CASE("pruner: nothing goes where the policy says for ever, where the vault is sealed, or from a trail that is not sound", "[prune]") {
  Aging house(300);
  SECTION("for ever") {
    house.vault.reset();
    house.Configure("retention_days", "0");
    house.Stop();
    house.Load();
  }
  SECTION("sealed") { house.vault->held.Put(nullptr, "a test"); }
  SECTION("without its anchor") {
    house.vault.reset();
    std::filesystem::remove(house.home() + "/anchor");
    house.Load();
    REQUIRE(house.vault->trail->standing() != Standing::kSound);
  }
  SECTION("a record was changed") {
    house.Edit("UPDATE AUDIT_LOG SET RECORD = (SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 8) WHERE SEQ = 7");
  }
  const std::int64_t records = house.Records();
  CHECK(house.Stays());
  CHECK(house.Records() == records + 1);  // the one behind
  CHECK(house.Count("error") == 0);
}

TEST_CASE("pruner: a stop between two steps leaves whole steps, and the next start goes on", "[prune]") {
  Aging house(2400);
  REQUIRE(house.Prune());
  house.Reload();
  CHECK(house.Verify().pruned->first == 2048);
  CHECK(house.Sound());
  REQUIRE(house.Prune());
  CHECK(house.Verify().pruned->first == 2304);
  CHECK(house.Sound());
}

TEST_CASE("pruner: where the database fails, records and what says that they are gone stay or go together", "[prune][sqlite]") {
  Aging house(600);
  const std::int64_t records = house.Records();
  SECTION("at the deletion") {
    REQUIRE(house.Open()->RunScript("CREATE TRIGGER BROKEN BEFORE DELETE ON AUDIT_LOG WHEN OLD.SEQ = 400 BEGIN SELECT RAISE(ABORT, 'broken'); END;"));
    CHECK(house.Stays());
    CHECK(house.Records() == records + 2);
    CHECK(house.Count("error") == 1);
  }
  SECTION("at the record") {
    REQUIRE(house.Open()->RunScript("CREATE TRIGGER BROKEN BEFORE INSERT ON AUDIT_LOG WHEN NEW.ACTION = 'prune_trail' BEGIN SELECT RAISE(ABORT, 'broken'); END;"));
    CHECK(house.Stays());
    CHECK(house.Records() == records + 1);
  }
  CHECK(house.Sound());
  CHECK_FALSE(house.Verify().pruned.has_value());
  REQUIRE(house.Open()->RunScript("DROP TRIGGER BROKEN"));
  house.Reload();
  REQUIRE(house.Prune());
  CHECK(house.Sound());
}

TEST_CASE("pruner: what was pruned is not left in free pages or the write-ahead log", "[prune][sqlite]") {
  Aging house(300);
  const std::string file = house.home() + "/vault.db";
  const std::string kept = "\"seq\":299,", gone = "\"seq\":200,";
  house.Reload();
  REQUIRE(Holds(file, gone));
  REQUIRE(house.Prune());
  house.vault->reader.reset();  // as at a stop: the last connection to close is one that writes
  house.vault.reset();
  CHECK(Holds(file, kept));
  CHECK_FALSE(Holds(file, gone));
  CHECK_FALSE(Holds(file + "-wal", gone));
}

TEST_CASE("pruner: of a database that nodes share, the own log's records alone go", "[prune][postgres]") {
  Aging house(300);
  CHECK(house.Edit("INSERT INTO AUDIT_TRAIL SELECT '00ff', SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID FROM AUDIT_LOG") >= 300);
  const std::string others = house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_TRAIL WHERE NODE_ID = '00ff'");
  REQUIRE(house.Prune());
  CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_TRAIL WHERE NODE_ID = '00ff'") == others);
  CHECK(house.Verify().pruned->first == 256);
  CHECK(house.Sound());
}

}  // namespace strongroom::vault
