// When a key is probed: the rule by itself.
#include "vault/suspects.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

constexpr base::Micros kSecond = base::kMicrosPerSecond;
constexpr base::Micros kStart = 1000 * kSecond;
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
    CHECK_FALSE(suspects.Refused(kRef, 8, kStart + 29 * kSecond));
    CHECK(suspects.Refused(kRef, 8, kStart + 30 * kSecond));
    CHECK_FALSE(suspects.IsProbing(kRef, 7));
    CHECK(suspects.BeginProbe(kRef, 8, kStart + 31 * kSecond));
  }
  SECTION("behind a probe that decided nothing comes another, not at once") {
    suspects.EndProbe(kRef, false, kStart + 2 * kSecond);
    CHECK_FALSE(suspects.IsProbing(kRef, 7));
    CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 6 * kSecond));
    CHECK(suspects.Refused(kRef, 7, kStart + 7 * kSecond));
  }
}

TEST_CASE("suspects: behind a probe that passed the count begins anew", "[suspects]") {
  Suspects suspects = Make(2);
  REQUIRE_FALSE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.Refused(kRef, 7, kStart));
  REQUIRE(suspects.BeginProbe(kRef, 7, kStart));
  suspects.EndProbe(kRef, true, kStart);
  CHECK_FALSE(suspects.Refused(kRef, 7, kStart + 10 * kSecond));
  CHECK(suspects.Refused(kRef, 7, kStart + 10 * kSecond));
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
