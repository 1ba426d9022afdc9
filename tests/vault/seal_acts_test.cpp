// Seal and unseal: what a sealed vault still answers, and how it comes to be sealed.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"
#include "vault/kek_file.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Sealable : ServiceHouse {
  Sealable() { Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey); }
  void Seal() { REQUIRE(Ask(Operation::kSeal, EncodeText("holidays")).has_value()); }
  Result<Reply> Unseal() { return Ask(Operation::kUnseal, EncodeText("back")); }
  Json Facts(Operation operation, Bytes body = {}) {
    const auto reply = Ask(operation, std::move(body));
    REQUIRE(reply.has_value());
    return Json::parse(DecodeText(reply->body).value());
  }
  std::string File() const { return home() + "/kek/1.key"; }
};

}  // namespace

TEST_CASE("seal: no key leaves a sealed vault, and what needs none is answered", "[seal]") {
  Sealable house;
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT").has_value());
  house.Seal();
  CHECK(house.Last().draft.action == "seal");
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
  CHECK(house.Last().draft.reason == "SEALED");
  CHECK(house.MoveRefusal("ACME/anthropic/default/1", "suspend") == Refusal::kSealed);
  CHECK(house.RefusalFor(Operation::kGetProfile, EncodeText("ACME_DEFAULT")) == Refusal::kSealed);
  CHECK(house.RefusalFor(Operation::kSeal, EncodeText("twice")) == Refusal::kSealed);
  const Json status = house.Facts(Operation::kStatus);
  CHECK(status["sealed"] == true);
  CHECK(status["kek_versions"].empty());
  CHECK(house.Facts(Operation::kKekStatus)[0]["held"] == false);
  CHECK(house.Ask(Operation::kListKeys, ListRequest{}.Encode()).has_value());
  CHECK(house.Ask(Operation::kShowProfile, EncodeText("ACME_DEFAULT")).has_value());
  // Nothing can be proved of a row, and so nothing is held against it.
  const auto intact = [&] { return house.Facts(Operation::kShowKey, EncodeText("ACME/anthropic/default/1"))["intact"]; };
  CHECK(intact().is_null());
  REQUIRE(house.Unseal().has_value());
  CHECK(intact() == true);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(RefusalOf(house.Unseal().error()) == Refusal::kNotSealed);
}

TEST_CASE("seal: a release that was decided before the seal and has not left does not leave", "[seal]") {
  Sealable house;
  auto reply = house.Resolve("ACME", "ACME_DEFAULT");
  REQUIRE(reply.has_value());
  house.Seal();
  const auto opened = reply->open_secret();
  REQUIRE_FALSE(opened.has_value());
  CHECK(RefusalOf(opened.error()) == Refusal::kSealed);
}

TEST_CASE("seal: a vault whose KEK is not there opens sealed, and unseal takes it once it is back", "[seal]") {
  Sealable house;
  house.Stop();
  fs::rename(house.File(), house.home() + "/away.key");
  SECTION("no KEK at all") {}
  SECTION("no directory of them") { fs::remove(house.home() + "/kek"); }
  SECTION("another version only") { REQUIRE(KekFile::Create(house.home() + "/kek/7.key").has_value()); }
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kSealed);
  CHECK(RefusalOf(house.Unseal().error()) == Refusal::kUnsealFailed);
  CHECK(house.Last().draft.reason == "UNSEAL_FAILED");
  fs::create_directory(house.home() + "/kek");
  REQUIRE(KekFile::Create(house.File()).has_value());
  CHECK(RefusalOf(house.Unseal().error()) == Refusal::kUnsealFailed);  // not this vault's
  fs::rename(house.home() + "/away.key", house.File());
  REQUIRE(house.Unseal().has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("seal: what the file of stops lacks is added after the unseal, or before it", "[seal]") {
  Sealable house;
  REQUIRE(house.MoveKey("ACME/anthropic/default/1", "revoke").has_value());
  house.Stop();
  const std::string stops = house.home() + "/stops";
  fs::remove(stops);
  fs::rename(house.File(), house.home() + "/away.key");
  SECTION("by the row, which proves only then") { house.Edit("UPDATE AUDIT_LOG SET ACTION = 'get_rates' WHERE ACTION = 'move_key'"); }
  SECTION("by the trail, whose record needs no key") {}
  const bool by_trail = house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'move_key'") == "1";
  house.Start();
  const auto noted = [&stops] {
    std::ifstream file(stops);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    return text.find("REVOKED ACME/anthropic/default/1\n") != std::string::npos;
  };
  CHECK(noted() == by_trail);  // without keys no row proves
  fs::rename(house.home() + "/away.key", house.File());
  REQUIRE(house.Unseal().has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyRevoked);
  CHECK(noted());
}

TEST_CASE("seal: only an admin seals and unseals, with a reason", "[seal]") {
  Sealable house;
  const auto worker = static_cast<std::uint8_t>(Role::kWorker), auditor = static_cast<std::uint8_t>(Role::kAuditor);
  CHECK(house.RefusalFor(Operation::kSeal, EncodeText("x"), worker) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kSeal, EncodeText("x"), auditor) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kSeal, EncodeText(" ")) == Refusal::kReasonMissing);
  house.Seal();
  CHECK(house.RefusalFor(Operation::kUnseal, EncodeText("x"), worker) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kUnseal, EncodeText("")) == Refusal::kReasonMissing);
}

}  // namespace strongroom::vault
