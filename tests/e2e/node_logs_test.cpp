// Each node's own log, on a database that several share.
#include <utility>

#include "tests/e2e/two_nodes.h"

namespace strongroom::e2e {
namespace {

TEST_CASE("nodes: each rotates the signing key of its own log, and who noted the old one goes on with it") {
  TwoNodes nodes;
  const auto verified = [](House& at, const std::string& vkey) {
    std::vector<std::string> arguments{"verify", "--json"};
    if (!vkey.empty()) arguments.insert(arguments.end(), {"--vkey", vkey});
    return Has(Must(at.Auditlog(arguments)).out, "\"verified\"");
  };
  const auto vkey = [](House& at) { return Lines(Must(at.Auditlog({"vkey", "--node", NodeOf(at)})).out).front(); };
  const auto rotated = [](House& at) { return Eventually([&] { return Has(at.Keytool({"status", "--json"}).out, "\"signing_key_rotating\":false"); }); };
  const std::string old_a = vkey(nodes.a), old_b = vkey(nodes.b);
  Must(nodes.a.Act({"rotate-signing-key"}));
  REQUIRE(rotated(nodes.a));
  CHECK(vkey(nodes.a) != old_a);
  CHECK(vkey(nodes.b) == old_b);
  for (const auto& [at, noted] : {std::pair(&nodes.a, old_a), std::pair(&nodes.a, vkey(nodes.a)), std::pair(&nodes.b, old_b)}) CHECK(verified(*at, noted));
  Must(nodes.b.Act({"rotate-signing-key"}));
  REQUIRE(rotated(nodes.b));
  CHECK(vkey(nodes.b) != old_b);
  CHECK(vkey(nodes.b).substr(vkey(nodes.b).rfind('+')) != vkey(nodes.a).substr(vkey(nodes.a).rfind('+')));
  // A KEK's rotation takes both keys along, a start finds its own, and a third node signs with what is left for those that have none.
  Must(nodes.a.Act({"kek", "rotate"}));
  for (House* at : {&nodes.a, &nodes.b}) {
    CHECK(at->vaultd().Stop().code == 0);
    at->StartVaultd();
    CHECK(Resolve(*at, "after " + NodeOf(*at)));
    CHECK(verified(*at, ""));
  }
  CHECK(verified(nodes.a, old_a));
  CHECK(verified(nodes.b, old_b));
  House c;
  Must(c.Keytool({"node", "join", "--vault-database", TestPostgres::Get().Url()}));
  Admit(nodes.a, c);
  REQUIRE(Eventually([&] { return c.Auditlog({"verify"}).code == 0; }));
  CHECK(vkey(c).substr(vkey(c).rfind('+')) != old_a.substr(old_a.rfind('+')));
}

TEST_CASE("nodes: each home exports its own log to verify, and events and reports are of all") {
  OpenArena();
  TwoNodes nodes;
  Must(nodes.b.Act({"suspend", kKey}));
  const auto records_of = [&](const std::string& node) {
    return Lines(Must(nodes.a.Auditlog({"export", "--format", "jsonl", "--node", node})).out);
  };
  // Each reading is in the log of the home that was asked: a's alone.
  const auto of_b = records_of(nodes.b_node), of_a = records_of(NodeOf(nodes.a));
  CHECK(Has(nodes.a.Auditlog({"export", "--format", "jsonl"}).err, "name one with --node"));
  for (House* house : {&nodes.a, &nodes.b}) {
    Must(house->Auditlog({"export", "--format", "bundle", "--out", house->Path("bundle")}));
    const auto& records = house == &nodes.a ? of_a : of_b;
    const std::string entries = ReadWhole(house->Path("bundle/tile/entries/000.p/" + Lines(ReadWhole(house->Path("bundle/checkpoint"))).at(1)));
    for (const std::string& record : records) CHECK(Has(entries, record));
    CHECK(Has(entries, "read_trail"));
    CHECK(Has(records.front(), Lines(ReadWhole(house->Path("bundle/vkey"))).front()));
  }
  CHECK(nodes.a.Auditlog({"export", "--format", "bundle", "--node", nodes.b_node, "--out", nodes.a.Path("other")}).code == 1);
  auto events = Lines(Must(nodes.a.Auditlog({"export", "--format", "rfc5424"})).out);
  CHECK(events.size() > of_a.size() + of_b.size());
  const auto time_of = [](const std::string& line) { return line.substr(line.find("Z ") - 26, 26); };
  CHECK(std::ranges::is_sorted(events, {}, time_of));
  CHECK(Has(Must(nodes.a.Auditlog({"report", "key", kKey})).out, nodes.b_node + "/"));
  CHECK(Has(Must(nodes.a.Auditlog({"report"})).out, nodes.b_node + "  verified"));
}

TEST_CASE("nodes: a log that is gone as a whole is missing by what the others tell of it") {
  TwoNodes nodes;
  const std::string& gone = nodes.b_node;
  REQUIRE(Eventually([&] { return Has(Must(nodes.a.Auditlog({"search", "--json", "--action", "node_join"})).out, gone); }));
  CHECK(nodes.b.vaultd().Stop().code == 0);
  auto database = sql::Open(TestPostgres::Get().Url(), {});
  REQUIRE(database.has_value());
  for (const sql::Sql& statement : {sql::Sql("DELETE FROM AUDIT_TRAIL WHERE NODE_ID = ?1"), sql::Sql("DELETE FROM TRAIL_TILE WHERE NODE_ID = ?1"),
                                    sql::Sql("DELETE FROM TRAIL_HEAD WHERE NODE_ID = ?1"), sql::Sql("DELETE FROM NODE_KEK WHERE NODE_ID = ?1"),
                                    sql::Sql("DELETE FROM NODE_KEY WHERE NODE_ID = ?1"), sql::Sql("DELETE FROM NODE WHERE NODE_ID = ?1")}) {
    REQUIRE((*database)->Execute(statement, {std::string_view(gone)}).has_value());
  }
  const Ended verified = nodes.a.Auditlog({"verify"});
  CHECK(verified.code == 1);
  CHECK(Has(verified.out, "missing"));
  CHECK(Has(verified.out, gone));
}

}  // namespace
}  // namespace strongroom::e2e
