#include "base/clock.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::base;

TEST_CASE("time is written as RFC 3339 with six decimals") {
  CHECK(FormatTime(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(FormatTime(1'795'219'864'430'996) == "2026-11-21T00:11:04.430996Z");
  CHECK(FormatTime(-1) == "1969-12-31T23:59:59.999999Z");
  CHECK(FormatTimeMillis(1'999) == "1970-01-01T00:00:00.001Z");
}

TEST_CASE("time is read back, with fewer decimals, and as a bare date") {
  CHECK(ParseTime("2026-11-21T00:11:04.430996Z").value() == 1'795'219'864'430'996);
  CHECK(ParseTime("1970-01-01T00:00:01Z").value() == kMicrosPerSecond);
  CHECK(ParseTime("1970-01-01T00:00:00.5Z").value() == 500'000);
  CHECK(ParseTime("1970-01-02").value() == kMicrosPerDay);
  CHECK(ParseTime("2024-02-29").has_value());
}

TEST_CASE("what is no time is refused") {
  for (const char* text : {"", "2026", "2026-13-01", "2026-02-29", "2026-11-21T", "2026-11-21T24:00:00Z",
                           "2026-11-21T00:00:00", "2026-11-21T00:00:00+01:00", "2026-11-21 00:00:00Z",
                           "2026-11-21T00:00:00.1234567Z", "-026-11-21", "2026-11-21T00:00:00ZZ"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTime(text).has_value());
  }
}

TEST_CASE("durations have units and a bound") {
  CHECK(ParseDuration("90").value() == 90 * kMicrosPerSecond);
  CHECK(ParseDuration("15m").value() == 900 * kMicrosPerSecond);
  CHECK(ParseDuration("30d").value() == 30 * kMicrosPerDay);
  CHECK(ParseDuration("0s").value() == 0);
  for (const char* text : {"", "d", "-1d", "1w", "1.5h", "36501d", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text).has_value());
  }
}

TEST_CASE("the monotonic clock does not go back") {
  const Micros first = MonoMicros();
  CHECK(MonoMicros() >= first);
}

TEST_CASE("a month begins on its first day, UTC, and the next one behind the last") {
  const auto at = [](const char* text) { return ParseTime(text).value(); };
  CHECK(MonthOf(at("2026-11-27T15:41:18Z")) == at("2026-11-01"));
  CHECK(MonthAfter(at("2026-11-27T15:41:18Z")) == at("2026-12-01"));
  CHECK(MonthAfter(at("2026-12-31T23:59:59.999999Z")) == at("2027-01-01"));
  CHECK(MonthOf(at("2027-01-01T00:00:00Z")) == at("2027-01-01"));
  CHECK(MonthAfter(at("2028-02-29T12:00:00Z")) == at("2028-03-01"));
  CHECK(MonthOf(-1) == at("1969-12-01"));
}
