#include "tests/audit/trail.h"

#include "audit/record.h"
#include "base/files.h"

namespace strongroom::audit {
namespace {

// The worked example of FORMAT.md. Bytes by another JSON library with sorted keys, hash by sha256sum and openssl.
constexpr std::string_view kExample =
    R"({"action":"move_key","actor":{"gid":1000,"name":"ada","pid":4242,"pid_start":1234567,"role":"admin","uid":1000},)"
    R"("after":{"move":"revoke","status":"REVOKED"},"before":{"status":"ACTIVE"},"boot":"9f8e7d6c5b4a3928","customer":"ACME","epoch":8,)"
    R"("key_ref":"ACME/anthropic/default/1","key_version":1,"log":"5f0c2a9e7d3b4816a0c9e2f1b7d45a60/node-1",)"
    R"("mono_us":81234567,"outcome":"ok","prev":"0000000000000000000000000000000000000000000000000000000000000000",)"
    R"("purpose":"leaked, says \"the customer\"\nticket 4711 – zoë","seq":0,"time":"2026-11-20T08:00:00.123456Z","v":1})";
constexpr std::string_view kExampleHash = "1dda38263f5102ed2a95501dddebd5147217f3cf06288ad720aa168d30417acb";

Draft ExampleDraft() {
  Draft draft;
  draft.action = "move_key";
  draft.actor = {1000, 1000, "ada", 4242, 1234567, "admin"};
  draft.customer = "ACME";
  draft.key_ref = "ACME/anthropic/default/1";
  draft.key_version = 1;
  draft.purpose = "leaked, says \"the customer\"\nticket 4711 – zoë";
  draft.before = Facts{{"status", "ACTIVE"}};
  draft.after = Facts{{"move", "revoke"}, {"status", "REVOKED"}};
  draft.epoch = 8;
  return draft;
}

Place ExamplePlace() {
  return {"5f0c2a9e7d3b4816a0c9e2f1b7d45a60/node-1", "9f8e7d6c5b4a3928", 0, std::string(kNoRecord), 1795161600123456,
          81234567};
}

std::string WithReason(const std::string& reason) {
  Draft draft = ExampleDraft();
  draft.purpose.reset();
  draft.reason = reason;
  return Serialize(draft, ExamplePlace());
}

std::string Replaced(std::string text, std::string_view old_text, std::string_view new_text) {
  const std::size_t at = text.find(old_text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old_text.size(), new_text);
}

}  // namespace

