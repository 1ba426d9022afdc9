// When a key is probed: the rule by itself.
#include "vault/suspects.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

constexpr base::Micros kSecond = base::kMicrosPerSecond;
constexpr base::Micros kStart = 1000 * kSecond;
constexpr base::Micros kPause = 200 * base::kMicrosPerMilli;
const std::string kRef = "ACME/anthropic/default/1";

Suspects Make(std::int64_t after = 3, std::int64_t within = 60) {
  base::Config::Vault limits;
  limits.suspect_after = after;
  limits.suspect_within_seconds = within;
  return Suspects(limits);
}

}  // namespace

TEST_CASE("suspects: a key is probed once it was refused so often in a row, within so long", "[suspects]") {
  Suspects suspects = Make();
  CHECK_FALSE(suspects.IsWatched(kRef));
  CHECK_FALSE(suspects.Refused(kRef, 7, kStart));
  CHECK(suspects.IsWatched(kRef));
  CHECK_FALSE(suspects.Refused(kRef, 7, kStart + kSecond));
  SECTION("the third in time") { CHECK(suspects.Refused(kRef, 7, kStart + 60 * kSecond)); }
  SECTION("the third comes too late, and counts for the next") {
    CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 61 * kSecond));
    CHECK(suspects.Refused(kRef, 7, kStart + 61 * kSecond));
  }
  SECTION("one success, and the count begins anew") {
    suspects.Took(kRef);
    CHECK_FALSE(suspects.IsWatched(kRef));
    CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 2 * kSecond));
    CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 2 * kSecond));
    CHECK(suspects.Refused(kRef, 7, kStart + 2 * kSecond));
  }
  SECTION("another key has a count of its own") {
    CHECK_FALSE(suspects.Refused("BARCO/openai/default/1", 7, kStart + 2 * kSecond));
    CHECK(suspects.Refused(kRef, 7, kStart + 2 * kSecond));
  }
}

TEST_CASE("suspects: one worker probes at a time, and only the one that was told to", "[suspects]") {
  Suspects suspects = Make(1);
  REQUIRE(suspects.Refused(kRef, 7, kStart));
  CHECK_FALSE(suspects.Refused(kRef, 8, kStart + kSecond));
  CHECK_FALSE(suspects.BeginProbe(kRef, 8, kStart + kSecond));
  CHECK_FALSE(suspects.IsProbing(kRef, 7));
  CHECK(suspects.BeginProbe(kRef, 7, kStart + kSecond));
  CHECK_FALSE(suspects.BeginProbe(kRef, 7, kStart + kSecond));
  CHECK(suspects.IsProbing(kRef, 7));
  CHECK_FALSE(suspects.IsProbing(kRef, 8));
  SECTION("a prober that is never heard of again is replaced") {
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 8 * kSecond - 1));
    CHECK(suspects.Refused(kRef, 8, kStart + 8 * kSecond) == 0);
    CHECK_FALSE(suspects.IsProbing(kRef, 7));
    CHECK(suspects.BeginProbe(kRef, 8, kStart + 9 * kSecond));
  }
  SECTION("behind a probe that decided nothing comes another by the same worker, not at once") {
    CHECK(suspects.EndProbe(kRef, false, kStart + 2 * kSecond) == kPause);
    CHECK_FALSE(suspects.IsProbing(kRef, 7));
    CHECK_FALSE(suspects.Due(kRef, 8, kStart + 2 * kSecond));
    CHECK(suspects.Due(kRef, 7, kStart + 2 * kSecond) == kPause);
    CHECK_FALSE(suspects.BeginProbe(kRef, 7, kStart + 2 * kSecond + kPause - 1));
    CHECK_FALSE(suspects.IsProbing(kRef, 7));
    CHECK_FALSE(suspects.BeginProbe(kRef, 8, kStart + 2 * kSecond + kPause));
    CHECK(suspects.Due(kRef, 7, kStart + 2 * kSecond + kPause) == 0);
    CHECK(suspects.BeginProbe(kRef, 7, kStart + 2 * kSecond + kPause));
    CHECK_FALSE(suspects.Due(kRef, 7, kStart + 2 * kSecond + kPause));
  }
  SECTION("and none once what was refused is long ago") { CHECK_FALSE(suspects.EndProbe(kRef, false, kStart + 62 * kSecond)); }
}

