// TwoNodes: two homes that share a vault in the tests' own PostgreSQL, each with its vaultd, and a key in it.
#pragma once

#include <string>

#include "tests/e2e/house.h"
#include "tests/sql/postgres_server.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::e2e {

inline constexpr const char* kKey = "ACME/anthropic/default/1";

inline Ended Must(Ended ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  return ended;
}

inline std::string NodeOf(const House& house) { return Lines(ReadWhole(house.home() + "/node")).front(); }
inline std::string PhraseOf(House& house) { return Lines(Must(house.Keytool({"node", "phrase"})).out).front(); }
inline std::string Sealed(House& house) { return Field(house.Keytool({"status", "--json"}).out, "sealed"); }

// Admit has a node that has joined confirmed by one that serves, and starts it: its KEKs come by themselves.
inline void Admit(House& serving, House& joined) {
  Must(serving.Keytool({"node", "confirm", NodeOf(joined), "--phrase-file", "-", "--reason", "a test"}, PhraseOf(joined) + "\n"));
  joined.StartVaultd();
  REQUIRE(Eventually([&] { return Sealed(joined) == "false"; }));
}

struct TwoNodes {
  TwoNodes() {
    test::TestPostgres::Get().Clear();
    const std::string url = test::TestPostgres::Get().Url();
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

}  // namespace strongroom::e2e
