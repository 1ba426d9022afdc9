// A home that was put back releases nothing until it is finished, and keys can be stopped meanwhile.
#include "vault/quarantine.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "audit/anchor.h"
#include "audit/reader.h"
#include "audit/walk.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

struct Quarantined : ServiceHouse {
  Quarantined() {
    key_ref = Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Stop();
    manifest.vault_id = Value("SELECT VAULT_ID FROM VAULT");
    manifest.made_at = 1'790'000'000'000'000;
    manifest.epoch = 3;
    manifest.record = 7;
    Write(PrintManifest(manifest));
  }
  void Write(const std::string& text) const { std::ofstream(home() + "/quarantine", std::ios::trunc) << text; }
  static Bytes Finish() { return NoteRecoveryRequest{"finished", "nothing survived", "drill"}.Encode(); }
  std::string key_ref;
  Manifest manifest;
};

}  // namespace

TEST_CASE("quarantine: no resolve and no probe until it is finished", "[quarantine]") {
  Quarantined house;
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kQuarantined);
  CHECK(house.Last().draft.reason == "QUARANTINED");
  CHECK(house.Last().draft.key_ref == house.key_ref);
  CHECK(house.RefusalFor(Operation::kProbe, EncodeText(house.key_ref)) == Refusal::kQuarantined);
  CHECK(house.MoveKey(house.key_ref, "suspend").has_value());
  CHECK(house.MoveKey(house.key_ref, "resume").has_value());
  house.Stop();
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kQuarantined);
  const auto auditor = static_cast<std::uint8_t>(Role::kAuditor);
  CHECK(house.RefusalFor(Operation::kFinishRestore, Quarantined::Finish(), auditor) == Refusal::kNoRole);
  REQUIRE(house.Ask(Operation::kFinishRestore, Quarantined::Finish()).has_value());
  CHECK(house.Last().draft.after->at("backup_record") == "7");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  CHECK(house.RefusalFor(Operation::kFinishRestore, Quarantined::Finish()) == Refusal::kNotQuarantined);
  CHECK_FALSE(std::filesystem::exists(house.home() + "/quarantine"));
  house.Stop();
  house.Start();
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("quarantine: a file that is not a restore's, or another vault's, does not pass for none", "[quarantine]") {
  Quarantined house;
  SECTION("empty") { house.Write(""); }
  SECTION("another vault's") {
    house.manifest.vault_id = std::string(32, '0');
    house.Write(PrintManifest(house.manifest));
  }
  const auto opened = Service::Open(house.config());
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().text.find("quarantine") != std::string::npos);
}

TEST_CASE("quarantine: goes on where its file cannot be taken away", "[quarantine]") {
  Quarantined house;
  house.Start();
  // A directory in the file's place: unlink fails, for root too.
  std::filesystem::remove(house.home() + "/quarantine");
  std::filesystem::create_directory(house.home() + "/quarantine");
  const auto kept = house.Ask(Operation::kFinishRestore, Quarantined::Finish());
  REQUIRE(kept.has_value());
  CHECK(DecodeText(kept->body) == "kept");
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kQuarantined);
}

TEST_CASE("quarantine: a home that was put back and ended before it told its new name tells it at the next start", "[quarantine][trail][sqlite]") {
  Quarantined house;
  const std::string anchor = house.home() + "/anchor";
  const std::string before = audit::Anchor::Read(anchor)->text;
  std::filesystem::rename(anchor, anchor + ".before");
  const std::string name = "strongroom/" + house.manifest.vault_id + "/0123456789abcdef/audit";
  house.AnchorAs(name);
  for (int start = 0; start < 2; ++start) {
    house.Start();
    CHECK(house.Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = 'new_origin'") == "1");
    CHECK(house.Ask(Operation::kSignCheckpoint, {}, 4).has_value());
    house.Stop();
  }
  audit::Filter filter;
  filter.action = "new_origin";
  REQUIRE(audit::Search(*house.Open(), filter, [&](const audit::Entry& entry) {
            CHECK(entry.draft.before->at("checkpoint") == before);
            CHECK(audit::KeyNamedBy(entry)->name == name);
          }).has_value());
}

}  // namespace strongroom::vault
