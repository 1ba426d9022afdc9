#include "keytool/program.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

TEST_CASE("a program's output and exit code come back") {
  const auto ran = RunProgram("/bin/sh", {"-c", "echo hello; exit 3"}, 10 * base::kMicrosPerSecond);
  REQUIRE(ran.has_value());
  CHECK(ran->output == "hello\n");
  CHECK(ran->exit_code == 3);
  CHECK(RunProgram("/bin/sh", {"-c", "kill -9 $$"}, 10 * base::kMicrosPerSecond)->exit_code == -1);
}

TEST_CASE("a program that does not end is stopped, its output open or closed") {
  for (const char* script : {"exec sleep 60", "exec sleep 60 >/dev/null"}) {
    const base::Micros begun = base::MonoMicros();
    const auto ran = RunProgram("/bin/sh", {"-c", script}, base::kMicrosPerSecond / 5);
    REQUIRE_FALSE(ran.has_value());
    CHECK(ran.error().name == "DEADLINE_EXCEEDED");
    CHECK(base::MonoMicros() - begun < 20 * base::kMicrosPerSecond);
  }
}

TEST_CASE("output is bounded, and a missing program is one clear problem") {
  const auto flood = RunProgram("/bin/sh", {"-c", "head -c 1000000 /dev/zero"}, 20 * base::kMicrosPerSecond);
  REQUIRE(flood.has_value());
  CHECK(flood->output.size() == 64 * 1024);
  CHECK(RunProgram("/nowhere/at-all", {}, base::kMicrosPerSecond).error().name == "NO_PROGRAM");
  CHECK(FindProgram("no-such-program").error().name == "NO_PROGRAM");
}

}  // namespace strongroom::keytool
