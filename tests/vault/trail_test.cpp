// The trail as outsiders see it: its checkpoints, its anchor, and a database that is not the anchor's.
#include "vault/trail.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "audit/checkpoint.h"
#include "audit/tree.h"
#include "base/files.h"
#include "tests/vault/eventually.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

class Watched : public ServiceHouse {
 public:
  Watched() : ref(Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey)) {}

  std::string anchor() const { return home() + "/anchor"; }
  audit::Note Anchored() const { return audit::Anchor::Read(anchor()).value(); }
  audit::Note Published() const {
    return audit::Note::Parse(base::ReadFile(home() + "/checkpoints/checkpoint", 4096).value()).value();
  }
  // The key that the trail's first record told.
  audit::VerifierKey Key() {
    const auto database = Open();
    sql::Statement* row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 0").value();
    const auto entry = audit::Parse(base::AsText(row->Blob(0)));
    row->Reset();
    return audit::VerifierKey::Parse(entry->draft.after->at("verifier_key")).value();
  }
  // Vouches: signed by the vault, and the root of the records in the database.
  bool Vouches(const audit::Note& note) {
    if (audit::CheckSignature(note, Key()) != audit::Signed::kYes) return false;
    const auto checkpoint = audit::Checkpoint::Parse(note.text);
    if (!checkpoint || checkpoint->origin != Key().name) return false;
    const auto database = Open();
    audit::StoredTree tree(*database);
    return audit::EdgeAt(tree, checkpoint->head.size).value().head() == checkpoint->head;
  }
  std::int64_t SizeOf(const audit::Note& note) const { return audit::Checkpoint::Parse(note.text)->head.size; }
  void Restart() {
    Stop();
    Start();
  }
  nlohmann::json Status() {
    return nlohmann::json::parse(DecodeText(Ask(Operation::kStatus, {})->body).value());
  }
  std::int64_t Actions(const std::string& action) {
    return std::stoll(Value("SELECT CAST(COUNT(*) AS VARCHAR(20)) FROM AUDIT_LOG WHERE ACTION = ?1", {std::string_view(action)}));
  }
  // MustNotServe: no key leaves, no act is done, no head is signed.
  void MustNotServe() {
    CHECK(ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kDatabaseOlder);
    CHECK(MoveRefusal(ref, "suspend") == Refusal::kDatabaseOlder);
    CHECK(RefusalFor(Operation::kSignCheckpoint, {}) == Refusal::kDatabaseOlder);
  }
  const std::string ref;
};

