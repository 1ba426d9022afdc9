// What vaultds that share a database do by themselves when a grace ends, and a customer who leaves one of them.
#include "tests/e2e/two_nodes.h"

namespace strongroom::e2e {
namespace {

std::string StatusOf(House& house, const std::string& key_ref) { return Field(house.Keytool({"show", key_ref, "--json"}).out, "status"); }

}  // namespace

TEST_CASE("nodes: a grace that is over is ended once, by one of them, and each has it outside the database") {
  TwoNodes nodes;
  nodes.a.WriteKey("next", "sk-e2e-0123456789-the-next-one-abcd");
  Must(nodes.b.Act({"rotate", kKey, "--no-verify", "--key-file", nodes.a.KeyFile("next"), "--grace", "2s"}));
  REQUIRE(Eventually([&] { return StatusOf(nodes.a, kKey) == "REVOKED"; }));
  for (House* house : {&nodes.a, &nodes.b}) {
    REQUIRE(Eventually([&] { return Has(ReadWhole(house->home() + "/stops"), std::string("REVOKED ") + kKey); }));
  }
  CHECK(Lines(Must(nodes.a.Auditlog({"search", "--json", "--action", "end_grace"})).out).size() == 1);
}

TEST_CASE("nodes: an offboarding is acknowledged by every node, and both say so") {
  TwoNodes nodes;
  const Ended left = Must(nodes.b.Act({"offboard", "ACME", "--yes"}));
  CHECK(Has(left.out, "1 profiles TERMINATED, 1 keys REVOKED on every node, after "));
  CHECK(Has(ReadWhole(nodes.a.home() + "/stops"), std::string("REVOKED ") + kKey));
  CHECK(StatusOf(nodes.a, kKey) == "REVOKED");
  CHECK(Has(Must(nodes.a.Keytool({"offboard", "ACME"})).out, "nothing is left to stop"));
}

TEST_CASE("nodes: what a leaked key was used for is told and proven by the node that is asked, which names the others") {
  TwoNodes nodes;
  REQUIRE(Resolve(nodes.a, "one"));
  REQUIRE(Resolve(nodes.a, "two"));
  REQUIRE(Resolve(nodes.b, "three"));
  const Ended told = nodes.a.Keytool({"incident", kKey});
  INFO(told.out << told.err);
  CHECK(told.code == 0);
  CHECK_THAT(told.out, Catch::Contains("USES"));
  CHECK_THAT(told.out, Catch::Contains("TOUCHED BY"));
  CHECK_THAT(told.out + told.err, Catch::Contains(nodes.b_node));
  const std::string file = nodes.a.Path("uses");
  const Ended leaked = nodes.a.Act({"compromise", kKey, "--since", "1h", "--out", file, "--ticket-out", nodes.a.Path("ticket")});
  INFO(leaked.out << leaked.err);
  CHECK(leaked.code == 0);
  CHECK_THAT(leaked.err, Catch::Contains("these nodes have logs of their own"));
  // A line for each node's log.
  std::vector<std::string> vkeys = Lines(Must(nodes.a.Auditlog({"vkey"})).out);
  std::erase_if(vkeys, [&](const std::string& line) { return Has(line, nodes.b_node); });
  REQUIRE(vkeys.size() == 1);
  const Ended verified = nodes.a.Auditlog({"verify", "--uses", file, "--vkey", vkeys.front()});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK_FALSE(Resolve(nodes.b, "four"));
}

TEST_CASE("nodes: two onboardings at once, on two nodes, do not get the same share of a house key") {
  TwoNodes nodes;
  nodes.a.WriteKey("house", "sk-e2e-0123456789-the-house-s-own");
  Must(nodes.a.Act({"onboard", "HOUSE", "--provider", "anthropic", "--model", "m", "--mode", "hosted", "--no-verify", "--key-file", nodes.a.KeyFile("house"), "--rpm",
                    "10"}));
  Must(nodes.b.Act({"limit", "HOUSE/anthropic/default/1", "--rpm", "100"}));
  int taken = 0, refused = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<Process> both;
    for (House* house : {&nodes.a, &nodes.b}) {
      const std::string customer = (house == &nodes.a ? "A" : "B") + std::to_string(round);
      both.push_back(house->Spawn("keytool", {"onboard", customer, "--provider", "anthropic", "--model", "m", "--mode", "hosted", "--key-ref",
                                              "HOUSE/anthropic/default/1", "--rpm", "15", "--reason", "at once"}));
    }
    for (Process& one : both) {
      const Ended ended = one.Wait();
      taken += ended.code == 0 ? 1 : 0;
      refused += Has(ended.err, "100 requests a minute, 100 given away, 0 left") ? 1 : 0;
    }
  }
  CHECK(taken == 6);
  CHECK(refused == 4);
  CHECK(Field(Must(nodes.a.Keytool({"show", "HOUSE/anthropic/default/1", "--json"})).out, "shares_rpm") == "100");
}

}  // namespace strongroom::e2e
