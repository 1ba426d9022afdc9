// Vault: a home made by init, and its vaultd, for keytool to ask.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

using Words = std::vector<std::string>;

class Vault {
 public:
  Vault() : made_(RunKeytool({"init", "--home", home_.path()})) {
    INFO(made_.err);
    REQUIRE(made_.status == 0);
    vaultd_ = std::make_unique<Vaultd>(home_);
  }
  Ran Do(Words words, const std::string& input = "") const {
    words.insert(words.end(), {"--home", home_.path()});
    return RunKeytool(words, input);
  }
  // Must is Do that has to succeed; the result is standard output.
  std::string Must(const Words& words, const std::string& input = "") const {
    const Ran ran = Do(words, input);
    INFO(words.front() << ": " << ran.out << ran.err);
    REQUIRE(ran.status == 0);
    return ran.out;
  }
  void Onboard() const {
    Must({"onboard", "ACME", "--provider", "anthropic", "--model", "claude-opus-4-7", "--no-verify", "--reason", "new customer",
          "--key-file", home_.File("key", "sk-ant-REDACTED-0123456789\n")});
  }
  const Home& home() const { return home_; }
  const Ran& made() const { return made_; }
  void Stop() { vaultd_->Stop(); }

 private:
  Home home_;
  Ran made_;
  std::unique_ptr<Vaultd> vaultd_;
};

}  // namespace strongroom::keytool
