#include "keytool/fields.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

TEST_CASE("temperatures are tenths, exactly") {
  CHECK(*ReadTemperature("0.7") == 7);
  CHECK(*ReadTemperature("0") == 0);
  CHECK(*ReadTemperature("0.0") == 0);
  CHECK(*ReadTemperature("1.0") == 10);
  CHECK(*ReadTemperature("none") == -1);
  for (const char* bad : {"", "0.75", "1.1", "2", "-0.1", ".5", "0.x", "hot"}) CHECK_FALSE(ReadTemperature(bad).has_value());
}

TEST_CASE("endpoints: https where a key goes") {
  CHECK(CheckEndpoint("https://127.0.0.1:8443", true).has_value());
  CHECK(CheckEndpoint("http://127.0.0.1:11434", false).has_value());
  CHECK_FALSE(CheckEndpoint("http://127.0.0.1:11434", true).has_value());
  for (const char* bad : {"", "ftp://x", "https://", "https://u:p@x", "x"}) CHECK_FALSE(CheckEndpoint(bad, false).has_value());
}

TEST_CASE("a refused field is a usage problem that does not quote the value") {
  for (const auto& problem : {CheckText("--model", "sk-ant-REDACTED\n", 80), CheckText("--model", std::string(81, 'q'), 80),
                              CheckCustomer("sk-ant-REDACTED-key"), CheckText("--model", "", 80)}) {
    REQUIRE_FALSE(problem.has_value());
    CHECK(problem.error().exit_code == kExitUsage);
    CHECK(problem.error().text.find("sk-ant") == std::string::npos);
    CHECK(problem.error().text.find("qqq") == std::string::npos);
  }
  CHECK(ReadKeyRef("KEY_REF", "ACME/anthropic/default/01").error().exit_code == kExitUsage);
}

}  // namespace strongroom::keytool
