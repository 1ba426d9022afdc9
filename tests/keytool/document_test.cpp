#include "keytool/document.h"
#include "keytool/probe.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

TEST_CASE("an array of objects becomes rows, whatever is missing or new") {
  const auto rows = ReadRows(R"([{"a":"x","b":null,"new":1},{"b":true,"a":3}])", {"a", "b", "c"});
  REQUIRE(rows.has_value());
  CHECK(*rows == std::vector<base::Row>{{"x", "", ""}, {"3", "yes", ""}});
  CHECK(ReadRows("[]", {"a"})->empty());
  for (const char* bad : {"", "{", "{}", "[1]", "null", "[{]"}) {
    CHECK(ReadRows(bad, {"a"}).error().name == "CORRUPT");
  }
}

TEST_CASE("an object becomes facts, with times to the second") {
  const auto facts = ReadFacts(
      R"({"created_at":"2026-11-20T08:00:00.123456Z","trail":{"healthy":false},"list":["a",2],"none":null,"n":0.7})");
  REQUIRE(facts.has_value());
  CHECK(*facts == Facts{{"created at", "2026-11-20T08:00:00Z"},
                        {"trail healthy", "no"},
                        {"list", "a, 2"},
                        {"none", ""},
                        {"n", "0.7"}});
  CHECK_FALSE(ReadFacts("[]").has_value());
  CHECK(ReadMember(R"({"status":"ACTIVE"})", "status") == "ACTIVE");
  CHECK(ReadMember(R"({"status":null})", "status").empty());
  CHECK(ReadMember("rubbish", "status").empty());
}

TEST_CASE("the probe's line is read, and only as it must be") {
  const auto good = ReadProbed("{\"ok\":false,\"status\":401,\"message\":\"the provider refused the key (401)\"}\n");
  REQUIRE(good.has_value());
  CHECK_FALSE(good->ok);
  CHECK(good->status == 401);
  for (const char* bad : {"", "ok", "[]", "{}", R"({"ok":1,"status":200,"message":""})",
                          R"({"ok":true,"status":"200","message":""})", R"({"ok":true,"status":200})"}) {
    CHECK_FALSE(ReadProbed(bad).has_value());
  }
}

}  // namespace strongroom::keytool
