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