TEST_CASE("trail: each durable record is under a signed head outside the database", "[trail]") {
  Watched house;
  REQUIRE(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  CHECK(house.SizeOf(house.Anchored()) == house.Records());
  CHECK(house.Vouches(house.Anchored()));
  house.Stop();
  CHECK(house.SizeOf(house.Anchored()) == house.Records());
  CHECK(house.Vouches(house.Anchored()));
}

TEST_CASE("trail: it is signed from its first record on", "[trail]") {
  Home home;
  home.Init();
  const auto note = audit::Anchor::Read(home.path + "/anchor");
  REQUIRE(note.has_value());
  const auto database = home.Open();
  sql::Statement* row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = 0").value();
  const auto entry = audit::Parse(base::AsText(row->Blob(0)));
  row->Reset();
  const auto key = audit::VerifierKey::Parse(entry->draft.after->at("verifier_key"));
  REQUIRE(key.has_value());
  CHECK(audit::CheckSignature(*note, *key) == audit::Signed::kYes);
  CHECK(audit::Checkpoint::Parse(note->text)->head.size == 1);
}

TEST_CASE("trail: who is given a key hears which records are under a checkpoint by then", "[trail]") {
  Watched house;
  const auto reply = house.Resolve("ACME", "ACME_DEFAULT");
  REQUIRE(reply.has_value());
  const auto answer = ResolveAnswer::Decode(reply->body);
  REQUIRE(answer.has_value());
  CHECK(answer->seq == house.Last().place.seq);
  CHECK(answer->trail_size == answer->seq + 1);
}

TEST_CASE("trail: checkpoints are published, the first of an hour under its name, the last at the stop", "[trail]") {
  Watched house;
  house.Configure("publish_seconds", "1");
  REQUIRE(Eventually([&] { return fs::exists(house.home() + "/checkpoints/checkpoint"); }));
  CHECK(house.Vouches(house.Published()));
  const std::int64_t size = house.SizeOf(house.Published());
  REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  CHECK(Eventually([&] { return house.SizeOf(house.Published()) > size; }));
  CHECK(Eventually([&] { return house.Status()["trail"]["published_size"] == house.Records(); }));
  house.Stop();
  CHECK(house.SizeOf(house.Published()) == house.Records());
  CHECK(house.Vouches(house.Published()));
  std::int64_t hourly = 0;
  for (const auto& entry : fs::directory_iterator(house.home() + "/checkpoints")) {
    if (entry.path().filename() == "checkpoint") continue;
    CHECK(entry.path().filename().string().starts_with("checkpoint-20"));
    CHECK(house.Vouches(audit::Note::Parse(base::ReadFile(entry.path(), 4096).value()).value()));
    ++hourly;
  }
  CHECK(hourly >= 1);
}

TEST_CASE("trail: a published checkpoint that was taken away is published again, without a new record", "[trail]") {
  Watched house;
  house.Configure("publish_seconds", "1");
  const std::string file = house.home() + "/checkpoints/checkpoint";
  REQUIRE(Eventually([&] { return fs::exists(file) && house.Status()["trail"]["published_size"] == house.Records(); }));
  const std::int64_t records = house.Records();
  fs::remove(file);
  CHECK(Eventually([&] { return fs::exists(file); }));
  fs::remove_all(house.home() + "/checkpoints");
  CHECK(Eventually([&] { return fs::exists(file); }));
  CHECK(house.Vouches(house.Published()));
  CHECK(house.Records() == records);
}

TEST_CASE("trail: a directory that cannot be written is told and keeps nothing else from going on", "[trail]") {
  Watched house;
  std::ofstream(house.home() + "/no-directory") << "a file";
  house.Configure("checkpoints", "\"no-directory/\"");
  CHECK(Eventually([&] { return house.Status()["trail"]["publishing_healthy"] == false; }));
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
}

TEST_CASE("trail: where nothing happens it has heartbeats", "[trail]") {
  Watched house;
  CHECK(house.Actions("heartbeat") == 0);
  house.Configure("heartbeat_seconds", "1");
  CHECK(Eventually([&] { return house.Actions("heartbeat") >= 2; }));
  CHECK(house.Last().draft.actor.role == "vaultd");
  house.Stop();
  CHECK(house.Actions("heartbeat") <= house.Records() - 5);
}

TEST_CASE("trail: while sealed its heads are unsigned, and signed once unsealed", "[trail]") {
  Watched house;
  REQUIRE(house.Ask(Operation::kSeal, EncodeText("a test")).has_value());
  REQUIRE(house.Ask(Operation::kNoteRead, EncodeText("search --key-ref X"), 4).has_value());
  CHECK(house.Last().draft.action == "read_trail");
  CHECK(house.Last().draft.purpose == "search --key-ref X");
  CHECK(house.Anchored().signatures.empty());
  CHECK(house.SizeOf(house.Anchored()) == house.Records());
  CHECK(house.RefusalFor(Operation::kSignCheckpoint, {}) == Refusal::kSealed);
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("a test")).has_value());
  CHECK(Eventually([&] { return house.Vouches(house.Anchored()); }));
  CHECK(house.SizeOf(house.Anchored()) == house.Records());
}

TEST_CASE("trail: an auditor is given the head that its own asking is under", "[trail]") {
  Watched house;
  const auto reply = house.Ask(Operation::kSignCheckpoint, {}, 4);
  REQUIRE(reply.has_value());
  const auto note = audit::Note::Parse(DecodeText(reply->body).value());
  REQUIRE(note.has_value());
  CHECK(house.Vouches(*note));
  CHECK(house.Last().draft.action == "sign_checkpoint");
  CHECK(house.SizeOf(*note) == house.Records());
  CHECK(house.RefusalFor(Operation::kSignCheckpoint, {}, 2) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kNoteRead, EncodeText(std::string(1001, 'x')), 4) == Refusal::kFieldInvalid);
  CHECK(house.RefusalFor(Operation::kNoteRead, EncodeText("two\nlines"), 4) == Refusal::kFieldInvalid);
}

TEST_CASE("trail: records beyond the anchor are kept, and their range is told", "[trail]") {
  Watched house;
  house.Stop();
  const std::int64_t anchored = house.Records();
  fs::copy_file(house.anchor(), house.home() + "/earlier");
  house.Start();
  REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  house.Stop();
  const std::int64_t records = house.Records();
  fs::rename(house.home() + "/earlier", house.anchor());
  house.Start();
  CHECK(house.Actions("recovered_tail") == 1);
  const auto database = house.Open();
  sql::Statement* row = database->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE ACTION = 'recovered_tail'").value();
  const auto entry = audit::Parse(base::AsText(row->Blob(0)));
  row->Reset();
  CHECK(entry->draft.after->at("from") == std::to_string(anchored));
  CHECK(entry->draft.after->at("to") == std::to_string(records - 1));
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
}

