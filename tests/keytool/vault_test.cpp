// keytool against the real vaultd, from init to the last revoke.
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "keytool/document.h"
#include "sql/database.h"
#include "tests/keytool/vault.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

const std::string kFirst = "ACME/anthropic/default/1", kSecond = "ACME/anthropic/default/2";

}  // namespace

TEST_CASE("init says where things are, and refuses a home that has one") {
  const Vault vault;
  CHECK(Has(vault.made().out, "kek/"));
  CHECK(Has(vault.made().out, "back it up"));
  CHECK(Has(vault.made().out, "`vaultd --home " + vault.home().path() + "`"));
  const Ran again = vault.Do({"init"});
  CHECK(again.status == 1);
  CHECK_FALSE(again.err.empty());
  const Home other;
  const Home open;
  std::filesystem::create_directory(open.path());
  REQUIRE(chmod(open.path().c_str(), 0755) == 0);
  CHECK(Has(RunKeytool({"init", "--home", open.path()}).out, "was open to others"));
  const Ran json = RunKeytool({"--json", "init", "--home", other.path()});
  CHECK(json.status == 0);
  CHECK(json.out == "{\"home\":\"" + other.path() + "\"}\n");
}

TEST_CASE("status is exit 0 exactly when vaultd answers") {
  Vault vault;
  const Ran status = vault.Do({"status"});
  CHECK(status.status == 0);
  for (const char* fact : {"epoch", "protection", "trail healthy", "single user"}) CHECK(Has(status.out, fact));
  CHECK(Has(status.err, "single_user"));
  CHECK(vault.Must({"--json", "status"}).starts_with("{"));
  CHECK_FALSE(Has(status.err, "may open"));
  REQUIRE(chmod((vault.home().path() + "/kek").c_str(), 0755) == 0);
  CHECK(Has(vault.Do({"status"}).err, "may open " + vault.home().path() + "/kek"));
  CHECK(Has(vault.Must({"kek", "status"}), "MATCHES"));
  CHECK(vault.Must({"list"}).starts_with("no keys yet"));
  CHECK(vault.Must({"profile", "list"}).starts_with("no profiles yet"));
  vault.Stop();
  CHECK(vault.Do({"status"}).status == 1);
  const Vaultd again(vault.home());
  const auto log = base::ReadFile(vault.home().path() + "/../vaultd.log", 1 << 20);
  REQUIRE(log.has_value());
  CHECK(Has(*log, "\"event\":\"others_may_open\""));
}

TEST_CASE("a key goes in, is seen, and its text is nowhere") {
  const Vault vault;
  vault.Onboard();
  const std::string list = vault.Must({"list"});
  INFO(list);
  CHECK(Has(list, kFirst));
  CHECK(Has(list, "ACTIVE"));
  CHECK(Has(list, "https://api.anthropic.com:443"));
  CHECK(vault.Must({"list", "--customer", "NOBODY"}) == "no such keys\n");
  CHECK(Has(vault.Must({"list", "--status", "ACTIVE", "--json"}), "\"key_ref\":\"" + kFirst + "\""));
  CHECK(Has(vault.Must({"show", kFirst}), "ACME_DEFAULT"));
  CHECK(Has(vault.Must({"profile", "show", "ACME_DEFAULT"}), "claude-opus-4-7"));
  CHECK(Has(vault.Must({"profile", "list"}), kFirst));
  for (const Words& words : {Words{"show", kFirst, "--json"}, Words{"list", "--json"}, Words{"status", "--json"}}) {
    CHECK_FALSE(Has(vault.Must(words), "REDACTED"));
  }
  CHECK(vault.Do({"show", "ACME/anthropic/default/9"}).status == 1);
  CHECK(vault.Do({"profile", "show", "NO_SUCH"}).status == 1);
}

