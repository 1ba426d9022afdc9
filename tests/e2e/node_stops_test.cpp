// A key that was revoked on one node stays so on the others, also where its row from before is put back before they have seen the stop.
#include <csignal>

#include "tests/e2e/two_nodes.h"

namespace strongroom::e2e {
namespace {

// Older keeps ACME's row as it is, and puts it back.
class Older {
 public:
  Older() : database_(std::move(*sql::Open(TestPostgres::Get().Url(), {}))) { Do("CREATE TABLE OLDER AS SELECT * FROM KEY_VAULT"); }
  void PutBack() {
    Do("DELETE FROM KEY_VAULT WHERE CUSTOMER = 'ACME'");
    Do("INSERT INTO KEY_VAULT SELECT * FROM OLDER");
  }

 private:
  void Do(sql::Sql statement) { REQUIRE(database_->Execute(statement).has_value()); }
  std::unique_ptr<sql::Database> database_;
};

bool HasStop(const House& house, const std::string& state) { return Has(ReadWhole(house.home() + "/stops"), state + ' ' + kKey); }

void MustRefuse(House& house) {
  CHECK_FALSE(Resolve(house, "after"));
  CHECK(Has(Must(house.Auditlog({"search", "--json", "--outcome", "denied", "--request-id", "after"})).out, "KEY_TAMPERED"));
  const Ended tested = house.Keytool({"test", kKey});
  CHECK(tested.code == 1);
  CHECK(Has(tested.err, "its row is gone or does not open"));
}

}  // namespace

TEST_CASE("nodes: a stop that a node slept through counts there, though the row from before is back when it wakes") {
  TwoNodes nodes;
  OpenArena();
  REQUIRE(Resolve(nodes.b, "before"));
  Older older;
  const std::string move = GENERATE("revoke", "suspend");
  nodes.b.vaultd().Signal(SIGSTOP);
  Must(nodes.a.Act({move, kKey}));
  older.PutBack();
  nodes.b.vaultd().Signal(SIGCONT);
  REQUIRE(Eventually([&] { return HasStop(nodes.b, move == "revoke" ? "REVOKED" : "SUSPENDED"); }));
  MustRefuse(nodes.b);
  MustRefuse(nodes.a);
}

TEST_CASE("nodes: one that was down meanwhile, and one that joins later, have the stop from the trail") {
  TwoNodes nodes;
  OpenArena();
  Older older;
  CHECK(nodes.b.vaultd().Stop().code == 0);
  Must(nodes.a.Act({"revoke", kKey}));
  older.PutBack();
  nodes.b.StartVaultd();
  CHECK(HasStop(nodes.b, "REVOKED"));
  MustRefuse(nodes.b);
  House c;
  Must(c.Keytool({"node", "join", "--vault-database", TestPostgres::Get().Url()}));
  Admit(nodes.a, c);
  CHECK(HasStop(c, "REVOKED"));
  MustRefuse(c);
}

}  // namespace strongroom::e2e
