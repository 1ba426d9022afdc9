// keytool against the real vaultd: back from a rotation, what is due, and a customer who leaves.
#include "sql/database.h"
#include "tests/keytool/terminal.h"
#include "tests/keytool/vault.h"

namespace strongroom::keytool {
namespace {

const std::string kFirst = "ACME/anthropic/default/1", kSecond = "ACME/anthropic/default/2";

struct Rotated : Vault {
  explicit Rotated(const std::string& grace = "2d") {
    Onboard();
    Must({"rotate", kFirst, "--no-verify", "--key-file", "-", "--grace", grace, "--reason", "due"}, "sk-ant-REDACTED-the-next-one");
  }
};

Words RollBackOf(const std::string& key_ref) { return {"rollback", key_ref, "--no-verify", "--reason", "the new one is wrong"}; }

}  // namespace

TEST_CASE("rollback: by the old key's name or the new one's, and it says what became of both") {
  const Rotated vault;
  const bool by_old = GENERATE(true, false);
  const std::string said = vault.Must(RollBackOf(by_old ? kFirst : kSecond));
  CHECK(said.starts_with(kFirst + " is ACTIVE on every node, after "));
  CHECK(Has(said, kSecond + " is SUSPENDED, its profiles use " + kFirst));
  CHECK(Has(said, "`keytool revoke " + kSecond + " --reason TEXT"));
  CHECK(Has(vault.Must({"profile", "show", "ACME_DEFAULT"}), kFirst));
  CHECK(Has(vault.Must({"show", kSecond}), "SUSPENDED"));
}

TEST_CASE("rollback: as JSON, and refused clearly where there is nothing to bring back, and nothing is changed") {
  const Rotated vault;
  const Ran unknown = vault.Do(RollBackOf("ACME/anthropic/default/7"));
  CHECK(unknown.status == 1);
  CHECK(Has(unknown.err, "no such key"));
  CHECK(vault.Do({"rollback", kFirst, "--no-verify"}).status == 2);
  vault.Must({"revoke", kFirst, "--reason", "gone"});
  for (const std::string& key_ref : {kFirst, kSecond}) {
    const Ran refused = vault.Do(RollBackOf(key_ref));
    CHECK(refused.status == 1);
    CHECK(Has(refused.err, "stands in no ROTATED key's place"));
  }
  CHECK(Has(vault.Must({"profile", "show", "ACME_DEFAULT"}), kSecond));
  vault.Must({"rotate", kSecond, "--no-verify", "--key-file", "-", "--reason", "due"}, "sk-ant-REDACTED-the-third-one");
  Words json = RollBackOf(kSecond);
  json.push_back("--json");
  CHECK(vault.Must(json).starts_with("{\"key_ref\":\"" + kSecond + "\",\"instead_of\":\"ACME/anthropic/default/3\",\"instead_of_status\":\"SUSPENDED\",\"probe\":null,\"status\":\"ACTIVE\""));
}

TEST_CASE("rollback: what is over is told so") {
  const Rotated vault("1s");
  REQUIRE(Until([&] { return Has(vault.Must({"show", kFirst}), "REVOKED"); }));
  CHECK(Has(vault.Do(RollBackOf(kFirst)).err, "stands in no ROTATED key's place"));
}

TEST_CASE("due: nothing, then what there is, each with its command, and always exit 0") {
  const Rotated vault;
  CHECK(Has(vault.Must({"due"}), "keytool test " + kFirst));
  CHECK(vault.Must({"due", "--ahead-days", "1"}) == "nothing is due\n");
  CHECK(vault.Must({"due", "--customer", "NOBODY"}) == "nothing is due\n");
  CHECK(vault.Must({"due", "--ahead-days", "1", "--json"}) == "[]\n");
  vault.Must({"profile", "set", "ACME_DEFAULT", "--key-ref", kFirst, "--reason", "r"});
  CHECK(Has(vault.Must({"due", "--json"}), "\"due\":\"grace\""));
  CHECK(Has(vault.Must({"due"}), "keytool profile set ACME_DEFAULT --key-ref " + kSecond + " --home " + vault.home().path()));
  vault.Must({"compromise", kSecond, "--reason", "leaked"});
  CHECK(Has(vault.Must({"due"}), "keytool destroy " + kSecond));
  CHECK(vault.Do({"due", "--unused-days", "0"}).status == 2);
}

TEST_CASE("offboard: wants a yes where nobody is to be asked, and an unknown customer is refused") {
  const Rotated vault;
  const Ran unasked = vault.Do({"offboard", "ACME", "--reason", "left"});
  CHECK(unasked.status == 2);
  CHECK(Has(unasked.err, "give --yes"));
  const Ran unknown = vault.Do({"offboard", "NOBODY", "--yes", "--reason", "left"});
  CHECK(unknown.status == 1);
  CHECK(Has(unknown.err, "no key, profile or ticket is of NOBODY"));
  CHECK(vault.Do({"offboard", "A/B", "--yes", "--reason", "left"}).status == 2);
  CHECK(vault.Do({"offboard", "ACME", "--yes"}).status == 2);
  CHECK(vault.Do({"offboard", "ACME", "--yes", "--csv", "--json", "--reason", "left"}).status == 2);
  CHECK(Has(vault.Must({"show", kSecond}), "ACTIVE"));
}

TEST_CASE("offboard: on a terminal it shows what it will stop, and wants the customer's name") {
  const Rotated vault;
  const auto ask = [&](const std::string& typed) {
    Terminal terminal("/bin/sh", {"-c", std::string("exec ") + STRONGROOM_KEYTOOL + " --home " + vault.home().path() + " offboard ACME --reason left"});
    REQUIRE(terminal.Shows("Type ACME to go on: "));
    CHECK(Has(terminal.Shown(), "profile  ACME_DEFAULT  ACTIVE -> TERMINATED"));
    CHECK(Has(terminal.Shown(), kFirst + "  ROTATED -> REVOKED"));
    CHECK(Has(terminal.Shown(), kSecond + "  ACTIVE -> REVOKED"));
    terminal.Type(typed);
    return terminal.Ended();
  };
  for (const char* no : {"\n", "yes\n", "acme\n", "\x03"}) {
    CHECK(ask(no) != 0);
    CHECK(Has(vault.Must({"show", kSecond}), "ACTIVE"));
  }
  CHECK(ask("ACME\n") == 0);
  CHECK(Has(vault.Must({"show", kSecond}), "REVOKED"));
}

TEST_CASE("offboard: all of it is stopped, the statement is printed, and again the second time") {
  const Rotated vault;
  auto database = sql::Open("sqlite:" + vault.home().path() + "/strongroom.db", {});
  REQUIRE(database.has_value());
  REQUIRE((*database)
              ->Execute("INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROVIDER, MODEL, STATUS, TOKENS_IN, TOKENS_OUT, COST_BASIS_USD, KEY_REF, "
                        "WORKER_ID, VERSION, LOGGED_AT) VALUES (1, 'r', 'ACME', 'anthropic', 'claude', 'success', 7, 8, 0.5, 'K', 'w', '1.0', 1795000000000000)")
              .has_value());
  const std::string said = vault.Must({"offboard", "ACME", "--yes", "--reason", "left"});
  INFO(said);
  CHECK(said.starts_with("ACME is offboarded: 1 profiles TERMINATED, 2 keys REVOKED on every node, after "));
  CHECK(Has(said, "`keytool due --customer ACME --home "));
  CHECK(Has(said, "UNPRICED"));
  CHECK(Has(said, "2026-11"));
  CHECK(Has(vault.Must({"show", kFirst}), "REVOKED"));
  CHECK(Has(vault.Must({"show", kSecond}), "REVOKED"));
  CHECK(Has(vault.Must({"profile", "show", "ACME_DEFAULT"}), "TERMINATED"));
  const std::string again = vault.Must({"offboard", "ACME"});
  CHECK(again.starts_with("ACME was offboarded before: nothing is left to stop"));
  CHECK(Has(again, "2026-11"));
  CHECK(vault.Must({"offboard", "ACME", "--csv"}).starts_with("MONTH,PROVIDER,MODEL,"));
  const std::string json = vault.Must({"offboard", "ACME", "--json"});
  CHECK(json.starts_with(R"({"customer":"ACME","keys_revoked":[],"profiles_terminated":[],"tickets_cancelled":[],"destroyable_from":"20)"));
  CHECK(Has(json, R"("statement":{"lines":[{"month":"2026-11")"));
}

TEST_CASE("offboard: what was stopped is said as JSON, and where no statement can be made, the stop is done all the same") {
  const Rotated vault;
  std::filesystem::rename(vault.home().path() + "/strongroom.db", vault.home().path() + "/away.db");
  const Ran ran = vault.Do({"offboard", "ACME", "--yes", "--reason", "left", "--json"});
  CHECK(ran.status == 1);
  CHECK(Has(ran.err, "all of ACME is stopped, but the statement cannot be made"));
  CHECK(Has(vault.Must({"show", kSecond}), "REVOKED"));
  std::filesystem::rename(vault.home().path() + "/away.db", vault.home().path() + "/strongroom.db");
  CHECK(Has(vault.Must({"offboard", "ACME"}), "no calls were logged for ACME"));
}

}  // namespace strongroom::keytool
