// A node that takes up its KEKs, under kill -9 at each write, fsync, rename and unlink in turn: the next start finishes it.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/sql/postgres_server.h"

namespace strongroom::e2e {
namespace {

namespace fs = std::filesystem;
using test::TestPostgres;

// Far more than a start and a few files make; a vaultd that survives ends the loop long before.
constexpr int kMostWrites = 300;

// Sent is a node that loses its KEKs again and again, and is sent two of them by another.
class Sent {
 public:
  Sent() {
    TestPostgres::Get().Clear();
    const std::string url = TestPostgres::Get().Url();
    REQUIRE(a_.Keytool({"init", "--vault-database", url}).code == 0);
    REQUIRE(b_.Keytool({"node", "join", "--vault-database", url}).code == 0);
    node_ = Lines(ReadWhole(b_.home() + "/node")).front();
    phrase_ = Lines(b_.Keytool({"node", "phrase"}).out).front();
    a_.StartVaultd();
    Send();
    // A version that is prepared and waits for the node: both travel from then on.
    REQUIRE(a_.Act({"kek", "rotate"}).code == 1);
  }

  // TakeUnder is false where vaultd was killed at its `write`th write, true where it lived and took both up.
  bool TakeUnder(int write) {
    Send();
    fs::remove_all(b_.home() + "/kek");
    fs::create_directory(b_.home() + "/kek");
    fs::permissions(b_.home() + "/kek", fs::perms::owner_all);
    b_.RunVaultd({{"LD_PRELOAD", STRONGROOM_KILL_AT}, {"KILL_AT", std::to_string(write)}});
    const bool ended_or_took = Eventually([this] { return !b_.vaultd().running() || HoldsBoth(); });
    REQUIRE(ended_or_took);
    return b_.vaultd().Stop().signal != SIGKILL;
  }

  void Recover() {
    // Its lease need not be outwaited: nothing serves as this node.
    REQUIRE(Execute("UPDATE NODE SET BOOT = '' WHERE NODE_ID = ?1") == 1);
    b_.StartVaultd();
    // From its files, where those were written, it holds them before it has taken up what was sent.
    REQUIRE(Eventually([this] { return HoldsBoth() && Waiting() == 0; }));
    for (const char* name : {"/kek/1.key", "/kek/2.key"}) REQUIRE(ReadWhole(a_.home() + name) == ReadWhole(b_.home() + name));
    REQUIRE(b_.vaultd().Stop().code == 0);
    REQUIRE(b_.Auditlog({"verify"}).code == 0);
  }

 private:
  void Send() {
    const Ended sent = a_.Act({"node", "confirm", node_, "--phrase", phrase_});
    INFO(sent.err);
    REQUIRE(sent.code == 0);
  }
  bool HoldsBoth() { return Count("SELECT COUNT(*) FROM NODE_KEK WHERE NODE_ID = ?1") == 2; }
  std::int64_t Waiting() { return Count("SELECT COUNT(*) FROM KEK_FOR_NODE WHERE NODE_ID = ?1"); }
  std::int64_t Count(sql::Sql text) {
    auto database = sql::Open(TestPostgres::Get().Url(), {});
    REQUIRE(database.has_value());
    return a_.Number(**database, text, {std::string_view(node_)});
  }
  // Execute is a statement about the node.
  std::int64_t Execute(sql::Sql text) {
    auto database = sql::Open(TestPostgres::Get().Url(), {});
    REQUIRE(database.has_value());
    const auto changed = (*database)->Execute(text, {std::string_view(node_)});
    REQUIRE(changed.has_value());
    return *changed;
  }

  House a_, b_;
  std::string node_, phrase_;
};

}  // namespace

TEST_CASE("nodes: vaultd is killed at each write of taking up KEKs in turn, and the next start finishes it") {
  Sent sent;
  int write = 1;
  while (!sent.TakeUnder(write)) {
    INFO("killed at write " << write);
    sent.Recover();
    ++write;
    REQUIRE(write < kMostWrites);
  }
  // Two files, each written beside its place, synced, renamed and its directory synced.
  REQUIRE(write > 8);
  WARN("killed at each of " << write - 1 << " writes");
}

}  // namespace strongroom::e2e
