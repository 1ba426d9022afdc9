// A key that leaked: how far it reaches, and every use of it with a proof that a stranger can check.
#include "tests/e2e/cut_line.h"
#include "tests/e2e/house.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace strongroom::e2e {
namespace {

using Json = nlohmann::json;

constexpr const char* kKey = "ACME/anthropic/default/1";
constexpr const char* kOther = "BARCO/anthropic/default/1";

std::string StatusOf(House& house, const std::string& key_ref) { return Field(house.Keytool({"show", key_ref, "--json"}).out, "status"); }

void Use(House& house, int from, int count) {
  for (int i = from; i < from + count; ++i) REQUIRE(Field(house.Ask("use-" + std::to_string(i), "hello"), "status") == "success");
}

Json Incident(House& house, const std::vector<std::string>& more = {}, const char* key_ref = kKey) {
  std::vector<std::string> words{"incident", key_ref, "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const Ended ended = house.Keytool(words);
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  return Json::parse(ended.out);
}

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void WriteLines(const std::string& path, const std::vector<std::string>& lines) {
  std::ofstream out(path);
  for (const std::string& line : lines) out << line << "\n";
}

std::string Noted(House& house) {
  std::string vkey = house.Auditlog({"vkey"}).out;
  vkey.pop_back();
  return vkey;
}

// Offline: no home is there.
Ended Verify(House& house, const std::vector<std::string>& more, const std::string& vkey) {
  Launch launch{.program = "auditlog", .arguments = {"verify", "--vkey", vkey, "--json"}, .environment = {{"STRONGROOM_HOME", "/nonexistent"}}};
  launch.arguments.insert(launch.arguments.end(), more.begin(), more.end());
  return Run(launch, house.Path("offline"));
}

Ended Compromise(House& house, std::vector<std::string> more) {
  more.insert(more.begin(), {"compromise", kKey, "--since", "1h"});
  return house.Act(more);
}

}  // namespace

TEST_CASE("incident: what a key reaches, and whose calls are not its") {
  House house;
  house.Ready();
  house.Onboard("BARCO");
  Use(house, 0, 12);
  REQUIRE(Field(house.Ask("theirs", "hello", R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})"), "status") == "success");
  const Json found = Incident(house);
  CHECK(found["profiles"].at(0)["profile_ref"] == "ACME_DEFAULT");
  CHECK(found["customers"] == Json::array({"ACME"}));
  CHECK(found["queues"]["replies"]["T/R"] == 12);
  CHECK(found["calls"]["requests"] == 12);
  CHECK(found["failing"]["since"] == 0);
  int resolves = 0;
  for (const Json& use : found["uses"]) {
    CHECK(use["fault"].is_null());
    CHECK(use["request_id"] != "theirs");
    if (use["action"] != "resolve") continue;
    ++resolves;
    CHECK(use["model"] == "claude-sonnet-4-5");
    CHECK(use["customer"] == "ACME");
    CHECK(Has(use["worker"].get<std::string>(), ":"));
  }
  CHECK(resolves == 12);
  CHECK(found["touched"].size() >= 2);
  CHECK(house.Keytool({"incident", kKey, "--since", "2999-01-01"}).code == 2);
  CHECK(house.Keytool({"incident", kKey, "--since", "24"}).code == 2);
  CHECK(house.Keytool({"incident", kKey, "--since", ""}).code == 2);
  // That it was read is on the trail, page by page.
  CHECK(house.Trail({"--action", "read_key_trail", "--key-ref", kKey}).size() >= 2);
  const Ended screen = house.Keytool({"incident", kKey});
  INFO(screen.out << screen.err);
  CHECK(screen.code == 0);
  CHECK(Has(screen.out, "the last 8 of "));
  CHECK(Has(screen.out, "keytool incident ACME/anthropic/default/1 --since "));
  CHECK(Has(screen.out, "add_key"));
  CHECK(Has(screen.out, "next: it leaked: "));
  CHECK(std::count(screen.out.begin(), screen.out.end(), '\n') <= 30);
  REQUIRE(house.Act({"suspend", kKey}).code == 0);
  house.SendRequest("waits", "hello");
  CHECK(Field(house.AwaitReply("waits"), "status") == "error");
  const Json suspended = Incident(house);
  CHECK(suspended["failing"]["lately"] == 1);
  CHECK(suspended["touched"].back()["act"] == "move_key → SUSPENDED");
  const Ended unknown = house.Keytool({"incident", "ACME/anthropic/default/9"});
  CHECK(unknown.code == 1);
  CHECK(Has(unknown.err, "ACME/anthropic/default/9"));
  CHECK(house.Keytool({"incident", kKey, "--since", "yesterday"}).code == 2);
}

TEST_CASE("incident: a leaked key is stopped, its uses are proven to a stranger, and its customer is asked for another") {
  House house;
  house.Ready();
  house.Onboard("BARCO");
  Use(house, 0, 5);
  const std::string out = house.Path("uses"), ticket = house.Path("ticket");
  const Ended leaked = Compromise(house, {"--out", out, "--ticket-out", ticket});
  INFO(leaked.out << leaked.err);
  REQUIRE(leaked.code == 0);
  CHECK(Has(leaked.out, "is COMPROMISED on every node"));
  CHECK(Has(leaked.out, "check phrase"));
  CHECK(StatusOf(house, kKey) == "COMPROMISED");
  CHECK(StatusOf(house, kOther) == "ACTIVE");
  CHECK(Has(ReadWhole(ticket), "rotates"));
  const std::string vkey = Noted(house);
  const Ended verified = Verify(house, {"--uses", out}, vkey);
  INFO(verified.out << verified.err);
  REQUIRE(verified.code == 0);
  CHECK(Json::parse(verified.out)["verdict"] == "verified");
  std::vector<std::string> lines = LinesOf(out);
  REQUIRE(lines.size() >= 7);
  CHECK(Json::parse(verified.out)["uses"] == lines.size() - 2);
  // Each line is enough by itself.
  const Json use = Json::parse(lines[2]);
  std::ofstream(house.Path("record")) << use["record"].get<std::string>();
  std::ofstream(house.Path("proof")) << use["proof"].get<std::string>();
  CHECK(Verify(house, {"--proof", house.Path("proof"), "--record", house.Path("record")}, vkey).code == 0);
  const auto wrong = [&](std::vector<std::string> edited) {
    WriteLines(house.Path("edited"), edited);
    const Ended ended = Verify(house, {"--uses", house.Path("edited")}, vkey);
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 1);
    return Json::parse(ended.out)["kind"].get<std::string>();
  };
  auto edited = lines;
  edited[1].replace(edited[1].find("ACME"), 4, "EMCA");
  CHECK(wrong(edited) == "changed");
  edited = lines;
  edited.erase(edited.begin() + 2);
  CHECK(wrong(edited) == "truncated");
  edited = lines;
  edited.pop_back();
  CHECK(wrong(edited) == "truncated");
  edited = lines;
  edited.insert(edited.begin() + 2, edited[1]);
  CHECK(wrong(edited) == "changed");
  CHECK(Verify(house, {"--uses", house.Path("record")}, vkey).code == 2);
  CHECK(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("incident: what fails behind the stop is told, and done by the next run") {
  House house;
  house.Ready();
  Use(house, 0, 3);
  const std::string out = house.Path("none/uses"), ticket = house.Path("ticket");
  const Ended first = Compromise(house, {"--out", out, "--ticket-out", house.Path("none/ticket")});
  INFO(first.out << first.err);
  REQUIRE(first.code == 1);
  CHECK(StatusOf(house, kKey) == "COMPROMISED");
  CHECK(Has(first.err, "not done: the list of its uses: "));
  CHECK(Has(first.err, "keytool incident ACME/anthropic/default/1 --since "));
  CHECK(Has(first.err, "keytool invite resend "));
  // An earlier run that was killed while it wrote.
  std::ofstream(house.Path("uses.part")) << "half a line";
  const Ended second = Compromise(house, {"--out", house.Path("uses"), "--ticket-out", ticket, "--json"});
  INFO(second.out << second.err);
  REQUIRE(second.code == 0);
  const Json done = Json::parse(second.out);
  CHECK(done["already"] == true);
  CHECK(done["status"] == "COMPROMISED");
  CHECK(done["unfinished"].empty());
  CHECK(!std::filesystem::exists(house.Path("uses.part")));
  CHECK(Verify(house, {"--uses", house.Path("uses")}, Noted(house)).code == 0);
  // One ticket, however often it is asked for.
  CHECK(house.Trail({"--action", "issue_ticket"}).size() == 1);
  // The file is not written over; the ticket, the same, is left alone.
  const Ended third = Compromise(house, {"--out", house.Path("uses"), "--ticket-out", ticket, "--json"});
  CHECK(third.code == 1);
  CHECK(Json::parse(third.out)["unfinished"].size() == 1);
  CHECK(house.Keytool({"incident", kKey, "--out", house.Path("again")}).code == 0);
  CHECK(Verify(house, {"--uses", house.Path("again")}, Noted(house)).code == 0);
}

// Each request of the command is lost once, and its answer once: what is said is so, and the next run does the rest.
TEST_CASE("incident: vaultd goes away at any moment of a compromise, and the next run does what is left") {
  House house;
  house.Ready();
  for (const auto& [cut, name] : {std::pair(CutLine::Cut::kBeforeRequest, "ASKED"), std::pair(CutLine::Cut::kBeforeAnswer, "TOLD")}) {
    bool whole = false;
    for (int kept = 0; !whole; ++kept) {
      REQUIRE(kept < 40);
      const std::string customer = name + std::to_string(kept), key = customer + "/anthropic/default/1", file = house.Path(customer);
      house.Onboard(customer);
      const std::vector<std::string> words{"compromise", key, "--since", "1h", "--out", file + ".uses", "--ticket-out", file + ".ticket", "--json"};
      Ended first;
      {
        const CutLine line(house.home(), kept, cut);
        first = house.Act(words);
        whole = !line.cut();
      }
      INFO(key << ": " << first.out << first.err);
      REQUIRE((first.code == 0) == whole);
      CHECK(!Has(first.out + first.err, "no profile uses it"));
      const bool stopped = StatusOf(house, key) == "COMPROMISED";
      const Json told = Json::parse(first.out);
      if (!told.contains("error")) {
        CHECK(stopped);
        CHECK(told["status"] == "COMPROMISED");
        CHECK(told["unfinished"].empty() == whole);
        CHECK(told["ticket_file"].is_null() == !std::filesystem::exists(file + ".ticket"));
        CHECK(told["no_ticket"].is_null());
      }
      if (whole) continue;
      CHECK(Has(first.err, "vaultd"));
      // The list is not written over.
      auto again = words;
      if (std::filesystem::exists(file + ".uses")) again[5] += "2";
      const Ended second = house.Act(again);
      INFO(second.out << second.err);
      REQUIRE(second.code == 0);
      const Json done = Json::parse(second.out);
      CHECK(done["status"] == "COMPROMISED");
      CHECK(done["already"] == stopped);
      CHECK(done["unfinished"].empty());
      CHECK(Has(ReadWhole(file + ".ticket"), "rotates"));
      CHECK(house.Trail({"--action", "issue_ticket", "--customer", customer}).size() == 1);
      CHECK(Verify(house, {"--uses", again[5]}, Noted(house)).code == 0);
    }
  }
}

TEST_CASE("incident: no such key, a sealed vault, and a command line that makes no sense") {
  House house;
  house.Ready();
  Use(house, 0, 1);
  const Ended unknown = house.Act({"compromise", "ACME/anthropic/default/9", "--since", "1h", "--out", house.Path("uses")});
  CHECK(unknown.code == 1);
  CHECK(!std::filesystem::exists(house.Path("uses")));
  CHECK(Compromise(house, {"--since", "soon"}).code == 2);
  CHECK(house.Act({"compromise", kKey, "--out", house.Path("uses")}).code == 2);
  CHECK(StatusOf(house, kKey) == "ACTIVE");
  REQUIRE(house.Act({"seal"}).code == 0);
  CHECK(Incident(house)["uses"].size() >= 1);
  const Ended sealed = Compromise(house, {"--out", house.Path("uses")});
  INFO(sealed.err);
  CHECK(sealed.code == 1);
  CHECK(Has(sealed.err, "unseal"));
  CHECK(!std::filesystem::exists(house.Path("uses")));
}

TEST_CASE("incident: a record that was altered in the database is named, and not proven") {
  House house;
  house.Ready();
  Use(house, 0, 4);
  const auto vault = house.Vault();
  const auto edited = vault->Execute("UPDATE AUDIT_LOG SET RECORD = CAST(REPLACE(CAST(RECORD AS TEXT), 'use-2', 'use-9') AS BLOB) WHERE REQUEST_ID = 'use-2'");
  REQUIRE(edited.has_value());
  REQUIRE(*edited >= 1);
  const Ended leaked = Compromise(house, {"--out", house.Path("uses"), "--ticket-out", house.Path("ticket")});
  INFO(leaked.out << leaked.err);
  CHECK(leaked.code == 1);
  CHECK(Has(leaked.err, "could not be proven"));
  CHECK(Has(leaked.err, "auditlog verify"));
  CHECK(StatusOf(house, kKey) == "COMPROMISED");
  const Ended verified = Verify(house, {"--uses", house.Path("uses")}, Noted(house));
  CHECK(verified.code == 1);
  CHECK(Json::parse(verified.out)["kind"] == "changed");
  // One whose columns say another key.
  REQUIRE(vault->Execute("UPDATE AUDIT_LOG SET OUTCOME = 'denied' WHERE REQUEST_ID = 'use-1' AND ACTION = 'resolve'").has_value());
  CHECK(Incident(house)["altered"] == 1);
}

}  // namespace strongroom::e2e
