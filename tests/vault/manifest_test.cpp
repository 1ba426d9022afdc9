#include "vault/manifest.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

Manifest Example() {
  Manifest manifest;
  manifest.vault_id = "5f0c2a9e7d3b4816a0c9e2f1b7d45a60";
  manifest.made_at = 1'790'000'000'123'456;
  manifest.epoch = 12;
  manifest.record = 345;
  manifest.files = {{"stops", 0, std::string(64, 'a')}, {"vault.db", 8192, std::string(64, '0')}};
  return manifest;
}

std::string Replace(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("manifest: what is printed parses to the same", "[manifest]") {
  const std::string text = PrintManifest(Example());
  CHECK(text.starts_with("strongroom-backup 1\nvault 5f0c2a9e7d3b4816a0c9e2f1b7d45a60\nmade 2026-"));
  CHECK(ParseManifest(text) == Example());
}

TEST_CASE("manifest: anything else is none", "[manifest]") {
  const std::string text = PrintManifest(Example());
  const auto bad = [&text](const std::string& what, const std::string& with) {
    return !ParseManifest(Replace(text, what, with)).has_value();
  };
  CHECK(bad("backup 1", "backup 2"));
  CHECK(bad("5f0c", "5F0C"));
  CHECK(bad("5f0c", "5f0"));
  CHECK(bad("epoch 12", "epoch 012"));
  CHECK(bad("epoch 12", "epoch -1"));
  CHECK(bad("epoch 12", "epoch 99999999999999999999"));
  CHECK(bad("vault.db", "../vault.db"));
  CHECK(bad("vault.db", "1.key"));
  CHECK(bad("vault.db", "stops"));
  CHECK(bad("8192", ""));
  CHECK(bad(std::string(64, '0'), std::string(63, '0')));
  CHECK(bad(std::string(64, '0'), std::string(63, '0') + "g"));
  CHECK(bad("made 2026", "made 1"));
  CHECK_FALSE(ParseManifest("").has_value());
  CHECK_FALSE(ParseManifest(text + "\n").has_value());
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    const auto parsed = ParseManifest(text.substr(0, cut));
    // A whole number of lines is one with fewer files.
    REQUIRE((!parsed || text[cut - 1] == '\n'));
  }
}

}  // namespace strongroom::vault
