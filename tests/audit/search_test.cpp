#include "tests/audit/trail.h"

namespace strongroom::audit {

TEST_CASE("search finds by each filter, oldest first, over several pages") {
  const Trail trail;
  trail.Fill(3000);  // even: ACME, odd: BARCO, every fifth denied
  Filter filter;
  filter.limit = 10'000;
  std::size_t expected = 3000;
  SECTION("nothing asked: all") {}
  SECTION("key") { filter.key_ref = "ACME/anthropic/default/1", expected = 1500; }
  SECTION("customer") { filter.customer = "BARCO", expected = 1500; }
  SECTION("outcome") { filter.outcome = "denied", expected = 600; }
  SECTION("outcome ok") { filter.outcome = "ok", expected = 2400; }
  SECTION("outcome error") { filter.outcome = "error", expected = 0; }
  SECTION("customer and outcome") { filter.customer = "ACME", filter.outcome = "denied", expected = 300; }
  SECTION("actor") { filter.actor = "srworker"; }
  SECTION("another actor") { filter.actor = "nobody", expected = 0; }
  SECTION("action") { filter.action = "key.resolve"; }
  SECTION("request") { filter.request_id = "request-2717", expected = 1; }
  SECTION("limit") { filter.limit = 1234, expected = 1234; }
  SECTION("customer and limit") { filter.customer = "ACME", filter.limit = 1001, expected = 1001; }
  const auto found = trail.Search(filter);
  REQUIRE(found.size() == expected);
  for (std::size_t i = 1; i < found.size(); ++i) CHECK(found[i - 1].place.seq < found[i].place.seq);
}

TEST_CASE("search keeps to its times, both ends included") {
  const Trail trail;
  trail.Fill(200);
  const auto all = trail.Search(Filter());
  REQUIRE(all.size() == 200);
  for (const std::optional<std::string>& customer : {std::optional<std::string>(), std::optional<std::string>("ACME")}) {
    Filter filter;
    filter.customer = customer;
    filter.since = all[50].place.time;
    filter.until = all[149].place.time;
    std::size_t expected = 0;
    for (const auto& entry : all) {
      const bool inside = entry.place.time >= *filter.since && entry.place.time <= *filter.until;
      if (inside && (!customer || entry.draft.customer == customer)) ++expected;
    }
    CHECK(trail.Search(filter).size() == expected);
    filter.since = all.back().place.time + 1;
    filter.until.reset();
    CHECK(trail.Search(filter).empty());
    filter.since.reset();
    filter.until = all.front().place.time - 1;
    CHECK(trail.Search(filter).empty());
  }
}

TEST_CASE("search of an empty trail finds nothing, and of a damaged one says so") {
  const Trail trail;
  CHECK(trail.Search(Filter()).empty());
  trail.Fill(3);
  const auto database = trail.Open();
  REQUIRE(database->Execute("UPDATE AUDIT_LOG SET RECORD = x'7b7d' WHERE SEQ = 1"));
  const auto found = Search(*database, Filter(), [](const Entry&) {});
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == Code::kCorrupt);
  CHECK(found.error().number() == 1);
}

}  // namespace strongroom::audit
