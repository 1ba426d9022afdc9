// A key that only its customer has seen: invited, sealed where there is no Strongroom, accepted, checked with its provider, and used.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <utility>

namespace strongroom::e2e {
namespace {

constexpr const char* kFirst = "CARGO/anthropic/default/1";

std::string StatusOf(House& house, const std::string& key_ref) { return Field(house.Keytool({"show", key_ref, "--json"}).out, "status"); }

std::string Invite(House& house, const std::string& name, std::vector<std::string> words) {
  words.insert(words.begin(), "invite");
  words.insert(words.end(), {"--out", house.Path(name), "--json"});
  const Ended invited = house.Act(words);
  INFO(invited.out << invited.err);
  REQUIRE(invited.code == 0);
  return Field(invited.out, "check_phrase");
}

// The customer's side: another directory, no home, the phrase as it was read out.
std::string Seal(House& house, const std::string& ticket, const std::string& phrase, const std::string& key_file) {
  const Launch launch{.program = "keytool",
                      .arguments = {"seal", "--ticket", house.Path(ticket), "--phrase", phrase, "--key-file", key_file, "--out",
                                    house.Path(ticket + ".blob"), "--json"},
                      .environment = {{"STRONGROOM_HOME", "/nonexistent"}}};
  const Ended sealed = Run(launch, house.Path(ticket + ".seal"));
  INFO(sealed.out << sealed.err);
  REQUIRE(sealed.code == 0);
  return Field(sealed.out, "check_phrase");
}

Ended Accept(House& house, const std::string& ticket, const std::string& phrase, std::vector<std::string> words) {
  words.insert(words.begin(), {"accept", house.Path(ticket + ".blob"), "--phrase", phrase});
  return house.Act(words);
}

}  // namespace

TEST_CASE("tickets: from the accept of a good key to the first call with it") {
  House house;
  house.Ready();
  const std::string phrase = Invite(house, "ticket", {"CARGO", "--provider", "anthropic", "--endpoint", house.sim().endpoint()});
  const std::string sealed = Seal(house, "ticket", phrase, house.NewKey("CARGO"));
  const long long before = NowMs();
  const Ended accepted = Accept(house, "ticket", sealed, {"--model", "claude-sonnet-4-5", "--rpm", "600"});
  INFO(accepted.out << accepted.err);
  REQUIRE(accepted.code == 0);
  REQUIRE(Has(accepted.out, "checked: "));
  const std::string reply = house.Ask("first", "hello", R"({"customer":"CARGO","profile_ref":"CARGO_DEFAULT"})");
  const long long took = NowMs() - before;
  INFO(reply);
  REQUIRE(Field(reply, "status") == "success");
  INFO("from accept to the first answer: " << took << " ms");
#ifndef STRONGROOM_SANITIZED
  CHECK(took < 2'000);
#endif
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  // What the trail has: who asked, what came, and nothing of the key.
  REQUIRE(house.Trail({"--action", "issue_ticket"}).size() == 1);
  const std::vector<std::string> records = house.Trail({"--action", "accept_ticket"});
  REQUIRE(records.size() == 1);
  REQUIRE(Has(records[0], kFirst));
  const Ended verified = house.Auditlog({"verify"});
  INFO(verified.out << verified.err);
  REQUIRE(verified.code == 0);
}

TEST_CASE("tickets: a key that its provider does not take stays PENDING") {
  House house;
  house.Ready();
  const std::string phrase = Invite(house, "ticket", {"CARGO", "--provider", "anthropic", "--endpoint", house.sim().endpoint()});
  house.WriteKey("wrong", "sk-ant-0123456789-of-nobody");
  const std::string sealed = Seal(house, "ticket", phrase, house.KeyFile("wrong"));
  const Ended accepted = Accept(house, "ticket", sealed, {"--model", "claude-sonnet-4-5"});
  INFO(accepted.err);
  REQUIRE(accepted.code == 1);
  REQUIRE(Has(accepted.err, "keytool invite CARGO --provider anthropic"));
  REQUIRE(!Has(accepted.err, "of-nobody"));
  REQUIRE(StatusOf(house, kFirst) == "PENDING");
  REQUIRE(Field(house.Keytool({"profile", "show", "CARGO_DEFAULT", "--json"}).out, "error") == "PROFILE_UNKNOWN");
}

TEST_CASE("tickets: a key that its provider takes a minute later is gone on with as the text says, its limits too") {
  House house;
  house.Ready();
  const std::string phrase = Invite(house, "ticket", {"CARGO", "--provider", "anthropic", "--endpoint", house.sim().endpoint()});
  const std::string key_file = house.NewKey("CARGO"), sealed = Seal(house, "ticket", phrase, key_file);
  house.ForgetKey("CARGO");
  const std::vector<std::string> flags = {"--model", "claude-sonnet-4-5", "--profile", "CARGO_X", "--rpm", "7"};
  const Ended refused = Accept(house, "ticket", sealed, flags);
  INFO(refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Has(refused.err, "--continue --model claude-sonnet-4-5 --profile CARGO_X --endpoint " + house.sim().endpoint() + " --rpm 7"));
  std::ofstream(house.Path("keys/valid"), std::ios::app) << house.KeyText("CARGO") << "\n";
  std::vector<std::string> on = flags;
  on.emplace_back("--continue");
  const Ended accepted = Accept(house, "ticket", sealed, on);
  INFO(accepted.err);
  REQUIRE(accepted.code == 0);
  REQUIRE(StatusOf(house, kFirst) == "ACTIVE");
  REQUIRE(Field(house.Keytool({"profile", "show", "CARGO_X", "--json"}).out, "rate_limit_rpm") == "7");
}

TEST_CASE("tickets: no key is taken, and no ticket used, where nobody would use it") {
  House house;
  house.Ready();
  const std::string old = "ACME/anthropic/default/1";
  const std::string phrase = Invite(house, "next", {"--rotate", old});
  const std::string sealed = Seal(house, "next", phrase, house.NewKey("next"));
  REQUIRE(house.Act({"revoke", old}).code == 0);
  REQUIRE(house.Act({"rotate", old, "--key-file", house.NewKey("second")}).code == 0);
  const Ended late = Accept(house, "next", sealed, {});
  CHECK(late.code == 1);
  CHECK(Has(late.err, "no profile uses it: a new version of it would be used by nobody"));
  CHECK(Has(house.Keytool({"invite", "list"}).out, "OPEN"));
  const Ended again = house.Act({"rotate", old, "--key-file", house.KeyFile("next")});
  CHECK(again.code == 1);
  CHECK(Has(again.err, "keytool list --customer ACME"));
  CHECK(house.Act({"invite", "--rotate", old}).code == 1);
  // Nor does a customer who comes back get a profile that is over.
  REQUIRE(house.Act({"offboard", "ACME", "--yes"}).code == 0);
  const std::string back = Invite(house, "back", {"ACME", "--provider", "anthropic", "--endpoint", house.sim().endpoint()});
  const std::string blob = Seal(house, "back", back, house.NewKey("back"));
  const Ended over = Accept(house, "back", blob, {"--model", "claude-sonnet-4-5"});
  CHECK(over.code == 1);
  CHECK(Has(over.err, "profile ACME_DEFAULT is TERMINATED and does not come back: choose another --profile"));
  CHECK(Accept(house, "back", blob, {"--model", "claude-sonnet-4-5", "--profile", "ACME_AGAIN"}).code == 0);
}

TEST_CASE("tickets: a new version comes in while calls go on") {
  House house;
  house.Ready();
  const std::string old = "ACME/anthropic/default/1";
  const std::string phrase = Invite(house, "next", {"--rotate", old});
  const std::string sealed = Seal(house, "next", phrase, house.NewKey("next"));
  const Ended rotated = Accept(house, "next", sealed, {"--grace", "1h"});
  INFO(rotated.out << rotated.err);
  REQUIRE(rotated.code == 0);
  house.ForgetKey("ACME");
  REQUIRE(Field(house.Ask("after", "hello"), "status") == "success");
  REQUIRE(StatusOf(house, old) == "ROTATED");
}

}  // namespace strongroom::e2e
