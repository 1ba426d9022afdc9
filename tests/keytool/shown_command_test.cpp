#include "keytool/context.h"
#include "keytool/program.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

// Pasted is what a shell makes of a command line: its words, each in brackets. The program is one that prints them.
std::string Pasted(const ShownCommand& command) {
  const auto done = RunProgram("/bin/sh", {"-c", "show() { printf '[%s]' \"$@\"; }; show " + command.text()}, 10 * base::kMicrosPerSecond);
  REQUIRE(done.has_value());
  CHECK(done->exit_code == 0);
  return done->output;
}

}  // namespace

TEST_CASE("a command that is shown can be pasted: what is fixed stands as it is, and each value is one word to a shell") {
  for (const std::string value : {"ACME/anthropic/default/1", "R & D", "it's", "a b  c", "`id`", "$(id)", "$HOME", "x;y", "#1", "~root", "a\\b", "\"q\"",
                                  "[a]{b,c}*?", "(EU)", "!!", "K=V", "", "'; id; '", "<a>|b", "Zürich"}) {
    CAPTURE(value);
    CHECK(Pasted({"recover", value, "--reason \"not taken\""}) == "[recover][" + value + "][--reason][not taken]");
  }
}

TEST_CASE("a command names the home where it was named, and only values that need it are quoted") {
  CHECK(Command({"/h", false, false}, {"keytool recover", std::string("ACME/anthropic/default/1"), "--key-file F"}) == "`keytool recover ACME/anthropic/default/1 --key-file F`");
  CHECK(Command({"/a b", true, false}, {"keytool list"}) == "`keytool list --home '/a b'`");
  ShownCommand command{"keytool onboard"};
  command.Add(ShownCommand()).Add({"--profile", std::string("R & D")});
  CHECK(command.text() == "keytool onboard --profile 'R & D'");
  CHECK(ShownCommand().empty());
}

}  // namespace strongroom::keytool
