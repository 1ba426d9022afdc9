// Several vaultds on one PostgreSQL: a stop is acknowledged by all of them, or their leases are outwaited.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "tests/e2e/two_nodes.h"
#include "tests/vault/soft_token.h"
#include "vault/client.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::e2e {
namespace {

// Load is workers that ask a vaultd without a pause.
class Load {
 public:
  struct Shot {
    long long asked, answered;
    bool released;
  };
  explicit Load(const House& house) {
    for (int thread = 0; thread < 4; ++thread) {
      threads_.emplace_back([this, &house, thread] {
        for (int number = 0; !stop_; ++number) {
          Shot shot{NowMs(), 0, false};
          shot.released = Resolve(house, std::to_string(thread) + "-" + std::to_string(number));
          shot.answered = NowMs();
          const std::lock_guard lock(mutex_);
          shots_.push_back(shot);
        }
      });
    }
  }
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  std::vector<Shot> Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return shots_;
  }
  std::int64_t Released() {
    return Count([](const Shot& shot) { return shot.released; });
  }
  std::int64_t AskedAfter(long long moment) {
    return Count([moment](const Shot& shot) { return shot.asked > moment; });
  }

 private:
  std::int64_t Count(const auto& condition) {
    const std::lock_guard lock(mutex_);
    return std::count_if(shots_.begin(), shots_.end(), condition);
  }

  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<Shot> shots_;
  std::vector<std::thread> threads_;
};

void NoneAskedAfter(const std::vector<Load::Shot>& shots, long long moment) {
  std::size_t after = 0, refused = 0;
  for (const Load::Shot& shot : shots) {
    if (shot.asked <= moment) continue;
    ++after;
    refused += shot.released ? 0 : 1;
  }
  CHECK(after > 0);
  CHECK(refused == after);
}

}  // namespace

TEST_CASE("nodes: once a revocation is acknowledged no vaultd releases the key, whoever was asked") {
  OpenArena();
  TwoNodes nodes;
  CHECK(Has(nodes.a.Keytool({"node", "list"}).out, nodes.b_node));
  Load on_a(nodes.a), on_b(nodes.b);
  REQUIRE(Eventually([&] { return on_a.Released() > 50 && on_b.Released() > 50; }));
  const Ended revoked = Must(nodes.a.Act({"revoke", kKey}));
  const long long acknowledged = NowMs();
  CHECK(Has(revoked.out, "is REVOKED on every node"));
  CHECK_FALSE(Has(revoked.err, "did not answer"));
  CHECK(Eventually([&] { return on_a.AskedAfter(acknowledged) > 200 && on_b.AskedAfter(acknowledged) > 200; }));
  NoneAskedAfter(on_a.Stop(), acknowledged);
  NoneAskedAfter(on_b.Stop(), acknowledged);
  // The other node has it outside the database too.
  CHECK(Has(ReadWhole(nodes.b.home() + "/stops"), std::string("REVOKED ") + kKey));
  const Ended verified = Must(nodes.a.Auditlog({"verify", "--json"}));
  CHECK(Lines(verified.out).size() == 2);
  CHECK(Has(verified.out, "\"node\":\"" + nodes.b_node + "\""));
  CHECK(Lines(Must(nodes.b.Auditlog({"search", "--json", "--action", "move_key"})).out).size() == 1);
}

TEST_CASE("nodes: a vaultd that was stopped across a revocation releases nothing when it wakes") {
  OpenArena();
  TwoNodes nodes;
  Load load(nodes.b);
  REQUIRE(Eventually([&] { return load.Released() > 50; }));
  nodes.b.vaultd().Signal(SIGSTOP);
  const long long began = NowMs();
  const Ended revoked = Must(nodes.a.Act({"revoke", kKey, "--json"}));
  const long long acknowledged = NowMs();
  CHECK(Has(revoked.err, "node " + nodes.b_node));
  CHECK(Has(revoked.err, "did not answer; its lease has run out"));
  CHECK(Has(revoked.out, nodes.b_node));
  CHECK(acknowledged - began >= 3000);
  nodes.b.vaultd().Signal(SIGCONT);
  const auto answered = [&] { return Has(nodes.b.Keytool({"show", kKey}).out, "REVOKED"); };
  CHECK(Eventually(answered));
  const std::vector<Load::Shot> shots = load.Stop();
  // What it had been asked before it was stopped counts too: nothing came out of it any more.
  for (const Load::Shot& shot : shots) {
    if (shot.answered > acknowledged) CHECK_FALSE(shot.released);
  }
  NoneAskedAfter(shots, acknowledged);
  CHECK_FALSE(Resolve(nodes.b, "at last"));
}

