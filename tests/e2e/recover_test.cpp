// The way back from a key that was stopped: what `keytool recover` does, where it waits, and how it goes on.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/e2e/dying.h"

namespace strongroom::e2e {
namespace {

// In is a fact of the one report in a list.
std::string In(const std::string& reports, const std::string& name) {
  REQUIRE(reports.starts_with("[{"));
  return Field(reports.substr(1, reports.rfind(']') - 1), name);
}
std::string Listed(House& house) { return house.Keytool({"recover", "--list", "--json"}).out; }

// Stopped is a house whose key was revoked, with two requests that were refused since.
struct Stopped : House {
  Stopped() {
    Ready();
    REQUIRE(Field(Ask("before", "hello"), "status") == "success");
    REQUIRE(Act({"revoke", kFirst}).code == 0);
    for (const char* id : {"refused-1", "refused-2"}) REQUIRE(Field(Ask(id, "hello"), "error_code") == "PROVIDER_AUTH");
  }
};

}  // namespace

TEST_CASE("recover: from the suspension to the report, and every row once") {
  Dying house;
  const Ended waits = house.Act({"recover", "ACME"});
  INFO(waits.out << waits.err);
  REQUIRE(waits.code == 1);
  CHECK_THAT(waits.err, Catch::Contains("calls have failed since "));
  CHECK_THAT(waits.err, Catch::Contains("waits for a new key: give it with `keytool recover ACME/anthropic/default/1 --key-file F"));
  CHECK_THAT(house.Keytool({"recover", "--list"}).out, Catch::Contains("waits for a new key"));
  const Ended taken = house.Act({"recover", kFirst, "--key-file", house.NewKey("next")});
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
  CHECK_THAT(taken.err, Catch::Contains("replaced by ACME/anthropic/default/2"));
  CHECK(StatusOf(house, kFirst) == "REVOKED");
  house.Finish();
  const std::int64_t failed = Rows(house, "error");
  CHECK(In(Listed(house), "step") == "replaced");
  const std::string file = house.Path("report.txt");
  const Ended replayed = house.Act({"recover", "ACME", "--replay", "--report", file, "--json"});
  INFO(replayed.out << replayed.err);
  REQUIRE(replayed.code == 0);
  CHECK(In(replayed.out, "step") == "closed");
  CHECK(In(replayed.out, "calls_failed") == std::to_string(failed));
  CHECK(In(replayed.out, "calls_replayed") == std::to_string(failed));
  CHECK(In(replayed.out, "new_key_ref") == kSecond);
  CHECK_THAT(ReadWhole(file), Catch::Contains("without service"));
  REQUIRE(Rows(house, "success") == kRows);
  for (const auto& [request, calls] : house.sim().Calls()) CHECK(calls <= 2);
  // It is over, and the report can be had again.
  const Ended again = house.Act({"recover", kFirst});
  REQUIRE(again.code == 0);
  CHECK_THAT(again.out, Catch::Contains("sent again"));
  const Ended nothing = house.Act({"recover", "ACME"});
  REQUIRE(nothing.code == 1);
  CHECK_THAT(nothing.err, Catch::Contains("no key of ACME is stopped and used by a profile"));
}

TEST_CASE("recover: the customer seals the new key, and who comes by goes on") {
  Stopped house;
  REQUIRE(house.Act({"profile", "suspend", "ACME_DEFAULT"}).code == 0);
  const Ended invited = house.Act({"recover", "--provider", "anthropic", "--tickets", house.Path("")});
  INFO(invited.out << invited.err);
  REQUIRE(invited.code == 1);
  CHECK_THAT(invited.out, Catch::Contains("check phrase"));
  CHECK_THAT(invited.err, Catch::Contains("waits for the customer"));
  const std::string ticket = house.Path("ACME-anthropic-default-1.ticket"), blob = house.Path("blob");
  const Ended again = house.Act({"recover", "ACME", "--tickets", house.Path("")});
  REQUIRE(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("waits for the customer: ticket "));
  const Ended sealed = house.Keytool({"seal", "--ticket", ticket, "--yes", "--key-file", house.NewKey("next"), "--out", blob});
  INFO(sealed.err);
  REQUIRE(sealed.code == 0);
  REQUIRE(house.Act({"accept", blob, "--yes"}).code == 0);
  const Ended done = house.Act({"recover", "ACME"});
  INFO(done.out << done.err);
  REQUIRE(done.code == 0);
  CHECK_THAT(done.err, Catch::Contains("profile ACME_DEFAULT stays SUSPENDED"));
  CHECK_THAT(done.out, Catch::Contains("of these, sent by other programs than batch: 2"));
  CHECK_THAT(done.out, Catch::Contains("refused-1"));
  REQUIRE(house.Act({"recover", kFirst, "--resume-profiles"}).code == 0);
  REQUIRE(Field(house.Ask("after", "hello"), "status") == "success");
  CHECK(In(Listed(house), "calls_left") == "2");
}

TEST_CASE("recover: what somebody else did meanwhile is seen, a resume too") {
  Stopped house;
  REQUIRE(house.Act({"recover", "ACME"}).code == 1);
  REQUIRE(house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  const Ended seen = house.Act({"recover", "ACME"});
  INFO(seen.out << seen.err);
  REQUIRE(seen.code == 0);
  CHECK_THAT(seen.err, Catch::Contains("replaced by ACME/anthropic/default/2"));
  REQUIRE(house.Act({"suspend", kSecond}).code == 0);
  REQUIRE(house.Act({"recover", "ACME"}).code == 1);
  REQUIRE(house.Act({"resume", kSecond}).code == 0);
  const Ended resumed = house.Act({"recover", "ACME"});
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK_THAT(resumed.err, Catch::Contains("was resumed"));
  // And stopped once more it begins anew.
  REQUIRE(house.Act({"suspend", kSecond}).code == 0);
  CHECK(house.Act({"recover", kSecond}).code == 1);
  CHECK_THAT(house.Keytool({"recover", "--list"}).out, Catch::Contains("waits for a new key"));
}

TEST_CASE("recover: killed at any moment, the next run ends it") {
  Stopped house;
  int version = 1;
  for (int delay = 5; delay <= 125; delay += 20) {
    const std::string key_ref = Field(house.Keytool({"profile", "show", "ACME_DEFAULT", "--json"}).out, "key_ref");
    if (StatusOf(house, key_ref) == "ACTIVE") REQUIRE(house.Act({"revoke", key_ref}).code == 0);
    const std::string file = house.NewKey("key-" + std::to_string(++version));
    Process process = house.Spawn("keytool", {"recover", key_ref, "--key-file", file, "--reason", "test"});
    std::this_thread::sleep_for(std::chrono::milliseconds(delay));
    process.Crash();
    const Ended ended = house.Act({"recover", key_ref, "--key-file", file});
    INFO(delay << " ms: " << ended.out << ended.err);
    REQUIRE(ended.code == 0);
    REQUIRE(Field(house.Ask("after-" + std::to_string(delay), "hello"), "status") == "success");
  }
  CHECK(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("recover: what somebody writes into its notes makes nothing happen, and hides nothing") {
  Stopped house;
  house.Onboard("VICT");
  REQUIRE(house.Act({"profile", "suspend", "VICT_DEFAULT"}).code == 0);
  REQUIRE(house.Act({"recover", "ACME"}).code == 1);
  REQUIRE(house.work().Execute("UPDATE RECOVERY SET PROFILES = 'ACME_DEFAULT' || CHAR(10) || 'VICT_DEFAULT', CUSTOMERS = 'VICT', CUSTOMER = 'VICT', STARTED_BY = 'a' || CHAR(10) || 'forged'").has_value());
  const Ended waits = house.Act({"recover", kFirst, "--resume-profiles"});
  CHECK(waits.code == 1);
  CHECK_THAT(waits.err, Catch::Contains("begun by a?forged"));
  // That it was replaced is the vault's to say.
  REQUIRE(house.work().Execute("UPDATE RECOVERY SET NEW_KEY_REF = 'NOPE/x/y/1', REPLACED_AT = 1, CLOSED_AT = 2").has_value());
  CHECK(house.Act({"recover", "ACME"}).code == 1);
  const Ended taken = house.Act({"recover", "ACME", "--resume-profiles", "--key-file", house.NewKey("next"), "--json"});
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
  CHECK(In(taken.out, "new_key_ref") == kSecond);
  CHECK(In(taken.out, "customer") == "ACME");
  CHECK_THAT(house.Keytool({"profile", "show", "VICT_DEFAULT"}).out, Catch::Contains("SUSPENDED"));
}

TEST_CASE("recover: after a rollback to it, a key that is stopped once more is recovered once more") {
  Stopped house;
  REQUIRE(house.Act({"recover", "ACME", "--key-file", house.NewKey("second")}).code == 0);
  REQUIRE(house.Act({"rotate", kSecond, "--key-file", house.NewKey("third")}).code == 0);
  REQUIRE(house.Act({"rollback", kSecond}).code == 0);
  REQUIRE(house.Act({"revoke", kSecond}).code == 0);
  const Ended again = house.Act({"recover", "ACME", "--key-file", house.NewKey("fourth"), "--json"});
  INFO(again.out << again.err);
  REQUIRE(again.code == 0);
  CHECK(In(again.out, "new_key_ref") == "ACME/anthropic/default/4");
  REQUIRE(Field(house.Ask("after", "hello"), "status") == "success");
}

TEST_CASE("recover: a key that works is left alone, and a dead one that nobody has noticed is not") {
  House house;
  house.Ready();
  const Ended works = house.Act({"recover", kFirst, "--key-file", house.NewKey("next")});
  CHECK(works.code == 1);
  CHECK_THAT(works.err, Catch::Contains("its provider takes it: nothing is to be recovered"));
  CHECK_THAT(house.Keytool({"recover", "--list"}).out, Catch::Contains("no recovery was begun"));
  house.ForgetKey("ACME");
  const Ended dead = house.Act({"recover", kFirst, "--key-file", house.KeyFile("next")});
  INFO(dead.out << dead.err);
  CHECK(dead.code == 0);
  CHECK_THAT(dead.err, Catch::Contains("replaced by ACME/anthropic/default/2"));
}

TEST_CASE("recover: a key that comes in another way ends the ticket, and a profile that stays SUSPENDED keeps it open") {
  Stopped house;
  REQUIRE(house.Act({"profile", "suspend", "ACME_DEFAULT"}).code == 0);
  REQUIRE(house.Act({"recover", "ACME", "--tickets", house.Path("new/dir")}).code == 1);  // one directory is made, not two
  REQUIRE(house.Act({"recover", "ACME", "--tickets", house.Path("tickets")}).code == 1);
  const Ended taken = house.Act({"recover", "ACME", "--key-file", house.NewKey("next"), "--json"});
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
  CHECK_THAT(taken.err, Catch::Contains("is cancelled: the key has come in another way"));
  CHECK_THAT(taken.out, Catch::Contains(R"("profiles_suspended":["ACME_DEFAULT"])"));
  CHECK(In(taken.out, "step") == "replaced");
  const Ended resumed = house.Act({"recover", "ACME", "--resume-profiles", "--json"});
  REQUIRE(resumed.code == 0);
  CHECK(In(resumed.out, "step") == "closed");
}

TEST_CASE("recover: rows that cannot be sent again are said to, and are no success") {
  Dying house;
  REQUIRE(house.Act({"recover", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  house.Finish();
  std::ofstream(house.Path("rows.jsonl"), std::ios::app) << "{\"id\":1,\"prompt\":\"one more\"}\n";
  std::filesystem::create_directory(house.Path("report.part"));
  const Ended replayed = house.Act({"recover", "ACME", "--replay", "--report", house.Path("report")});
  INFO(replayed.out << replayed.err);
  CHECK(replayed.code == 1);
  CHECK_THAT(replayed.err, Catch::Contains("warning: --report " + house.Path("report.part")));
  CHECK_THAT(replayed.err, Catch::Contains("is not the file this batch began with"));
  CHECK_THAT(replayed.err, Catch::Contains("not every row that was to be sent again has succeeded"));
  CHECK_THAT(replayed.out, Catch::Contains("not sent again"));
  std::filesystem::remove(house.Path("rows.jsonl"));
  const Ended gone = house.Act({"recover", "ACME", "--replay"});
  CHECK(gone.code == 1);
  CHECK_THAT(gone.err, Catch::Contains("cannot be sent again here: " + house.Path("rows.jsonl") + ": No such file"));
  CHECK(In(Listed(house), "step") == "replaced");
}

// Workers and callers may write the work database too.
TEST_CASE("recover: a batch of somebody else's is left to them, and no file of an admin's is written over in a batch's name") {
  Dying house;
  REQUIRE(house.Act({"recover", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  house.Finish();
  const std::string kek = house.home() + "/kek/1.key", before = ReadWhole(kek);
  const std::string output = house.Text(house.work(), "SELECT OUTPUT_FILE FROM AI_BATCH"), initiated_by = house.Text(house.work(), "SELECT INITIATED_BY FROM AI_BATCH");
  REQUIRE(house.work().Execute("UPDATE AI_BATCH SET OUTPUT_FILE = ?1", {std::string_view(kek)}) == 1);
  const Ended forged = house.Act({"recover", "ACME", "--replay"});
  INFO(forged.out << forged.err);
  CHECK(forged.code == 1);
  CHECK_THAT(forged.err, Catch::Contains("this is no file of replies of a batch"));
  CHECK(ReadWhole(kek) == before);
  CHECK_FALSE(std::filesystem::exists(kek + ".part"));
  REQUIRE(house.work().Execute("UPDATE AI_BATCH SET OUTPUT_FILE = ?1, INITIATED_BY = 'nobody'", {std::string_view(output)}) == 1);
  const Ended others = house.Act({"recover", "ACME", "--replay"});
  CHECK(others.code == 1);
  CHECK_THAT(others.err, Catch::Contains("nobody submitted it, and sends it again with `batch resume "));
  REQUIRE(house.work().Execute("UPDATE AI_BATCH SET INITIATED_BY = ?1", {std::string_view(initiated_by)}) == 1);
  // The same command goes on, its report too.
  const std::string report = house.Path("report");
  CHECK(house.Act({"recover", "ACME", "--replay", "--report", report}).code == 0);
  CHECK_THAT(ReadWhole(report), Catch::Contains("sent again"));
  CHECK(house.Act({"recover", kFirst, "--report", report}).code == 0);
  const Ended kept = house.Act({"recover", kFirst, "--report", house.KeyFile("next"), "--json"});
  CHECK(kept.code == 1);
  CHECK_THAT(kept.out, Catch::Contains("FILE_EXISTS"));
  CHECK(ReadWhole(house.KeyFile("next")) == house.KeyText("next"));
}

TEST_CASE("recover: of two keys one waits, its report comes to the other's, and one that was not written is no key's problem") {
  Stopped house;
  house.Onboard("BARCO");
  const std::string barco = "BARCO/anthropic/default/1", report = house.Path("report"), in_the_way = report + ".part";
  REQUIRE(house.Act({"revoke", barco}).code == 0);
  const std::vector<std::string> both = {"recover", "--provider", "anthropic", "--report", report, "--json"};
  const Ended wait = house.Act(both);
  CHECK(wait.code == 1);
  CHECK_THAT(wait.err, Catch::Contains("2 of 2 keys are not recovered yet"));
  CHECK_FALSE(std::filesystem::exists(report));
  REQUIRE(house.Act({"rotate", kFirst, "--key-file", house.NewKey("next")}).code == 0);
  std::filesystem::create_directory(in_the_way);
  const Ended unwritten = house.Act(both);
  INFO(unwritten.out << unwritten.err);
  CHECK(unwritten.code == 1);
  CHECK_THAT(unwritten.err, Catch::Contains("1 of 2 keys are not recovered yet"));
  CHECK_THAT(unwritten.err, Catch::Contains("warning: --report " + in_the_way));
  CHECK_THAT(unwritten.err, Catch::Contains("warning: " + barco + " waits for a new key"));
  CHECK_THAT(unwritten.out, Catch::Contains("RECOVERY_WAITS"));
  const Ended alone = house.Act({"recover", kFirst, "--report", report, "--json"});
  INFO(alone.out << alone.err);
  CHECK(alone.code == 1);
  CHECK_THAT(alone.out, Catch::Contains("UNAVAILABLE") && Catch::Contains(R"("step":"closed")"));
  CHECK_THAT(alone.err, !Catch::Contains("not recovered yet"));
  std::filesystem::remove(in_the_way);
  CHECK(house.Act({"recover", kFirst, "--report", report}).code == 0);
  const std::string first = ReadWhole(report);
  CHECK_THAT(first, Catch::StartsWith("recovery of ACME's key ") && !Catch::Contains("BARCO"));
  // ACME's is closed by now: the same command is about BARCO's alone.
  std::vector<std::string> again = both;
  again.insert(again.end(), {"--key-file", house.NewKey("barco")});
  const Ended done = house.Act(again);
  INFO(done.out << done.err);
  REQUIRE(done.code == 0);
  CHECK_THAT(done.err, Catch::Contains(report + " has 1 of other keys too"));
  CHECK_THAT(done.out, !Catch::Contains("ACME"));
  CHECK_THAT(ReadWhole(report), Catch::StartsWith(first + "recovery of BARCO's key " + barco + "\n"));
}

TEST_CASE("recover: what cannot be done is said, and nothing is begun") {
  House house;
  house.Ready();
  CHECK(house.Act({"recover"}).code == 2);
  CHECK(house.Act({"recover", "ACME", "--provider", "anthropic"}).code == 2);
  CHECK(house.Act({"recover", "ACME", "--key-file", "f", "--tickets", "d"}).code == 2);
  CHECK(house.Act({"recover", "no/such"}).code == 2);
  CHECK(house.Act({"recover", "--list", "--all-lost-kek"}).code == 2);
  CHECK_THAT(house.Act({"recover", "ACME/anthropic/default/9"}).err, Catch::Contains("ACME/anthropic/default/9"));
  CHECK_THAT(house.Act({"recover", "ACME"}).err, Catch::Contains("name its KEY_REF"));
  CHECK_THAT(house.Keytool({"recover", "--list"}).out, Catch::Contains("no recovery was begun"));
  REQUIRE(house.Act({"revoke", kFirst}).code == 0);
  REQUIRE(house.Act({"profile", "terminate", "ACME_DEFAULT"}).code == 0);
  const Ended unused = house.Act({"recover", kFirst, "--json"});
  CHECK(unused.code == 1);
  CHECK_THAT(unused.out, Catch::Contains("NOTHING_TO_RECOVER"));
  // A wrong key changes nothing.
  house.Onboard("BARCO");
  const std::string barco = "BARCO/anthropic/default/1";
  REQUIRE(house.Act({"revoke", barco}).code == 0);
  house.WriteKey("dead", "sk-ant-dead-0123456789012345678901234567");
  const Ended dead = house.Act({"recover", barco, "--key-file", house.KeyFile("dead")});
  CHECK(dead.code == 1);
  CHECK_THAT(dead.err, Catch::Contains("was not taken"));
  CHECK_THAT(dead.err, Catch::Contains("`keytool recover BARCO/anthropic/default/1"));
  CHECK_THAT(house.Keytool({"recover", "--list"}).out, Catch::Contains("waits for a new key"));
  REQUIRE(house.Act({"recover", "BARCO", "--key-file", house.NewKey("good")}).code == 0);
  // What leaked is waited for until it is destroyed; then there is nothing to put another version of. The refused key stays PENDING as version 2.
  const std::string next = "BARCO/anthropic/default/3";
  REQUIRE(house.Act({"compromise", next}).code == 0);
  CHECK_THAT(house.Keytool({"due"}).out, Catch::Contains("keytool recover " + next));
  CHECK_THAT(house.Act({"recover", next, "--key-file", house.KeyFile("good")}).err, Catch::Contains("this very key is COMPROMISED"));
  REQUIRE(house.Act({"destroy", next}).code == 0);
  const Ended gone = house.Act({"recover", "BARCO", "--key-file", house.NewKey("late")});
  CHECK(gone.code == 1);
  CHECK_THAT(gone.err, Catch::Contains("is DESTROYED") && Catch::Contains("keytool onboard BARCO"));
  const std::string pending = house.Keytool({"list", "--status", "PENDING"}).out;
  CHECK_THAT(pending, Catch::Contains("BARCO/anthropic/default/2 "));
  CHECK(std::ranges::count(pending, '\n') == 2);
}

}  // namespace strongroom::e2e
