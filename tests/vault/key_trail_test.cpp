// What the trail has about one key, page by page: all of it once, in order, provable, and nothing left out for an edit.
#include "vault/key_trail.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/checkpoint.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;

constexpr std::uint8_t kAdmin = 1, kWorker = 2, kAuditor = 4;
constexpr const char* kKey = "ACME/anthropic/default/1";

ReadKeyTrailRequest About(std::string_view what, std::string checkpoint = "") {
  ReadKeyTrailRequest request;
  request.key_ref = kKey;
  request.what = what;
  request.checkpoint = std::move(checkpoint);
  return request;
}

ReadKeyTrailAnswer Page(ServiceHouse& house, const ReadKeyTrailRequest& request) {
  const auto reply = house.Ask(Operation::kReadKeyTrail, request.Encode(), kAuditor);
  REQUIRE(reply.has_value());
  auto answer = ReadKeyTrailAnswer::Decode(reply->body);
  REQUIRE(answer.has_value());
  return std::move(*answer);
}

struct Read {
  std::vector<Json> rows;
  int pages = 0;
};

Read All(ServiceHouse& house, ReadKeyTrailRequest request) {
  Read read;
  for (bool more = true; more;) {
    REQUIRE(++read.pages < 100);
    const ReadKeyTrailAnswer page = Page(house, request);
    for (const std::string& row : page.rows) read.rows.push_back(Json::parse(row));
    more = page.more;
    request.after_at = page.after_at;
    request.after_seq = page.after_seq;
  }
  return read;
}

void Use(ServiceHouse& house, int times) {
  for (int i = 0; i < times; ++i) REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
}

std::string SignedHead(ServiceHouse& house) {
  const auto reply = house.Ask(Operation::kSignCheckpoint, {}, kAuditor);
  REQUIRE(reply.has_value());
  return DecodeText(reply->body).value();
}

bool Ascends(const std::vector<Json>& rows) {
  return std::ranges::is_sorted(rows, std::ranges::less_equal(), [](const Json& row) { return row["seq"].get<std::int64_t>(); }) || rows.size() < 2;
}

bool Proven(const Json& row, const std::string& checkpoint) {
  const auto proof = audit::RecordProof::Parse(row.value("proof", ""));
  if (!proof || proof->checkpoint.Print() != checkpoint) return false;
  const auto head = audit::Checkpoint::Parse(proof->checkpoint.text);
  return head && proof->index == row["seq"].get<std::int64_t>() &&
         audit::VerifyInclusion(proof->index, head->head, audit::HashLeaf(row["record"].get<std::string>()), proof->path);
}

}  // namespace

TEST_CASE("a key's trail: every use once, in order, over pages and tiles, each with its proof", "[key trail]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  Use(house, 300);
  REQUIRE(house.Resolve("BARCO", "BARCO_DEFAULT").has_value());
  const std::string checkpoint = SignedHead(house);
  Use(house, 20);
  // A page of proofs holds some 80: what is asked for while the trail grows stays what it was.
  const Read proven = All(house, About(kUsesOfKey, checkpoint));
  CHECK(proven.rows.size() == 300);
  CHECK(proven.pages > 2);
  CHECK(Ascends(proven.rows));
  CHECK(std::ranges::all_of(proven.rows, [&](const Json& row) { return Proven(row, checkpoint); }));
  const Read all = All(house, About(kUsesOfKey));
  CHECK(all.rows.size() == 320);
  CHECK(std::ranges::none_of(all.rows, [](const Json& row) { return row.contains("proof") || row.contains("fault"); }));
  // Each page is on record.
  CHECK(house.Last().draft.action == "read_key_trail");
  CHECK(house.Last().draft.key_ref == kKey);
  ReadKeyTrailRequest later = About(kUsesOfKey);
  later.since = base::WallMicros() + base::kMicrosPerDay;
  CHECK(All(house, later).rows.empty());
}