TEST_CASE("nodes: a new KEK waits for every node, and a node that is removed serves no more") {
  OpenArena();
  TwoNodes nodes;
  REQUIRE(Resolve(nodes.b, "before"));
  Must(nodes.b.Act({"seal"}));
  const Ended refused = nodes.a.Act({"kek", "rotate"});
  CHECK(refused.code == 1);
  CHECK(Has(refused.err, "missing at node " + nodes.b_node));
  CHECK(Eventually([&] { return Has(nodes.b.vaultd().Err(), "keks_await_unseal"); }));
  CHECK_FALSE(HasKek(nodes.b, 2));
  Must(nodes.b.Act({"unseal"}));
  CHECK(Resolve(nodes.b, "meanwhile"));
  Must(nodes.a.Act({"kek", "rotate"}));
  CHECK(SameKek(nodes.a, nodes.b, 2));
  CHECK(Resolve(nodes.b, "after"));
  CHECK(Resolve(nodes.a, "after too"));
  nodes.b.WriteKey("BARCO", "sk-e2e-9876543210-abcdefghijklmnop");
  const auto onboard = [&] {
    return nodes.b.Act({"onboard", "BARCO", "--provider", "openai", "--model", "m", "--no-verify", "--key-file",
                        nodes.b.KeyFile("BARCO")}).code == 0;
  };
  CHECK(Eventually(onboard));
  CHECK(Has(nodes.a.Keytool({"kek", "status"}).out, "RETIRED"));
  const Ended removed = Must(nodes.a.Act({"node", "remove", nodes.b_node}));
  CHECK(Has(removed.out, "is REMOVED"));
  CHECK_FALSE(Resolve(nodes.b, "removed"));
  // It has given up its KEKs, and takes them no more; nor does it do any other act.
  CHECK(Eventually([&] { return Sealed(nodes.b) == "true"; }));
  CHECK(Has(nodes.b.Keytool({"status"}).err, "this node was removed"));
  const Ended unsealed = nodes.b.Act({"unseal"});
  CHECK(unsealed.code == 1);
  CHECK_THAT(unsealed.err, Catch::Contains("this node was removed from the vault; ask another one"));
  CHECK_THAT(nodes.b.Act({"revoke", kKey}).err, Catch::Contains("this node was removed from the vault; ask another one"));
  CHECK_THAT(nodes.b.Keytool({"test", kKey}).err, Catch::Contains("this node was removed from the vault; ask another one"));
  CHECK(Has(nodes.a.Act({"node", "remove", NodeOf(nodes.a)}).err, "no node removes itself"));
  CHECK(Resolve(nodes.a, "alone"));
}

