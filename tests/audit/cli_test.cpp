// auditlog as a person or a program runs it: the real executable, its exit codes and what it prints.
#include "tests/audit/signed_trail.h"

#include <fstream>

#include "base/config.h"

namespace strongroom::audit {
namespace {

// Home adds a strongroom.toml to a trail.
std::string Home(const Trail& trail) {
  std::ofstream(trail.directory() / "strongroom.toml") << base::DefaultConfigText("root");
  return trail.directory().string();
}

bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("auditlog verify names what is wrong, and exits 1") {
  const Trail trail;
  trail.Fill(12);
  REQUIRE(trail.Open()->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 5"));
  const Run text = Auditlog("verify --home " + Home(trail));
  INFO(text.out);
  CHECK(text.status == 1);
  CHECK(Has(text.out, "first bad seq  5"));
  CHECK(Has(text.out, "missing"));
  const Run json = Auditlog("verify --json --home " + Home(trail));
  CHECK(json.status == 1);
  CHECK(Has(json.out, "\"verdict\":\"tampered\""));
  CHECK(Has(json.out, "\"first_bad_seq\":5,\"kind\":\"missing\""));
}

TEST_CASE("auditlog verify that could not check exits 2") {
  const Trail trail;
  const std::string nowhere = (trail.directory() / "nowhere").string();
  std::ofstream(trail.directory() / "rubbish.db") << std::string(10'000, 'x');
  for (const std::string& arguments :
       {"verify --home " + nowhere, "verify --db " + nowhere, "verify --db " + (trail.directory() / "rubbish.db").string(),
        std::string("verify --bogus"), std::string(""), "verify --json --db " + nowhere}) {
    const Run run = Auditlog(arguments);
    INFO(arguments << ": " << run.out);
    CHECK(run.status == 2);
    CHECK_FALSE(run.out.empty());
  }
}

TEST_CASE("auditlog search prints a table, or each record's exact bytes") {
  const Trail trail;
  trail.Fill(12);
  const std::string home = Home(trail);
  const Run table = Auditlog("search --customer ACME --since 1h --home " + home);
  INFO(table.out);
  CHECK(table.status == 0);
  CHECK(Has(table.out, "ACME/anthropic/default/1"));
  CHECK_FALSE(Has(table.out, "BARCO"));
  CHECK(Has(table.out, "this read is not recorded"));  // no vaultd serves this home
  const std::string copy = home + "/vault.db";
  const Run json = Auditlog("search --request-id request-7 --json --db " + copy);
  CHECK(json.status == 0);
  Filter filter;
  filter.request_id = "request-7";
  CHECK(json.out == trail.Search(filter).at(0).bytes + "\n");
  CHECK(Auditlog("search --limit 3 --outcome ok --home " + home).status == 0);
  CHECK(Auditlog("search --until 2020-01-01 --json --db " + copy).out.empty());
}

TEST_CASE("auditlog search ends where a record's time was edited into none") {
  const Trail trail;
  trail.Fill(3'000);
  const std::string home = Home(trail);
  REQUIRE(trail.Open()->Execute("UPDATE AUDIT_LOG SET AT = AT + 0.25"));
  CHECK(Auditlog("search --customer ACME --limit 1000000 --json --home " + home).status == 1);
  CHECK(Auditlog("report uses ACME/anthropic/default/1 --home " + home).status == 1);
}

TEST_CASE("auditlog exits 0 for no answer that could not be written") {
  const Trail trail;
  trail.Fill(300);  // a table larger than stdout's buffer
  const std::string home = Home(trail);
  CHECK(Auditlog("search --home " + home + " >/dev/full").status == 1);
  CHECK(Auditlog("search --json --home " + home + " >/dev/full").status == 1);
  CHECK(Auditlog("verify --home " + home + " >/dev/full").status == 2);
}

TEST_CASE("auditlog search: 1 where it failed, 2 where the question makes no sense") {
  const Trail trail;
  trail.Fill(1);
  const std::string home = Home(trail);
  CHECK(Auditlog("search --home " + home + "/nowhere").status == 1);
  CHECK(Auditlog("search --outcome maybe --home " + home).status == 2);
  CHECK(Auditlog("search --limit 0 --home " + home).status == 2);
  CHECK(Auditlog("search --since yesterday --home " + home).status == 2);
  CHECK(Auditlog("search --since 5m --until 10m --home " + home).status == 2);
  CHECK(Auditlog("--help").status == 0);
  CHECK(Auditlog("search --help").status == 0);
  CHECK(Has(Auditlog("--version").out, "auditlog "));
}

TEST_CASE("auditlog search says why: the refusal, and what the caller gave for asking") {
  const Trail trail;
  const auto append = [&](std::optional<std::string> purpose, std::optional<std::string> reason) {
    Draft draft = SampleDraft();
    draft.purpose = std::move(purpose);
    draft.reason = std::move(reason);
    REQUIRE(trail.StartWriter()->Append(draft));
  };
  append("leaked, ticket 4711", std::nullopt);
  append("attempt 1 profile X", "KEY_REVOKED");
  append(std::nullopt, "NO_ROLE");
  const Run run = Auditlog("search --home " + Home(trail));
  INFO(run.out);
  CHECK(Has(run.out, "  WHY\n"));
  CHECK(Has(run.out, "  leaked, ticket 4711\n"));
  CHECK(Has(run.out, "  KEY_REVOKED: attempt 1 profile X\n"));
  CHECK(Has(run.out, "  NO_ROLE\n"));
}

TEST_CASE("what is stored cannot steer the reader's terminal") {
  const Trail trail;
  Draft draft = SampleDraft();
  draft.reason = "\x1b]0;owned\x07";
  REQUIRE(trail.StartWriter()->Append(draft));
  const Run run = Auditlog("search --home " + Home(trail));
  CHECK(run.status == 0);
  CHECK(Has(run.out, "?]0;owned?"));
  CHECK_FALSE(Has(run.out, "\x1b"));
}

}  // namespace strongroom::audit