TEST_CASE("a list of more keys than one answer holds is whole") {
  const Vault vault;
  vault.Onboard();
  auto database = sql::Open("sqlite:" + vault.home().path() + "/vault.db", {});
  REQUIRE(database.has_value());
  const auto copied = (*database)->Execute(
      "WITH RECURSIVE N(I) AS (SELECT 2 UNION ALL SELECT I + 1 FROM N WHERE I < 5000) INSERT INTO KEY_VAULT "
      "SELECT 'ACME/anthropic/default/' || I, CUSTOMER, PROVIDER, I, ENCRYPTED_DEK, ENCRYPTED_KEY, NONCE_DEK, NONCE_KEY, "
      "KEK_VERSION, STATUS, CREATED_AT, LAST_USED_AT, REVOKED_AT, LABEL, ORIGIN, HOSTED, ROW_VERSION, GRACE_UNTIL, "
      "STATE_CHANGED_AT, FINGERPRINT, NULL, NULL FROM KEY_VAULT, N");
  REQUIRE(copied.has_value());
  const std::string table = vault.Must({"list"});
  CHECK(std::count(table.begin(), table.end(), '\n') == 5001);
  CHECK(table.find("ACME/anthropic/default/2 ") < table.find("ACME/anthropic/default/10 "));
  const auto rows = ReadRows(vault.Must({"list", "--json"}), {"key_ref"});
  REQUIRE(rows.has_value());
  CHECK(std::set<base::Row>(rows->begin(), rows->end()).size() == 5000);
}

TEST_CASE("list and show: a row that was edited is pointed out, and what is said helps") {
  const Vault vault;
  vault.Onboard();
  CHECK_FALSE(Has(vault.Do({"list"}).err, "INTACT"));
  {
    auto database = sql::Open("sqlite:" + vault.home().path() + "/vault.db", {});
    REQUIRE(database.has_value());
    REQUIRE((*database)->Execute("UPDATE KEY_VAULT SET ORIGIN = 'https://elsewhere:443'") == 1);
  }
  const Ran listed = vault.Do({"list"});
  CHECK(listed.status == 0);
  CHECK(Has(listed.err, "not INTACT"));
  CHECK(Has(vault.Must({"list", "--json"}), "\"intact\":false"));
  const Ran shown = vault.Do({"show", kFirst});
  CHECK(shown.status == 0);
  CHECK(Has(shown.err, "revoke the key and onboard a new version"));
  vault.Must({"revoke", kFirst, "--reason", "edited"});
  vault.Onboard();
  CHECK(Has(vault.Must({"show", kSecond}), "ACTIVE"));
  vault.Must({"seal", "--reason", "night"});
  CHECK_FALSE(Has(vault.Do({"list"}).err, "INTACT"));
  CHECK_FALSE(Has(vault.Do({"show", kSecond}).err, "changed outside vaultd"));
}

TEST_CASE("rotate without a grace: nothing is said to work until later") {
  const Vault vault;
  vault.Onboard();
  const std::string said =
      vault.Must({"rotate", kFirst, "--no-verify", "--key-file", vault.home().File("next", "sk-ant-REDACTED-the-next-one\n"), "--grace", "0", "--reason", "leaked"});
  CHECK(Has(said, "opens no more"));
  CHECK(Has(said, "next: revoke the old key at its provider"));
  CHECK_FALSE(Has(said, "rollback"));
}

