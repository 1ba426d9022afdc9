// TwoNodes: two homes that share a vault on PostgreSQL, for tests of several vaultds.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/e2e/house.h"
#include "tests/sql/postgres_server.h"
#include "vault/arena.h"
#include "vault/client.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::e2e {

namespace fs = std::filesystem;
using test::TestPostgres;

inline constexpr const char* kKey = "ACME/anthropic/default/1";

inline Ended Must(Ended ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  return ended;
}

inline std::string NodeOf(const House& house) { return Lines(ReadWhole(house.home() + "/node")).front(); }
inline std::string PhraseOf(House& house) { return Lines(Must(house.Keytool({"node", "phrase"})).out).front(); }
inline std::string Sealed(House& house) { return Field(house.Keytool({"status", "--json"}).out, "sealed"); }
inline bool HasKek(const House& house, int version) { return fs::exists(house.home() + "/kek/" + std::to_string(version) + ".key"); }
inline bool SameKek(const House& one, const House& other, int version) {
  const std::string name = "/kek/" + std::to_string(version) + ".key";
  return HasKek(one, version) && HasKek(other, version) && ReadWhole(one.home() + name) == ReadWhole(other.home() + name);
}

// Admit has a node that has joined confirmed by one that serves, and starts it: its KEKs come by themselves.
inline void Admit(House& serving, House& joined) {
  Must(serving.Keytool({"node", "confirm", NodeOf(joined), "--phrase-file", "-", "--reason", "a test"}, PhraseOf(joined) + "\n"));
  joined.StartVaultd();
  REQUIRE(Eventually([&] { return Sealed(joined) == "false"; }));
}

// Two homes that share a vault, and a key in it.
struct TwoNodes {
  TwoNodes() {
    TestPostgres::Get().Clear();
    const std::string url = TestPostgres::Get().Url();
    Must(a.Keytool({"init", "--vault-database", url}));
    const Ended joined = Must(b.Keytool({"node", "join", "--vault-database", url}));
    b_node = NodeOf(b);
    CHECK(Has(joined.out, "check phrase: " + PhraseOf(b)));
    a.StartVaultd();
    Admit(a, b);
    a.WriteKey("ACME", "sk-e2e-0123456789-abcdefghijklmnop");
    Must(a.Act({"onboard", "ACME", "--provider", "anthropic", "--model", "m", "--no-verify", "--key-file", a.KeyFile("ACME")}));
  }
  House a, b;
  std::string b_node;
};

// OpenArena is for tests that resolve.
inline void OpenArena() {
  static const bool opened = vault::Arena::Open().has_value();
  REQUIRE(opened);
}

// Resolve asks a home's vaultd once, as a worker does.
inline bool Resolve(const House& house, const std::string& request_id) {
  vault::ClientOptions options;
  options.socket_path = house.home() + "/vaultd.sock";
  options.server_uid = geteuid();
  vault::ResolveRequest request;
  request.request_id = request_id;
  request.customer = "ACME";
  request.profile_ref = "ACME_DEFAULT";
  const auto answer = vault::AskOnce(options, vault::Operation::kResolve, request.Encode(), 30 * base::kMicrosPerSecond);
  return answer && answer->secret.has_value();
}

}  // namespace strongroom::e2e