TEST_CASE("suspects: a prober that does not begin is replaced sooner", "[suspects]") {
  Suspects suspects = Make(1);
  REQUIRE(suspects.Refused(kRef, 7, kStart));
  CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 2 * kSecond - 1));
  CHECK(suspects.Refused(kRef, 8, kStart + 2 * kSecond));
  CHECK_FALSE(suspects.BeginProbe(kRef, 7, kStart + 2 * kSecond));
  CHECK(suspects.BeginProbe(kRef, 8, kStart + 2 * kSecond));
}

TEST_CASE("suspects: behind a probe that passed the count begins anew", "[suspects]") {
  Suspects suspects = Make(2);
  REQUIRE_FALSE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.BeginProbe(kRef, 7, kStart));
  CHECK_FALSE(suspects.EndProbe(kRef, true, kStart));
  CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 10 * kSecond));
  CHECK(suspects.Refused(kRef, 7, kStart + 10 * kSecond) == 0);
}

TEST_CASE("suspects: what is refused while a probe runs, or in the pause behind it, is followed up", "[suspects]") {
  Suspects suspects = Make(2);
  REQUIRE_FALSE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.BeginProbe(kRef, 7, kStart));
  SECTION("while it runs") {
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 1));
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 2));
    CHECK(suspects.EndProbe(kRef, true, kStart + 3) == kPause);
    CHECK(suspects.BeginProbe(kRef, 7, kStart + 3 + kPause));
  }
  SECTION("in the pause") {
    CHECK_FALSE(suspects.EndProbe(kRef, true, kStart));
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + kPause / 4));
    CHECK(suspects.Refused(kRef, 8, kStart + kPause / 2) == kPause / 2);
    // One is told, and nobody else.
    CHECK_FALSE(suspects.Refused(kRef, 7, kStart + kPause / 2));
    CHECK(suspects.BeginProbe(kRef, 8, kStart + kPause));
  }
  SECTION("unless the key was taken meanwhile") {
    CHECK_FALSE(suspects.EndProbe(kRef, true, kStart));
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 1));
    REQUIRE(suspects.Refused(kRef, 8, kStart + 1));
    suspects.Took(kRef);
    CHECK_FALSE(suspects.IsWatched(kRef));
    CHECK_FALSE(suspects.BeginProbe(kRef, 8, kStart + kPause));
  }
}

TEST_CASE("suspects: pauses grow while probes find nothing, up to 5 s", "[suspects]") {
  Suspects suspects = Make(1);
  base::Micros now = kStart;
  const auto probe = [&] {
    const auto wait = suspects.Refused(kRef, 7, now);
    REQUIRE(wait);
    now += *wait;
    REQUIRE(suspects.BeginProbe(kRef, 7, now));
    REQUIRE_FALSE(suspects.EndProbe(kRef, true, now));
    return *wait;
  };
  CHECK(probe() == 0);
  for (const base::Micros wait : {1 * kPause, 2 * kPause, 4 * kPause, 8 * kPause, 16 * kPause, 5 * kSecond, 5 * kSecond}) CHECK(probe() == wait);
  SECTION("a call that is taken makes them short again, and not none") {
    suspects.Took(kRef);
    CHECK(probe() == kPause);
    CHECK(probe() == kPause);
  }
  SECTION("so does quiet") {
    now += 10 * kSecond + 1;
    CHECK(probe() == 0);
    CHECK(probe() == kPause);
  }
}

TEST_CASE("suspects: keys that were refused long ago take no room for ever", "[suspects]") {
  Suspects suspects = Make();
  for (int i = 0; i < 1024; ++i) suspects.Refused("C" + std::to_string(i) + "/openai/default/1", 7, kStart);
  CHECK(suspects.count() == 1024);
  suspects.Refused(kRef, 7, kStart + 61 * kSecond);
  CHECK(suspects.count() == 1);
}

TEST_CASE("suspects: an admin's test counts once, soon, and for that admin", "[suspects]") {
  Suspects suspects = Make();
  CHECK_FALSE(suspects.TakeTest(kRef, 7, kStart));
  suspects.NoteTest(kRef, 7, kStart);
  CHECK_FALSE(suspects.TakeTest(kRef, 8, kStart + kSecond));
  CHECK(suspects.TakeTest(kRef, 7, kStart + 299 * kSecond));
  CHECK_FALSE(suspects.TakeTest(kRef, 7, kStart + 299 * kSecond));
  suspects.NoteTest(kRef, 7, kStart);
  CHECK_FALSE(suspects.TakeTest(kRef, 7, kStart + 300 * kSecond));
}

}  // namespace strongroom::vault