TEST_CASE("nodes: from one node's KEK files, three nodes serve, and a rotation under load fails no row") {
  TestPostgres::Get().Clear();
  const std::string url = TestPostgres::Get().Url();
  House a, b, c;
  Must(a.Keytool({"init", "--vault-database", url}));
  a.StartSim();
  a.StartVaultd();
  a.Onboard("ACME");
  a.StartWorker();
  for (House* house : {&b, &c}) {
    Must(house->Keytool({"node", "join", "--vault-database", url}));
    const Ended wrong = a.Act({"node", "confirm", NodeOf(*house), "--phrase", PhraseOf(house == &b ? b : c).replace(0, 4, "qqqq")});
    CHECK(wrong.code == 1);
    CHECK(Has(wrong.err, "check phrase"));
    house->RunVaultd({});
    CHECK_FALSE(house->vaultd().running());
    Admit(a, *house);
    CHECK(SameKek(a, *house, 1));
  }
  Process batch = a.Spawn("batch", {"submit", a.Prompts("rows.jsonl", 400), "--customer", "ACME", "--profile", "ACME_DEFAULT", "--out",
                                    a.Path("out.jsonl"), "--in-flight", "8"});
  REQUIRE(Eventually([&] { return a.sim().CallsInAll() > 20; }));
  Must(a.Act({"kek", "rotate"}));
  // The next one is prepared elsewhere, by a node that was sent its own KEKs.
  Must(c.Act({"kek", "rotate"}));
  const Ended done = Must(batch.Wait());
  CHECK(Lines(ReadWhole(a.Path("out.jsonl"))).size() == 400);
  CHECK_FALSE(Has(ReadWhole(a.Path("out.jsonl")), "error"));
  for (House* house : {&a, &b, &c}) {
    CHECK(SameKek(a, *house, 3));
    CHECK(house->vaultd().Stop().code == 0);
    house->StartVaultd();
    CHECK(Sealed(*house) == "false");
    CHECK(Resolve(*house, "again at " + NodeOf(*house)));
  }
  // Two at the first joining, and two for each of the two new versions. One that was overtaken while its files were made is refused
  // as CONFLICT, on record, and begun again.
  const Ended taken = Must(b.Auditlog({"search", "--json", "--action", "take_keks", "--outcome", "ok"}));
  INFO(Must(b.Auditlog({"search", "--action", "take_keks"})).out);
  CHECK(Lines(taken.out).size() == 6);
  for (House* house : {&a, &b, &c}) CHECK(Has(Must(house->Auditlog({"verify", "--json", "--node", NodeOf(*house)})).out, "verified"));
}

TEST_CASE("nodes: an edit of what is under way to a node is recorded there, and put right by confirming it again") {
  TwoNodes nodes;
  CHECK(nodes.b.vaultd().Stop().code == 0);
  fs::remove(nodes.b.home() + "/kek/1.key");
  Must(nodes.a.Act({"node", "confirm", nodes.b_node, "--phrase", PhraseOf(nodes.b)}));
  auto database = sql::Open(TestPostgres::Get().Url(), {});
  REQUIRE(database.has_value());
  REQUIRE((*database)->Execute("UPDATE KEK_FOR_NODE SET VAULT_MAC = '\\x00'") == 1);
  nodes.b.StartVaultd();
  const auto recorded = [&] { return Lines(Must(nodes.b.Auditlog({"search", "--json", "--action", "take_keks"})).out); };
  REQUIRE(Eventually([&] { return recorded().size() == 2; }));
  CHECK(Has(recorded().back(), "NODE_KEK_TAMPERED"));
  CHECK(Sealed(nodes.b) == "true");
  CHECK_FALSE(HasKek(nodes.b, 1));
  Must(nodes.a.Act({"node", "confirm", nodes.b_node, "--phrase", PhraseOf(nodes.b)}));
  CHECK(Eventually([&] { return Sealed(nodes.b) == "false"; }));
  CHECK(SameKek(nodes.a, nodes.b, 1));
  CHECK(Eventually([&] { return Resolve(nodes.b, "after"); }));
}

TEST_CASE("nodes: one that has its KEKs under a passphrase alone takes up a new one, without the passphrase") {
  TwoNodes nodes;
  nodes.b.WriteKey("words", "correct horse battery staple\n");
  const std::string words = nodes.b.KeyFile("words");
  Must(nodes.b.Act({"kek", "add-protector", "passphrase", "--passphrase-file", words}));
  Must(nodes.b.Act({"kek", "remove-protector", "file", "--passphrase-file", words}));
  Must(nodes.a.Act({"kek", "rotate"}));
  CHECK_FALSE(HasKek(nodes.b, 2));
  CHECK(fs::exists(nodes.b.home() + "/kek/2.passphrase"));
  CHECK(nodes.b.vaultd().Stop().code == 0);
  nodes.b.StartVaultd();
  CHECK(Sealed(nodes.b) == "true");
  Must(nodes.b.Act({"unseal", "--passphrase-file", words}));
  CHECK(Resolve(nodes.b, "unsealed"));
}