// RollBack puts yesterday's database in the place of today's, past vaultd.
void RollBack(Watched& house, const std::function<void()>& today) {
  house.Stop();
  fs::copy_file(house.home() + "/vault.db", house.home() + "/yesterday.db");
  house.Start();
  today();
  house.Stop();
  fs::rename(house.home() + "/yesterday.db", house.home() + "/vault.db");
  house.Start();
}

TEST_CASE("trail: a database that is older than the anchor serves nothing", "[trail][sqlite]") {
  Watched house;
  RollBack(house, [&] { REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value()); });
  house.MustNotServe();
  const std::int64_t anchored = house.SizeOf(house.Anchored());
  house.Restart();
  house.MustNotServe();
  // What is written meanwhile is no way around it.
  for (int i = 0; i < 20; ++i) house.ResolveRefusal("ACME", "ACME_DEFAULT");
  house.Restart();
  CHECK(house.Records() > anchored);
  house.MustNotServe();
}

TEST_CASE("trail: without its anchor, or with another's, it serves nothing", "[trail]") {
  Watched house;
  house.Stop();
  SECTION("deleted") { fs::remove(house.anchor()); }
  SECTION("signed by another vault") {
    const audit::Note ours = house.Anchored();
    std::string text = ours.Print();
    text[text.size() - 10] = text[text.size() - 10] == 'A' ? 'B' : 'A';
    std::string halves(2 * audit::Anchor::kHalfBytes, '\0');
    halves.replace(0, text.size(), text);
    REQUIRE(base::WriteFileAtomic(house.anchor(), halves, 0600).has_value());
  }
  SECTION("of another trail") {
    auto checkpoint = audit::Checkpoint::Parse(house.Anchored().text).value();
    checkpoint.head.root[0] ^= 1U;
    fs::remove(house.anchor());
    REQUIRE(audit::Anchor::Create(house.anchor(), checkpoint).has_value());
  }
  SECTION("of this trail, under a name that no record tells") {
    house.AnchorAs("strongroom/0123456789abcdef/audit");
    house.Start();
    CHECK(house.Status()["trail"]["anchor"] == "forged");
    house.Stop();
  }
  house.Start();
  house.MustNotServe();
}

TEST_CASE("trail: the database put back together with its anchor is still not what was published", "[trail][sqlite]") {
  Watched house;
  house.Stop();
  for (const char* part : {"/vault.db", "/anchor"}) fs::copy_file(house.home() + part, house.home() + part + ".yesterday");
  house.Start();
  REQUIRE(house.Resolve("ACME", "ACME_DEFAULT").has_value());
  house.Stop();
  const audit::Note published = house.Published();
  for (const char* part : {"/vault.db", "/anchor"}) fs::rename(house.home() + part + ".yesterday", house.home() + part);
  house.Start();
  house.MustNotServe();
  house.Stop();
  CHECK(house.Published().Print() == published.Print());
}

TEST_CASE("trail: while sealed the newest signed head stays in the anchor, and is held against the trail", "[trail][sqlite]") {
  Watched house;
  const audit::Note before = house.Anchored();
  REQUIRE(house.Ask(Operation::kSeal, EncodeText("a test")).has_value());
  for (int i = 0; i < 5; ++i) REQUIRE(house.Ask(Operation::kNoteRead, EncodeText("a question"), 4).has_value());
  const auto halves = audit::Anchor::ReadAll(house.anchor()).value();
  REQUIRE(halves.size() == 2);
  CHECK(halves[0].signatures.empty());
  CHECK(house.SizeOf(halves[0]) == house.Records());
  CHECK(house.Vouches(halves[1]));
  CHECK(house.SizeOf(halves[1]) >= house.SizeOf(before));
}