TEST_CASE("a record is written as FORMAT.md's example, and hashes as sha256sum says") {
  CHECK(Serialize(ExampleDraft(), ExamplePlace()) == kExample);
  CHECK(kExample.size() == 564);
  CHECK(LeafHash(kExample) == kExampleHash);
  const auto document = base::ReadFile(STRONGROOM_SOURCE_DIR "/audit/FORMAT.md", 100'000);
  REQUIRE(document);
  CHECK(document->find("\n" + std::string(kExample) + "\n") != std::string::npos);
  CHECK(document->find("\n" + std::string(kExampleHash) + "\n") != std::string::npos);
}

TEST_CASE("the leaf hash is RFC 6962's: the hash of an empty leaf is published") {
  CHECK(LeafHash("") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

TEST_CASE("every field survives being written and read") {
  Draft draft = ExampleDraft();
  draft.outcome = Outcome::kError;
  draft.request_id = "r-1";
  draft.purpose = "call";
  draft.policy_rev = 12;
  draft.before = Facts{};
  draft.after = Facts{{"a", ""}, {"b", "\x01\x1f\x7f \b\f\n\r\t\"\\/ é 漢 😀"}};
  Place place = ExamplePlace();
  place.seq = kMostInteger;
  const std::string bytes = Serialize(draft, place);
  const auto entry = Parse(bytes);
  REQUIRE(entry);
  CHECK(entry->bytes == bytes);
  CHECK(entry->draft.outcome == Outcome::kError);
  CHECK(entry->draft.actor.pid_start == 1234567);
  CHECK(entry->draft.actor.role == "admin");
  CHECK(entry->draft.before == draft.before);
  CHECK(entry->draft.after == draft.after);
  CHECK(entry->draft.policy_rev == 12);
  CHECK(entry->draft.purpose == "call");
  CHECK(entry->place.seq == kMostInteger);
  CHECK(entry->place.time == place.time);
  CHECK(entry->place.mono_us == place.mono_us);
  CHECK(Serialize(entry->draft, entry->place) == bytes);
}

TEST_CASE("absent fields are left out, empty ones are not") {
  Draft draft;
  draft.customer = "";
  const std::string bytes = Serialize(draft, ExamplePlace());
  CHECK(bytes.find("\"customer\":\"\"") != std::string::npos);
  for (const char* name : {"role", "after", "before", "key_ref", "reason", "null", "epoch"}) {
    CHECK(bytes.find("\"" + std::string(name) + "\"") == std::string::npos);
  }
  const auto entry = Parse(bytes);
  REQUIRE(entry);
  CHECK(entry->draft.customer == "");
  CHECK_FALSE(entry->draft.key_ref);
}

TEST_CASE("strings are escaped as RFC 8785 §3.2.2.2 says") {
  const std::string bytes = WithReason(std::string("\0\x1f\b\t\n\f\r\"\\/\x7f\xe2\x82\xac", 14));
  CHECK(bytes.find("\"reason\":\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\/\x7f\xe2\x82\xac\"") != std::string::npos);
  CHECK(bytes.find('\n') == std::string::npos);
}

TEST_CASE("integers stay within what JSON readers keep") {
  Draft draft = ExampleDraft();
  draft.epoch = INT64_MAX;
  draft.key_version = INT64_MIN;
  draft.actor.pid_start = UINT64_MAX;
  const std::string bytes = Serialize(draft, ExamplePlace());
  CHECK(bytes.find("\"epoch\":9007199254740991,") != std::string::npos);
  CHECK(bytes.find("\"key_version\":-9007199254740991,") != std::string::npos);
  CHECK(bytes.find("\"pid_start\":9007199254740991,") != std::string::npos);
  CHECK(Parse(bytes));
}

TEST_CASE("any draft can be written: rubbish is replaced, length is cut at a character") {
  CHECK(WithReason("a\xff\xfe z\xc3").find("\"reason\":\"a\xef\xbf\xbd\xef\xbf\xbd z\xef\xbf\xbd\"") != std::string::npos);
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "\xe2\x82\xac";
  const auto cut = Parse(WithReason(euros));
  REQUIRE(cut);
  CHECK(cut->draft.reason->size() <= kMostTextBytes);
  CHECK(cut->draft.reason->size() > kMostTextBytes - 8);
  CHECK(cut->draft.reason->ends_with("\xe2\x82\xac\xe2\x80\xa6"));
  CHECK(Parse(WithReason(std::string(2000, 'x')))->draft.reason == std::string(2000, 'x'));
  CHECK(Parse(WithReason(std::string(2001, 'x')))->draft.reason == std::string(1997, 'x') + "\xe2\x80\xa6");
  CHECK(Parse(WithReason(std::string(5'000'000, '\x80'))));
}

TEST_CASE("the worst draft fits into 16 KiB") {
  const std::string worst(100'000, '\x01');
  Draft draft;
  draft.action = draft.actor.name = draft.actor.role = worst;
  draft.customer = draft.key_ref = draft.request_id = draft.purpose = draft.reason = worst;
  draft.before.emplace();
  for (int i = 0; i < 1000; ++i) draft.before->emplace(std::string(200, '"') + std::to_string(i), worst);
  for (int i = 0; i < 1000; ++i) draft.before->emplace(std::to_string(i) + std::string(200, 'n'), worst);
  draft.after = draft.before;
  draft.epoch = draft.key_version = draft.policy_rev = INT64_MIN;
  draft.actor.uid = draft.actor.gid = draft.actor.pid = INT64_MIN;
  Place place = ExamplePlace();
  place.log = place.boot = std::string(128, 'l');
  place.seq = place.mono_us = kMostInteger;
  const std::string bytes = Serialize(draft, place);
  CHECK(bytes.size() <= kMostRecordBytes);
  CHECK(Parse(bytes));
  Fit(draft);
  CHECK(Serialize(draft, place) == bytes);
}

TEST_CASE("what Serialize would not have written is no record") {
  const std::string good(kExample);
  REQUIRE(Parse(good));
  const std::vector<std::string> bad = {
      "", "{}", "null", good + "\n", " " + good, good + good, good.substr(0, good.size() - 1),
      Replaced(good, "\"epoch\":8", "\"epoch\":08"),
      Replaced(good, "\"epoch\":8", "\"epoch\":-0"),
      Replaced(good, "\"epoch\":8", "\"epoch\":8.0"),
      Replaced(good, "\"epoch\":8", "\"epoch\":9007199254740992"),
      Replaced(good, "\"epoch\":8", "\"epoch\":99999999999999999999"),
      Replaced(good, "\"epoch\":8", "\"epoch\": 8"),
      Replaced(good, "\"epoch\":8", "\"epoch\":null"),
      Replaced(good, "\"epoch\":8,", "\"epoch\":8,\"epoch\":8,"),
      Replaced(good, "\"epoch\":8,", "\"extra\":8,"),
      Replaced(good, "\"seq\":0", "\"seq\":-1"),
      Replaced(good, "\"outcome\":\"ok\"", "\"outcome\":\"fine\""),
      Replaced(good, "\"prev\":\"0", "\"prev\":\"A"),
      Replaced(good, "\"prev\":\"0", "\"prev\":\""),
      Replaced(good, "leaked", "\\u006ceaked"),
      Replaced(good, "leaked", "\\/leaked"),
      Replaced(good, "leaked", "\xff" "eaked"),
      Replaced(good, "\\n", "\n"),
      Replaced(good, "\\n", "\\u000a"),
      Replaced(good, "\\n", "\\u00"),
      Replaced(good, "\\n", "\\u001G"),
      Replaced(good, "\\n", "\\x"),
      Replaced(good, ".123456Z", ".123Z"),
      Replaced(good, "08:00:00.", "08:00:60."),
      Replaced(good, "2026-11-20", "2026-02-30"),
      Replaced(good, "2026-11-20", "1969-11-20"),
      Replaced(good, "\"role\":\"admin\"", "\"role\":\"\""),
      Replaced(good, "{\"status\":\"ACTIVE\"}", "{\"status\":\"REVOKED\",\"status\":\"REVOKED\"}"),
      Replaced(good, "{\"status\":\"ACTIVE\"}", "{\"b\":\"\",\"a\":\"\"}"),
      Replaced(good, "{\"status\":\"ACTIVE\"}", "{\"\":\"\"}"),
      Replaced(good, "{\"status\":\"ACTIVE\"}", "{\"status\":{}}"),
      Replaced(good, "{\"status\":\"ACTIVE\"}", "{\"status\":\"REVOKED\",}"),
      Replaced(good, "9f8e7d6c5b4a3928", ""),
      Replaced(good, "9f8e7d6c5b4a3928", "a b"),
      Replaced(good, "leaked", std::string(2001, 'x')),
      Replaced(good, "\"v\":1", "\"v\":2"),
      std::string(1'000'000, '[')};
  for (const auto& bytes : bad) {
    INFO(bytes.substr(0, 700));
    const auto entry = Parse(bytes);
    REQUIRE_FALSE(entry);
    CHECK(entry.error().code() == Code::kCorrupt);
  }
}

TEST_CASE("every record cut short or with one byte changed is refused or written back as it is") {
  const std::string good(kExample);
  for (std::size_t i = 0; i < good.size(); ++i) {
    CHECK_FALSE(Parse(std::string_view(good).substr(0, i)));
    for (const int flip : {1, 2, 32, 128}) {
      std::string changed = good;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ static_cast<unsigned>(flip));
      const auto entry = Parse(changed);
      if (entry) CHECK(Serialize(entry->draft, entry->place) == changed);
      CHECK(LeafHash(changed) != kExampleHash);
    }
  }
}

}  // namespace strongroom::audit
