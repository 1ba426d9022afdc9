// What becomes of a rotated key by itself once its grace is over: what is done, what it needs, and what a failure leaves.
#include "vault/grace_watch.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/files.h"
#include "tests/vault/service_house.h"
#include "vault/open_vault.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kGrace = 2 * base::kMicrosPerSecond;

bool Within(std::chrono::seconds most, const std::function<bool()>& is) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!is()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// Rotated is a house with a rotated key; `vault` is it in the test's own hands, where nobody looks but the test.
struct Rotated : ServiceHouse {
  explicit Rotated(base::Micros grace = kGrace) : first(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) { PutAside(first, grace); }
  void PutAside(const std::string& key_ref, base::Micros grace) {
    Rotate(key_ref, grace);
    over_at = base::WallMicros() + grace;
  }
  void Load() {
    Stop();
    vault.reset();
    auto loaded = LoadVault(config());
    if (!loaded) FAIL(loaded.error().text);
    vault = std::move(*loaded);
  }
  void Release() {
    vault.reset();
    Start();
  }
  void WaitOut() const {
    REQUIRE(Within(std::chrono::seconds(10), [&] { return base::WallMicros() > over_at; }));
  }
  // Settle has what a look handed over be written.
  void Settle() {
    audit::Draft behind;
    behind.action = "heartbeat";
    behind.actor = SystemActor();
    REQUIRE(vault->log->Append(behind).has_value());
  }
  std::string Status(const std::string& key_ref) { return Value("SELECT STATUS FROM KEY_VAULT WHERE KEY_REF = ?1", {std::string_view(key_ref)}); }
  std::int64_t Count(std::string_view outcome) {
    return std::stoll(Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'end_grace' AND OUTCOME = ?1", {outcome}));
  }
  const std::string first;
  base::Micros over_at = 0;
  std::unique_ptr<OpenVault> vault;
};

}  // namespace

TEST_CASE("a rotated key is REVOKED by itself when its grace is over, and no sooner", "[service]") {
  Rotated house;
  house.Load();
  house.vault->grace_watch.Look(base::WallMicros());
  house.Settle();
  CHECK(house.Status(house.first) == "ROTATED");
  CHECK(house.Count("ok") + house.Count("denied") == 0);
  house.Load();  // it had some seconds to wait
  house.WaitOut();
  const std::int64_t epoch = house.vault->epoch.value();
  house.vault->grace_watch.Look(base::WallMicros());
  REQUIRE(Within(std::chrono::seconds(10), [&] { return house.Status(house.first) == "REVOKED"; }));
  house.Settle();
  CHECK(house.vault->epoch.value() == epoch + 1);
  house.Release();
  CHECK(house.Count("ok") == 1);
  const std::string record = house.Value("SELECT CAST(SEQ AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'end_grace' AND CUSTOMER = 'ACME' AND KEY_REF = ?1",
                                         {std::string_view(house.first)});
  CHECK_FALSE(record.empty());
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.first)) == Refusal::kKeyRevoked);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("what ended a grace is an act of vaultd, and its stop outlives a row that is put back", "[service]") {
  Rotated house;
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_VAULT");
  house.Load();
  house.WaitOut();
  house.vault->grace_watch.Look(base::WallMicros());
  REQUIRE(Within(std::chrono::seconds(10), [&] { return house.Count("ok") == 1; }));
  const audit::Draft record = house.Last().draft;
  CHECK(record.action == "end_grace");
  CHECK(record.actor.role == "vaultd");
  CHECK(record.before->at("status") == "ROTATED");
  CHECK(record.before->at("grace_until").size() == 27);
  CHECK(record.after->at("status") == "REVOKED");
  // Not only from the next start on, which takes note of what the database says is stopped.
  house.Settle();
  const auto stops = base::ReadFile(house.home() + "/stops", 1 << 20);
  REQUIRE(stops.has_value());
  CHECK(stops->find("REVOKED " + house.first + "\n") != std::string::npos);
  house.Release();
  house.Edit("UPDATE KEY_VAULT SET STATUS = (SELECT STATUS FROM KEPT WHERE KEPT.KEY_REF = KEY_VAULT.KEY_REF), "
             "ROW_VERSION = (SELECT ROW_VERSION FROM KEPT WHERE KEPT.KEY_REF = KEY_VAULT.KEY_REF), "
             "ENCRYPTED_DEK = (SELECT ENCRYPTED_DEK FROM KEPT WHERE KEPT.KEY_REF = KEY_VAULT.KEY_REF), "
             "NONCE_DEK = (SELECT NONCE_DEK FROM KEPT WHERE KEPT.KEY_REF = KEY_VAULT.KEY_REF)");
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.first)) == Refusal::kKeyTampered);
  house.Edit("DROP TABLE KEPT");
}