TEST_CASE("trail: an anchor that tells nothing serves nothing, and is made anew like a lost one", "[trail]") {
  Watched house;
  house.Stop();
  // The last is a checkpoint, of a log whose name no key can have.
  const std::string rubbish = GENERATE(std::string(), std::string(8192, 'x'),
                                       "a name\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" + std::string(8000, '\0'));
  REQUIRE(base::WriteFileAtomic(house.anchor(), rubbish, 0600).has_value());
  house.Start();
  house.MustNotServe();
  CHECK(house.Status()["trail"]["anchor"] == "forged");
  REQUIRE(house.Ask(Operation::kNewOrigin, EncodeText("the file was damaged")).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
}

TEST_CASE("trail: a database that was lost in part is taken as it is, under a new name", "[trail][sqlite]") {
  Watched house;
  const std::string other = house.Onboard("BARCO", "anthropic", "BARCO_DEFAULT", kBarcoKey);
  const audit::VerifierKey old_key = house.Key();
  CHECK(house.RefusalFor(Operation::kNewOrigin, EncodeText("a test")) == Refusal::kTrailSound);
  RollBack(house, [&] { REQUIRE(house.MoveKey(other, "revoke").has_value()); });
  house.MustNotServe();
  const audit::Note last = house.Anchored();
  SECTION("without a reason") {
    CHECK(house.RefusalFor(Operation::kNewOrigin, EncodeText("")) == Refusal::kReasonMissing);
    house.MustNotServe();
  }
  SECTION("with one") {
    REQUIRE(base::WriteFileAtomic(house.home() + "/anchor.before", "an older one", 0600));
    const auto reply = house.Ask(Operation::kNewOrigin, EncodeText("the disk was lost"));
    REQUIRE(reply.has_value());
    CHECK(base::ReadFile(house.home() + "/anchor.before-1", 100).value() == "an older one");
    const auto key = audit::VerifierKey::Parse(DecodeText(reply->body).value());
    REQUIRE(key.has_value());
    CHECK(key->name != old_key.name);
    CHECK(key->public_key == old_key.public_key);
    const audit::Entry record = house.Last();
    CHECK(record.draft.action == "new_origin");
    CHECK(record.draft.before->at("checkpoint") == last.text);
    CHECK(record.draft.after->at("verifier_key") == key->Print());
    for (int start = 0; start < 2; ++start) {
      CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
      CHECK(audit::CheckSignature(house.Anchored(), *key) == audit::Signed::kYes);
      CHECK(house.SizeOf(house.Anchored()) == house.Records());
      // The revoke was lost with the database; the file beside it remembers.
      CHECK(house.ResolveRefusal("BARCO", "BARCO_DEFAULT") == Refusal::kKeyTampered);
      CHECK(house.MoveKey(house.ref, "suspend").has_value());
      CHECK(house.MoveKey(house.ref, "resume").has_value());
      CHECK(house.RefusalFor(Operation::kNewOrigin, EncodeText("again")) == Refusal::kTrailSound);
      house.Restart();
    }
    CHECK(audit::Anchor::Read(house.home() + "/anchor.before")->text == last.text);
  }
}

TEST_CASE("trail: a lost anchor is made anew the same way", "[trail]") {
  Watched house;
  house.Stop();
  fs::remove(house.anchor());
  house.Start();
  house.MustNotServe();
  REQUIRE(house.Ask(Operation::kNewOrigin, EncodeText("the file was lost")).has_value());
  CHECK(house.Last().draft.before->at("checkpoint").empty());
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
  house.Restart();
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
}

TEST_CASE("trail: where one user is not everybody, a new origin needs two", "[trail]") {
  Watched house;
  house.Configure("single_user", "false");
  house.Stop();
  fs::remove(house.anchor());
  house.Start();
  constexpr uid_t kAda = 1001, kBen = 1002;
  const auto ask = [&] { return house.AskAs(kAda, Operation::kNewOrigin, EncodeText("the file was lost"), 1); };
  CHECK(RefusalOf(ask().error()) == Refusal::kTwoPeople);
  ProposeRequest propose;
  propose.operation = static_cast<std::int64_t>(Operation::kNewOrigin);
  propose.body = base::Hex(EncodeText("the file was lost"));
  const auto proposed = house.AskAs(kAda, Operation::kProposeAct, propose.Encode(), 1);
  REQUIRE(proposed.has_value());
  VerdictRequest verdict;
  verdict.approval_id = nlohmann::json::parse(DecodeText(proposed->body).value())["approval"].get<std::string>();
  verdict.reason = "seen";
  CHECK_FALSE(house.AskAs(kAda, Operation::kApproveAct, verdict.Encode(), 1).has_value());
  CHECK(RefusalOf(ask().error()) == Refusal::kTwoPeople);
  REQUIRE(house.AskAs(kBen, Operation::kApproveAct, verdict.Encode(), 1).has_value());
  REQUIRE(ask().has_value());
  CHECK(house.Last().draft.after->at("approved_by_uid") == std::to_string(kBen));
  CHECK(house.Opened("ACME", "ACME_DEFAULT") == std::string(kAcmeKey));
}

}  // namespace
}  // namespace strongroom::vault
