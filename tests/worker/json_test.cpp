#include "worker/json.h"

#include <catch2/catch.hpp>

using namespace strongroom::worker;

TEST_CASE("json: only well-formed text is read") {
  for (const char* good : {"0", "-0", "1.5e+10", "1E400", "\"\\u00e9\\/\"", " [ ] ", "{\"a\":[1,{\"b\":null}]}", "true"}) {
    CAPTURE(good);
    CHECK(JsonValue::Parse(good));
  }
  for (const char* bad : {"", " ", "01", "+1", ".5", "1.", "1e", "-", "nul", "tru", "True", "'a'", "\"", "\"\\x\"", "\"\\u12g4\"",
                          "\"a\nb\"", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":}", "[", "{",
                          "1 2", "[]]", "// c\n1", "NaN", "Infinity", "\xef\xbb\xbf{}", "[1}"}) {
    CAPTURE(bad);
    CHECK_FALSE(JsonValue::Parse(bad));
  }
}

TEST_CASE("json: nesting is bounded at 64") {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  CHECK(JsonValue::Parse(nested(64)));
  CHECK_FALSE(JsonValue::Parse(nested(65)));
  CHECK_FALSE(JsonValue::Parse(nested(500'000)));
}

TEST_CASE("json: strings decode, and what is no Unicode is mended") {
  const auto text = [](const char* json) { return JsonValue::Parse(json)->Text().value_or("none"); };
  CHECK(text("\"a\\n\\t\\b\\f\\r\\\\\\\"\\/\"") == "a\n\t\b\f\r\\\"/");
  CHECK(text("\"\\u00e9\\u20ac\\ud83d\\ude00\"") == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(text("\"\\ud800x\"") == "\xef\xbf\xbdx");
  CHECK(text("\"\\ude00\\ud83d\"") == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(text("\"\\ud83d\\u0041\"") == "\xef\xbf\xbd" "A");
  CHECK(text("\"a\xff\xc3\xa9\xc3\"") == "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
  CHECK(text("1") == "none");
  CHECK(HasLoneSurrogate("\"\\ud800\""));
  CHECK_FALSE(HasLoneSurrogate("\"\\\\ud800 \\ud83d\\ude00\""));
}

TEST_CASE("json: numbers are what they are written as") {
  const auto value = [](const char* json) { return *JsonValue::Parse(json); };
  CHECK(value("9223372036854775807").Integer() == INT64_MAX);
  CHECK_FALSE(value("9223372036854775808").Integer());
  CHECK_FALSE(value("1.0").Integer());
  CHECK_FALSE(value("1e3").Integer());
  CHECK_FALSE(value("\"1\"").Integer());
  CHECK(value("0.25").Number() == 0.25);
  CHECK_FALSE(value("1e400").Number());
  CHECK_FALSE(value("true").Number());
}

TEST_CASE("json: members are found by their decoded name") {
  const auto object = *JsonObject::Parse(" {\"a\":1,\"\\u0062\":2,\"a\":3} ");
  CHECK(object.Find("a")->Integer() == 1);
  CHECK(object.Find("b")->Integer() == 2);
  CHECK_FALSE(object.Find("c"));
  const auto inner = JsonObject(*JsonValue::Parse("{\"x\":{\"\\u0061\\\\\":null}}")).Find("x");
  CHECK(JsonObject(*inner).Find("a\\")->is_null());
  CHECK_FALSE(JsonObject(*JsonValue::Parse("[1]")).Find("a"));
  for (const char* bad : {"[1]", "1", "", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}", "{a:1}"}) {
    CHECK_FALSE(JsonObject::Parse(bad));
  }
}

TEST_CASE("json: a walk over damaged text gives what stood before the damage") {
  JsonWalk walk(std::string_view("{\"a\":\"x\",\"b\":[1,2],\"c\":\"cut o"));
  CHECK(walk.Next()->Text() == "x");
  CHECK(walk.name() == "a");
  CHECK(walk.Next()->raw() == "[1,2]");
  CHECK_FALSE(walk.Next());
  CHECK_FALSE(walk.Next());
  CHECK_FALSE(walk.whole());
}

TEST_CASE("json: cutting keeps characters whole") {
  CHECK(CutUtf8("a\xc3\xa9z", 2) == "a");
  CHECK(CutUtf8("a\xc3\xa9z", 3) == "a\xc3\xa9");
  CHECK(CutUtf8("abc", 9) == "abc");
}