TEST_CASE("nodes: one whose token is slow takes up a KEK all the same, and releases keys meanwhile") {
  OpenArena();
  const vault::SoftToken token;
  TwoNodes nodes;
  House& b = nodes.b;
  const std::string gate = b.Path("gate");
  WriteWhole(gate, "open");
  WriteWhole(token.Configuration() + ".fault", "wait:" + gate);
  WriteWhole(b.home() + "/pin", std::string(vault::SoftToken::kPin) + "\n");
  fs::permissions(b.home() + "/pin", fs::perms::owner_read | fs::perms::owner_write);
  b.SetConfig("single_user", std::string("true\npkcs11_module = \"") + STRONGROOM_FAULTY_TOKEN + "\"\npkcs11_uri = \"" +
                                 vault::SoftToken::kUri + "\"\npkcs11_pin_file = \"pin\"");
  CHECK(b.vaultd().Stop().code == 0);
  b.StartVaultd({{"SOFTHSM2_CONF", token.Configuration()}});
  Must(b.Act({"kek", "add-protector", "pkcs11"}));
  Must(b.Act({"kek", "remove-protector", "file"}));
  fs::remove(gate);
  Process rotation = nodes.a.Spawn("keytool", {"kek", "rotate", "--reason", "yearly"});
  // Longer than a lease, which nothing renews while the trail waits.
  const long long until = NowMs() + 7000;
  for (int number = 0; NowMs() < until; ++number) {
    REQUIRE(Resolve(b, "meanwhile-" + std::to_string(number)));
    Pause();
  }
  CHECK(rotation.running());
  CHECK_FALSE(fs::exists(b.home() + "/kek/2.pkcs11"));
  WriteWhole(gate, "open");
  Must(rotation.Wait());
  CHECK(fs::exists(b.home() + "/kek/2.pkcs11"));
  CHECK_FALSE(HasKek(b, 2));
  CHECK(Resolve(b, "after"));
}

TEST_CASE("nodes: a database that goes away ends every release, and a node that crashed comes back behind its old lease") {
  OpenArena();
  TwoNodes nodes;
  REQUIRE(Resolve(nodes.b, "before"));
  TestPostgres::Get().Stop();
  CHECK_FALSE(Resolve(nodes.a, "away"));
  CHECK_FALSE(Resolve(nodes.b, "away"));
  const Ended status = Must(nodes.a.Keytool({"status"}));
  CHECK(Has(status.out, "answers at"));
  CHECK(Has(status.err, "the vault database does not answer"));
  CHECK_FALSE(Has(status.err, "TWO_PEOPLE"));
  CHECK(Field(Must(nodes.a.Keytool({"status", "--json"})).out, "database_answers") == "false");
  TestPostgres::Get().Start();
  CHECK(Eventually([&] { return Resolve(nodes.a, "back"); }));
  CHECK(Eventually([&] { return Resolve(nodes.b, "back"); }));
  nodes.b.vaultd().Crash();
  nodes.b.StartVaultd();
  CHECK(Has(nodes.b.vaultd().Err(), "lease_awaited"));
  CHECK(Resolve(nodes.b, "again"));
  CHECK(nodes.b.vaultd().Stop().code == 0);
  nodes.b.StartVaultd();
  CHECK_FALSE(Has(nodes.b.vaultd().Err(), "lease_awaited"));
  CHECK(nodes.a.Auditlog({"verify"}).code == 0);
  // Each home has the anchor of its own log alone.
  CHECK(nodes.b.Auditlog({"verify", "--node", nodes.b_node}).code == 0);
  const Ended other = nodes.a.Auditlog({"verify", "--node", nodes.b_node});
  CHECK(other.code == 3);
  CHECK(Has(other.out, "another host has this log's anchor"));
  CHECK(nodes.a.Auditlog({"verify", "--node", nodes.b_node, nodes.b.home() + "/anchor"}).code == 0);
  CHECK(nodes.b.Auditlog({"prove", "inclusion", "0"}).code == 0);
  CHECK(Lines(nodes.b.Auditlog({"vkey"}).out).size() == 2);
  // Each log tells of the others, so that none goes missing as a whole.
  const std::string a_node = NodeOf(nodes.a);
  const auto joins = [&](const std::string& in, const std::string& of) {
    const std::string out = Must(nodes.a.Auditlog({"search", "--action", "node_join", "--node", in, "--json"})).out;
    return Has(out, R"("node":")" + of) && Has(out, "/audit+") ? Lines(out).size() : 0;
  };
  CHECK(Eventually([&] { return joins(a_node, nodes.b_node) == 1 && joins(nodes.b_node, a_node) == 1; }));
}

}  // namespace strongroom::e2e
