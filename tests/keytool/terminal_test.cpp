// The echo of a terminal: off while a key is typed, on again whatever happens.
#include <unistd.h>

#include <csignal>

#include "tests/keytool/command.h"
#include "tests/keytool/terminal.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

const std::string kKey = "sk-ant-REDACTED-typed-by-hand-42";
const std::string kSaid = "ok " + std::to_string(kKey.size()) + "\n";

}  // namespace

TEST_CASE("a typed key does not show, and the echo comes back") {
  Terminal terminal(STRONGROOM_ASK_KEY);
  REQUIRE(terminal.Shows("Key: "));
  CHECK_FALSE(terminal.Echoes());
  terminal.Type(kKey + "\n");
  CHECK(terminal.Ended() == 0);
  CHECK(terminal.Said() == kSaid);
  CHECK(terminal.Echoes());
  CHECK_FALSE(Has(terminal.Shown(), "sk-ant"));
  CHECK(terminal.Shown() == "Key: \r\n");
}

TEST_CASE("a paste that goes on behind a line break is refused, and neither shows nor reaches the shell") {
  for (const std::string& rest : {kKey.substr(25), kKey + "\n", std::string("\n"), std::string("\nx\ny\nz")}) {
    Terminal terminal(STRONGROOM_ASK_KEY);
    REQUIRE(terminal.Shows("Key: "));
    terminal.Type(kKey.substr(0, 25) + "\n" + rest);
    CHECK(terminal.Ended() == 1);
    CHECK(Has(terminal.Said(), "more than one line was pasted"));
    CHECK(terminal.Echoes());
    CHECK_FALSE(Has(terminal.Said() + terminal.Shown(), "sk-ant"));
    CHECK(terminal.Shown() == "Key: \r\n");
  }
}

TEST_CASE("so is one that comes in two pieces") {
  Terminal terminal(STRONGROOM_ASK_KEY);
  REQUIRE(terminal.Shows("Key: "));
  terminal.Type(kKey.substr(0, 25) + "\n");
  usleep(20'000);
  terminal.Type(kKey.substr(25));
  CHECK(terminal.Ended() == 1);
  CHECK(terminal.Echoes());
  CHECK(terminal.Shown() == "Key: \r\n");
}

TEST_CASE("a signal that ends keytool turns the echo on first") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    INFO("signal " << number);
    Terminal terminal(STRONGROOM_ASK_KEY);
    REQUIRE(terminal.Shows("Key: "));
    REQUIRE(terminal.WaitsForEcho(false));
    terminal.Type(kKey.substr(0, 10));
    terminal.Signal(number);
    CHECK(terminal.Ended() == -number);
    CHECK(terminal.Echoes());
    CHECK(terminal.Said().empty());
    CHECK_FALSE(Has(terminal.Shown(), "sk-ant"));
  }
}

TEST_CASE("Ctrl-C typed at the question does the same") {
  Terminal terminal(STRONGROOM_ASK_KEY);
  REQUIRE(terminal.Shows("Key: "));
  terminal.Type(kKey.substr(0, 10) + "\x03");
  CHECK(terminal.Ended() == -SIGINT);
  CHECK(terminal.Echoes());
}

TEST_CASE("a stopped keytool leaves the echo on, and asks again when it goes on") {
  Terminal terminal(STRONGROOM_ASK_KEY);
  REQUIRE(terminal.Shows("Key: "));
  terminal.Type(kKey.substr(0, 10) + "\x1a");
  REQUIRE(Until([&] { return terminal.IsStopped(); }));
  CHECK(terminal.Echoes());
  terminal.Signal(SIGCONT);
  REQUIRE(terminal.Shows("Key: ", 2));
  CHECK_FALSE(terminal.Echoes());
  terminal.Type(kKey + "\n");
  CHECK(terminal.Ended() == 0);
  CHECK(terminal.Said() == kSaid);
  CHECK(terminal.Echoes());
  CHECK_FALSE(Has(terminal.Shown(), "sk-ant"));
}

TEST_CASE("stopped by SIGSTOP, which nothing can catch, it hushes the terminal anew") {
  Terminal terminal(STRONGROOM_ASK_KEY);
  REQUIRE(terminal.Shows("Key: "));
  terminal.Signal(SIGSTOP);
  REQUIRE(Until([&] { return terminal.IsStopped(); }));
  terminal.Signal(SIGCONT);
  REQUIRE(terminal.Shows("Key: ", 2));
  CHECK_FALSE(terminal.Echoes());
  terminal.Type(kKey + "\n");
  CHECK(terminal.Ended() == 0);
  CHECK(terminal.Echoes());
}

TEST_CASE("a typed key that is none is refused, with the echo on") {
  for (const std::string& typed : {std::string("short\n"), std::string("\n"), std::string("\x04"),
                                   std::string(3000, 'k') + "\n", std::string(5000, 'k') + "\n"}) {
    Terminal terminal(STRONGROOM_ASK_KEY);
    REQUIRE(terminal.Shows("Key: "));
    terminal.Type(typed);
    CHECK(terminal.Ended() == 1);
    CHECK(terminal.Echoes());
    CHECK_FALSE(Has(terminal.Shown(), "kkkk"));
  }
}

}  // namespace strongroom::keytool