TEST_CASE("rotate, suspend, resume, compromise and revoke") {
  const Vault vault;
  vault.Onboard();
  const Ran rotated =
      vault.Do({"rotate", kFirst, "--no-verify", "--key-file", "-", "--grace", "2d", "--reason", "due", "--json"},
               "sk-ant-REDACTED-the-next-one\r\n");
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.status == 0);
  CHECK(rotated.out.starts_with("{\"key_ref\":\"" + kSecond + "\",\"old_key_ref\":\"" + kFirst + "\",\"grace_until\":\"20"));
  CHECK(Has(vault.Must({"show", kFirst}), "ROTATED"));
  CHECK(Has(vault.Must({"profile", "show", "ACME_DEFAULT"}), kSecond));
  const Ran forbidden = vault.Do({"suspend", kFirst, "--reason", "odd calls"});
  CHECK(forbidden.status == 1);
  CHECK(Has(forbidden.err, "it is ROTATED: `keytool revoke " + kFirst));
  CHECK(vault.Must({"suspend", kSecond, "--reason", "odd calls"}).starts_with(kSecond + " is SUSPENDED on every node, after "));
  const Ran other = vault.Do({"rotate", kSecond, "--no-verify", "--key-file", "-", "--reason", "due"}, "sk-proj-REDACTED-0123456789-openai's\n");
  CHECK(other.status == 1);
  CHECK(Has(other.err, "this is a key of OpenAI's"));
  CHECK(vault.Must({"list", "--status", "PENDING"}) == "no such keys\n");
  const Ran directory = vault.Do({"rotate", kSecond, "--no-verify", "--key-file", "/", "--reason", "due"});
  CHECK(directory.status == 1);
  CHECK(Has(directory.err, "it is a directory"));
  const Ran replaced = vault.Do({"rotate", kFirst, "--no-verify", "--key-file", "-", "--reason", "due"}, "x");
  CHECK(replaced.status == 1);
  CHECK(Has(replaced.err, "is ROTATED: a key is replaced that is ACTIVE, SUSPENDED, REVOKED or COMPROMISED"));
  CHECK(vault.Must({"resume", kSecond, "--reason", "explained"}).starts_with(kSecond + " is ACTIVE on every node, after "));
  CHECK(Has(vault.Must({"compromise", kFirst, "--reason", "leaked", "--json"}), "\"status\":\"COMPROMISED\""));
  CHECK(vault.Must({"revoke", kSecond, "--reason", "over"}).starts_with(kSecond + " is REVOKED on every node, after "));
  const Ran refused = vault.Do({"resume", kSecond, "--reason", "no"});
  CHECK(refused.status == 1);
  CHECK(refused.err.starts_with("keytool: " + kSecond + ": "));
  CHECK(vault.Do({"revoke", "ACME/openai/default/1", "--reason", "none"}).status == 1);
}

TEST_CASE("destroy wants a stopped key, tells from when on, and says what it cannot erase") {
  const Vault vault;
  vault.Onboard();
  const auto destroy = [&] { return vault.Do({"destroy", kFirst, "--reason", "the customer left"}); };
  CHECK(Has(destroy().err, "'keytool revoke' it first"));
  vault.Must({"revoke", kFirst, "--reason", "the customer left"});
  const Ran early = destroy();
  CHECK(early.status == 1);
  CHECK(Has(early.err, "7 days"));
  CHECK(Has(early.err, "; this one from 20"));
  vault.Must({"compromise", kFirst, "--reason", "and was careless"});
  const Ran destroyed = destroy();
  INFO(destroyed.out << destroyed.err);
  REQUIRE(destroyed.status == 0);
  CHECK(destroyed.out.starts_with(kFirst + " is DESTROYED on every node, after "));
  CHECK(Has(destroyed.out, "; copies of vault.db in backups"));
  const Ran shown = vault.Do({"show", kFirst});
  CHECK(shown.status == 0);
  CHECK(Has(shown.out, "DESTROYED"));
  CHECK_FALSE(Has(shown.err, "outside vaultd"));
  CHECK(Has(destroy().err, "DESTROYED and cannot come back"));
  CHECK(Has(vault.Must({"list", "--status", "DESTROYED"}), kFirst));
}

TEST_CASE("a bad key is refused in one line that does not quote it, and nothing is held") {
  const Vault vault;
  const Words onboard = {"onboard", "ACME", "--provider", "openai", "--model", "m", "--no-verify", "--reason", "r", "--key-file", "-"};
  for (const std::string& bad : {std::string("too-short"), std::string(2001, 'k'), std::string("two words of a key, long")}) {
    const Ran ran = vault.Do(onboard, bad);
    CHECK(ran.status == 1);
    CHECK(ran.err.starts_with("keytool: "));
    CHECK(ran.err.find('\n') == ran.err.size() - 1);
    CHECK_FALSE(Has(ran.err, bad.substr(0, 9)));
  }
  CHECK(vault.Must({"list"}).starts_with("no keys yet"));
  const std::string open = vault.home().File("open-key", "sk-REDACTED-0123456789012345", 0644);
  const Ran warned = vault.Do({"onboard", "ACME", "--provider", "openai", "--model", "m", "--no-verify", "--reason", "r", "--key-file", open});
  CHECK(warned.status == 0);
  CHECK(warned.err.starts_with("keytool: warning: others can read "));
}

