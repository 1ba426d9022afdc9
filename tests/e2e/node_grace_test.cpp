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

}  // namespace strongroom::e2e
