#include "worker/retry.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

constexpr base::Micros kNow = 784'111'777 * base::kMicrosPerSecond;  // RFC 9110's example: 06 Nov 1994 08:49:37

std::optional<base::Micros> After(const char* seconds, const char* millis = nullptr) {
  HttpAnswer answer;
  if (seconds != nullptr) answer.retry_after = seconds;
  if (millis != nullptr) answer.retry_after_ms = millis;
  return RetryAfter(answer, kNow);
}

}  // namespace

TEST_CASE("retry: retry-after-ms goes before Retry-After") {
  CHECK_FALSE(After(nullptr));
  CHECK(After("2") == 2'000'000);
  CHECK(After("1.5") == 1'500'000);
  CHECK(After("0") == 0);
  CHECK(After("2", "250") == 250'000);
  CHECK(After("2", "0.5") == 500);
  CHECK(After("2", "soon") == 2'000'000);
  CHECK(After("2", "-1") == 2'000'000);
  CHECK(After(nullptr, " 7 ") == 7'000);
}

TEST_CASE("retry: Retry-After may be an HTTP date") {
  CHECK(After("Sun, 06 Nov 1994 08:49:37 GMT") == 0);
  CHECK(After("Sun, 06 Nov 1994 08:50:07 GMT") == 30'000'000);
  CHECK(After("Mon, 07 Nov 1994 08:49:37 GMT") == base::kMicrosPerDay);
  CHECK_FALSE(After("Sun, 06 Nov 1994 08:49:36 GMT"));  // gone by
  CHECK(After("Fri, 31 Dec 9999 23:59:59 GMT") == 30 * base::kMicrosPerDay);
  for (const char* bad : {"Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 2030 00:00:00 GMT", "Sun, 06 Xxx 2030 08:49:37 GMT",
                          "Sun, 06 Nov 2030 24:00:00 GMT", "Sun, 0x Nov 2030 08:49:37 GMT", "Sun, 06-Nov-2030 08:49:37 GMT",
                          "Sun, 00 Nov 2030 00:00:00 GMT", "Sun, 06 Nov 20a0 08:49:37 GMT"}) {
    CAPTURE(bad);
    CHECK_FALSE(After(bad));
  }
}

TEST_CASE("retry: absurd values are bounded, negative and odd ones ignored") {
  CHECK(After("999999999") == 30 * base::kMicrosPerDay);
  CHECK(After("99999999999999999999999999999") == 30 * base::kMicrosPerDay);
  CHECK(After(std::string(500, '9').c_str()) == 30 * base::kMicrosPerDay);
  for (const char* bad : {"", " ", "-5", "+5", "inf", "nan", "1e3", "0x10", "5s", "5 6", ".", ".5", "1.2.3"}) {
    CAPTURE(bad);
    CHECK_FALSE(After(bad));
  }
}

TEST_CASE("retry: backoff doubles from 0.5 s to 8 s, less up to a quarter") {
  const base::Micros expected[] = {500'000, 1'000'000, 2'000'000, 4'000'000, 8'000'000, 8'000'000};
  for (int next = 2; next <= 7; ++next) CHECK(Backoff(next, 0.0) == expected[next - 2]);
  CHECK(Backoff(2, 0.5) == 437'500);
  CHECK(Backoff(6, 0.999999) >= 6'000'000);
  CHECK(Backoff(0, 0.0) == 500'000);
  CHECK(Backoff(std::numeric_limits<int>::max(), 0.0) == 8'000'000);
  CHECK(Backoff(std::numeric_limits<int>::min() + 2, 0.0) == 500'000);
  CHECK(Backoff(3, std::numeric_limits<double>::quiet_NaN()) == 1'000'000);
  CHECK(Backoff(3, 7.0) == 750'000);
}