TEST_CASE("a start long after a grace has ended makes good for it, without anybody asking", "[service]") {
  Rotated house;
  house.Stop();
  house.WaitOut();
  house.Start();
  CHECK(Within(std::chrono::seconds(30), [&] { return house.Status(house.first) == "REVOKED"; }));
  CHECK(house.Count("ok") == 1);
}

TEST_CASE("several graces that are over end one after the other", "[service]") {
  Rotated house(0);
  const std::string other = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kAcmeKey);
  house.PutAside(other, 0);
  CHECK(Within(std::chrono::seconds(30), [&] { return house.Status(house.first) == "REVOKED" && house.Status(other) == "REVOKED"; }));
  CHECK(house.Count("ok") == 2);
}

TEST_CASE("no grace is ended while the vault is sealed or in quarantine, nor on a trail that is not sound", "[service]") {
  Rotated house;
  house.Load();
  house.WaitOut();
  SECTION("sealed") { house.vault->held.Put(nullptr, "a test"); }
  SECTION("a trail without its anchor") {
    house.vault.reset();
    std::filesystem::remove(house.home() + "/anchor");
    house.Load();
    REQUIRE(house.vault->trail->standing() != Standing::kSound);
  }
  SECTION("an older database") { house.vault->stops->MarkOlder(); }
  house.vault->grace_watch.Look(base::WallMicros());
  if (house.vault->trail->standing() == Standing::kSound) house.Settle();
  CHECK(house.Status(house.first) == "ROTATED");
  CHECK(house.Count("ok") + house.Count("denied") + house.Count("error") == 0);
}

TEST_CASE("a rotated key whose row was changed is told of once, and holds up no other", "[service]") {
  Rotated house;
  const std::string other = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kAcmeKey);
  house.PutAside(other, kGrace);
  house.Load();
  house.Edit("UPDATE KEY_VAULT SET GRACE_UNTIL = GRACE_UNTIL - 1 WHERE KEY_REF = ?1", {std::string_view(house.first)});
  house.WaitOut();
  const auto both = [&] {
    house.vault->grace_watch.Look(base::WallMicros());
    return house.Status(other) == "REVOKED" && house.Count("denied") + house.Count("error") == 1;
  };
  CHECK(Within(std::chrono::seconds(10), both));
  for (int i = 0; i < 5; ++i) house.vault->grace_watch.Look(base::WallMicros());
  house.Settle();
  CHECK(house.Status(house.first) == "ROTATED");
  CHECK(house.Count("denied") + house.Count("error") == 1);
  CHECK(house.Value("SELECT OUTCOME FROM AUDIT_LOG WHERE ACTION = 'end_grace' AND KEY_REF = ?1", {std::string_view(house.first)}) != "ok");
}

TEST_CASE("of nodes that share a database the first ends a grace, and the next one waits for it", "[postgres]") {
  Rotated house;
  house.Load();
  house.WaitOut();
  house.Edit("INSERT INTO NODE SELECT '0000000000000000', HOST, 'MEMBER', 'another', 0, ACKNOWLEDGED_EPOCH, SEEN_AT, '' FROM NODE");
  house.vault->grace_watch.Look(base::WallMicros());
  house.Settle();
  CHECK(house.Status(house.first) == "ROTATED");
  house.Load();
  house.vault->grace_watch.Look(base::WallMicros() + 61 * base::kMicrosPerSecond);
  CHECK(Within(std::chrono::seconds(10), [&] { return house.Status(house.first) == "REVOKED"; }));
}

}  // namespace strongroom::vault