TEST_CASE("a key's trail: more than a page examines, of which few are the answer", "[key trail]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Use(house, 1);
  REQUIRE(house.MoveKey(kKey, "suspend").has_value());
  for (int i = 0; i < 1100; ++i) REQUIRE_FALSE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  REQUIRE(house.MoveKey(kKey, "resume").has_value());
  Use(house, 1);
  const Read uses = All(house, About(kUsesOfKey));
  CHECK(uses.rows.size() == 2);
  CHECK(uses.pages >= 2);
  CHECK(Ascends(uses.rows));
  const Read acts = All(house, About(kActsOnKey));
  CHECK(acts.rows.size() == 4);  // added, activated, suspended, resumed
  CHECK(Ascends(acts.rows));
}

TEST_CASE("a key's trail: an edited record is told, by whichever of its two sides names the key", "[key trail]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Use(house, 5);
  const std::string checkpoint = SignedHead(house);
  const auto faults = [&] {
    const Read read = All(house, About(kUsesOfKey, checkpoint));
    return std::pair(read.rows.size(), std::ranges::count_if(read.rows, [](const Json& row) { return row.contains("fault"); }));
  };
  REQUIRE(faults() == std::pair(std::size_t{5}, std::ptrdiff_t{0}));
  SECTION("its outcome, in the column") {
    REQUIRE(house.Edit("UPDATE AUDIT_LOG SET OUTCOME = 'denied' WHERE ACTION = 'resolve'") == 5);
    CHECK(faults() == std::pair(std::size_t{5}, std::ptrdiff_t{5}));
  }
  SECTION("its action, in the column") {
    REQUIRE(house.Edit("UPDATE AUDIT_LOG SET ACTION = 'show_key' WHERE ACTION = 'resolve'") == 5);
    CHECK(faults() == std::pair(std::size_t{5}, std::ptrdiff_t{5}));
  }
  SECTION("the record") {
    const Bytes rubbish(100, 'x');
    REQUIRE(house.Edit("UPDATE AUDIT_LOG SET RECORD = ?1 WHERE ACTION = 'resolve'", {ByteView(rubbish)}) == 5);
    CHECK(faults() == std::pair(std::size_t{5}, std::ptrdiff_t{5}));
  }
  SECTION("a record that is longer than any") {
    const Bytes rubbish(audit::kMostRecordBytes + 1, 'x');
    REQUIRE(house.Edit("UPDATE AUDIT_LOG SET RECORD = ?1 WHERE ACTION = 'resolve'", {ByteView(rubbish)}) == 5);
    const Read read = All(house, About(kUsesOfKey, checkpoint));
    REQUIRE(read.rows.size() == 5);
    CHECK(read.rows.front()["record"] == "");
  }
}

TEST_CASE("a key's trail: who may ask, and for what", "[key trail]") {
  ServiceHouse house;
  house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Use(house, 1);
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, About(kUsesOfKey).Encode(), kWorker) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, About("everything").Encode(), kAdmin) == Refusal::kFieldInvalid);
  ReadKeyTrailRequest unknown = About(kUsesOfKey);
  unknown.key_ref = "ACME/anthropic/default/9";
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, unknown.Encode(), kAdmin) == Refusal::kKeyUnknown);
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, Bytes{1, 2, 3}, kAdmin) == Refusal::kMalformed);
  // A checkpoint that is no note, is not signed, or was altered below its signature's eyes.
  std::string checkpoint = SignedHead(house);
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, About(kUsesOfKey, "hello").Encode(), kAdmin) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, About(kUsesOfKey, checkpoint.substr(0, checkpoint.find("\n\n") + 2)).Encode(), kAdmin) == Refusal::kFieldInvalid);
  checkpoint.replace(checkpoint.find('\n') + 1, 1, "9");
  CHECK(house.RefusalFor(Operation::kReadKeyTrail, About(kUsesOfKey, checkpoint).Encode(), kAdmin) == Refusal::kFieldInvalid);
}

}  // namespace strongroom::vault