TEST_CASE("keyless and hosted customers are onboarded without a key of their own") {
  const Vault vault;
  CHECK(Has(vault.Must({"onboard", "LOCAL", "--provider", "ollama", "--mode", "hosted", "--model", "llama3", "--reason", "r"}),
            "none: ollama takes none"));
  vault.Must({"onboard", "HOUSE", "--provider", "openai", "--model", "gpt-5", "--mode", "hosted", "--endpoint",
              "https://127.0.0.1:9443/base", "--no-verify", "--reason", "r", "--key-file", "-"},
             "sk-REDACTED-house-0123456789");
  const std::string key = "HOUSE/openai/default/1";
  CHECK(Has(vault.Must({"onboard", "GUEST", "--provider", "openai", "--model", "gpt-5", "--mode", "hosted", "--key-ref", key,
                        "--reason", "r", "--json"}),
            "\"key_ref\":\"" + key + "\""));
  CHECK(Has(vault.Must({"profile", "show", "GUEST_DEFAULT"}), "https://127.0.0.1:9443/base"));
  const Ran taken = vault.Do({"onboard", "OTHER", "--provider", "openai", "--model", "m", "--profile", "GUEST_DEFAULT", "--no-verify",
                              "--reason", "r", "--key-file", "-"}, "sk-REDACTED-0123456789012345");
  CHECK(taken.status == 1);
  CHECK(Has(taken.err, "belongs to GUEST"));
  CHECK(vault.Must({"list", "--customer", "OTHER"}) == "no such keys\n");
}

TEST_CASE("profiles are set, suspended, resumed and terminated") {
  const Vault vault;
  vault.Onboard();
  vault.Must({"profile", "set", "ACME_DEFAULT", "--rpm", "60", "--temperature", "0.7", "--notes", "caf\xc3\xa9", "--reason", "r"});
  const std::string shown = vault.Must({"profile", "show", "ACME_DEFAULT", "--json"});
  CHECK(Has(shown, "\"rate_limit_rpm\":60"));
  CHECK(Has(shown, "\"default_temp\":0.7"));
  CHECK(Has(vault.Must({"profile", "set", "ACME_DEFAULT", "--rpm", "0", "--temperature", "none", "--reason", "r", "--json"}),
            "\"rate_limit_rpm\":null"));
  CHECK(vault.Do({"profile", "set", "ACME_DEFAULT", "--endpoint", "https://evil.example", "--reason", "r"}).status == 1);
  CHECK(vault.Must({"profile", "suspend", "ACME_DEFAULT", "--reason", "r"}).starts_with("ACME_DEFAULT is SUSPENDED on every node, after "));
  CHECK(vault.Must({"profile", "resume", "ACME_DEFAULT", "--reason", "r"}).starts_with("ACME_DEFAULT is ACTIVE on every node, after "));
  CHECK(vault.Must({"profile", "terminate", "ACME_DEFAULT", "--reason", "r"}).starts_with("ACME_DEFAULT is TERMINATED on every node, after "));
  CHECK(vault.Do({"profile", "resume", "ACME_DEFAULT", "--reason", "r"}).status == 1);
}

TEST_CASE("the rate card is read and set in dollars") {
  const Vault vault;
  CHECK(Has(vault.Must({"rate", "list"}), "INPUT USD/MTOK"));
  const Ran whose = vault.Do({"rate", "set", "new-model", "--input", "3", "--output", "15", "--reason", "r"});
  CHECK(whose.status == 1);
  CHECK(Has(whose.err, "--provider"));
  vault.Must({"rate", "set", "new-model", "--input", "0.000001", "--output", "15", "--provider", "openai", "--reason", "r"});
  CHECK(Has(vault.Must({"rate", "list", "--json"}),
            "{\"model\":\"new-model\",\"provider\":\"openai\",\"input_usd_per_mtok\":0.000001,\"output_usd_per_mtok\":15.00"));
}

}  // namespace strongroom::keytool
