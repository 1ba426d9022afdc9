// KEKs on their way to a node: what is sealed to whom, and what of an edited database a node does not take up.
#include "vault/node_keks.h"

#include <filesystem>

#include "base/files.h"
#include "tests/vault/service_house.h"
#include "vault/kek_file.h"
#include "vault/node_id.h"
#include "vault/open_vault.h"
#include "vault/sealed_box.h"
#include "vault/take_keks.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOther = "00112233445566ff";

Bytes Version(std::int64_t version) {
  KekRequest request;
  request.version = version;
  request.reason = "yearly";
  return request.Encode();
}

// A count as ServiceHouse::Value has it, which is nothing for none.
std::int64_t Number(const std::string& value) { return value.empty() ? 0 : std::stoll(value); }

// Guest is a house, and another node that has joined its vault: its row and its key, without its vaultd.
struct Guest : ServiceHouse {
  Guest() : vault_id(Value("SELECT VAULT_ID FROM VAULT")), key(Key()) {
    Edit("INSERT INTO NODE (NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT) VALUES (?1, 'other', 'JOINING', '', "
         "0, 0, 0)",
         {kOther});
    const auto database = Open();
    REQUIRE(Store(*database).PutNodeKey({kOther, key.public_key(), {}, {}}).has_value());
  }
  NodeKey Key() const {
    REQUIRE(base::CreateDirectory(home() + "/other", 0700).has_value());
    auto made = NodeKey::Open(home() + "/other");
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  Bytes Request(const CheckPhrase& phrase) const { return ConfirmNodeRequest{kOther, phrase.Print(), "a third host"}.Encode(); }
  void Confirm() {
    const auto reply = Ask(Operation::kConfirmNode, Request(key.Phrase(vault_id, kOther)));
    if (!reply) FAIL(RefusalName(RefusalOf(reply.error())));
  }
  std::int64_t Sealed(std::int64_t version) {
    return Number(Value("SELECT COUNT(*) FROM KEK_FOR_NODE WHERE NODE_ID = ?1 AND KEK_VERSION = ?2", {kOther, version}));
  }
  void CheckOpens(std::int64_t version) {
    const auto database = Open();
    const auto rows = Store(*database).ListKeksForNode(kOther);
    REQUIRE(rows.has_value());
    const auto row = std::ranges::find(*rows, version, &KekForNodeRow::kek_version);
    REQUIRE(row != rows->end());
    const auto opened = SealedBox::OpenSealed(key.private_key(), key.public_key(), row->sealed);
    const auto file = KekFile::Read(home() + "/kek/" + std::to_string(version) + ".key");
    REQUIRE(opened.has_value());
    REQUIRE(file.has_value());
    CHECK(SecretProbe::Copy(opened->View()) == SecretProbe::Copy(file->View()));
  }
  const std::string vault_id;
  const NodeKey key;
};

// Arrival is a vault whose own node is sent KEKs: loaded without the service, so that nothing is taken up but by Take.
struct Arrival {
  Arrival() {
    REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
    house.Stop();
    Load();
    Send(*vault->held.Get(), Key().Phrase(vault->vault_id, vault->node_id));
  }
  NodeKey Key() const { return std::move(*NodeKey::Open(house.home())); }
  std::string Path(const std::string& name) const { return house.home() + "/kek/" + name; }
  bool IsFile(const std::string& name) const { return fs::exists(Path(name)); }
  void Load() {
    vault.reset();
    house.Edit("UPDATE NODE SET BOOT = ''");
    auto loaded = LoadVault(house.config());
    if (!loaded) FAIL(loaded.error().text);
    vault = std::move(*loaded);
    database = house.Open();
  }
  // Send is what another node does at a confirmation: with keys and a phrase that may be a stranger's.
  void Send(const VaultKeys& keys, const CheckPhrase& phrase) {
    Store store(*database);
    REQUIRE(store.PutNodeKey({vault->node_id, Key().public_key(), {}, {}}).has_value());
    REQUIRE(NodeKeks(vault->vault_id, keys, store).Confirm(vault->node_id, phrase).has_value());
  }
  // Lose takes the files of KEK versions away, and loads the vault without them.
  void Lose(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      fs::copy_file(Path(name), house.home() + "/" + name, fs::copy_options::overwrite_existing);
      fs::remove(Path(name));
    }
    Load();
  }
  void CheckSame(const std::string& name) const {
    const auto was = KekFile::Read(house.home() + "/" + name), is = KekFile::Read(Path(name));
    REQUIRE(was.has_value());
    REQUIRE(is.has_value());
    CHECK(SecretProbe::Copy(was->View()) == SecretProbe::Copy(is->View()));
  }
  Result<std::string> Take() {
    const NodeKey key = Key();
    const auto act = MakeTakeKeks(*vault, key);
    act->Prepare();
    meanwhile();
    Store store(*database);
    REQUIRE(database->Begin().has_value());
    audit::Draft record;
    if (const auto decided = act->Decide(store, base::WallMicros(), record); !decided) {
      REQUIRE(database->Rollback().has_value());
      return std::unexpected(decided.error());
    }
    REQUIRE(database->Commit().has_value());
    audit::Receipt receipt;
    static_cast<void>(act->Answer(receipt));
    return record.after->at("kek_versions");
  }
  Refusal TakeRefusal() {
    const auto taken = Take();
    REQUIRE_FALSE(taken.has_value());
    CHECK(Waiting() == 2);
    return RefusalOf(taken.error());
  }
  std::int64_t Waiting() { return Number(house.Value("SELECT COUNT(*) FROM KEK_FOR_NODE")); }

  ServiceHouse house;
  std::unique_ptr<OpenVault> vault;
  std::unique_ptr<sql::Database> database;
  std::function<void()> meanwhile = [] {};  // between what is prepared and what is decided
};

}  // namespace

TEST_CASE("nodes: a confirmed node is sent every KEK, and each later one", "[nodes]") {
  Guest house;
  house.Confirm();
  CHECK(house.Last().draft.after->at("kek_versions") == "1");
  house.CheckOpens(1);
  REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  house.CheckOpens(2);
  // Confirmed again, it is sent all of it anew.
  house.Edit("DELETE FROM KEK_FOR_NODE");
  house.Edit("INSERT INTO NODE_KEK (NODE_ID, KEK_VERSION) VALUES (?1, 2)", {kOther});
  house.Confirm();
  house.CheckOpens(1);
  house.CheckOpens(2);
  CHECK(Number(house.Value("SELECT COUNT(*) FROM NODE_KEK WHERE NODE_ID = ?1", {kOther})) == 0);
}

TEST_CASE("nodes: a phrase that is not of the key in the database confirms nothing", "[nodes]") {
  Guest house;
  const CheckPhrase right = house.key.Phrase(house.vault_id, kOther);
  SECTION("another secret") {
    CheckPhrase wrong = right;
    wrong.secret[0] ^= 1;
    CHECK(house.RefusalFor(Operation::kConfirmNode, house.Request(wrong)) == Refusal::kNodePhraseWrong);
  }
  SECTION("no phrase") {
    const Bytes body = ConfirmNodeRequest{kOther, "", "why"}.Encode();
    CHECK(house.RefusalFor(Operation::kConfirmNode, body) == Refusal::kNodePhraseWrong);
  }
  SECTION("a stranger's key in the node's place") {
    const auto stranger = SealedBox::Generate();
    house.Edit("UPDATE NODE_KEY SET PUBLIC_KEY = ?1 WHERE NODE_ID = ?2", {ByteView(stranger->public_key), kOther});
    CHECK(house.RefusalFor(Operation::kConfirmNode, house.Request(right)) == Refusal::kNodePhraseWrong);
  }
  SECTION("the phrase of another node") {
    CHECK(house.RefusalFor(Operation::kConfirmNode, house.Request(house.key.Phrase(house.vault_id, "ff"))) ==
          Refusal::kNodePhraseWrong);
  }
  CHECK(house.Last().draft.reason == "NODE_PHRASE_WRONG");
  CHECK(house.Value("SELECT STATUS FROM NODE WHERE NODE_ID = ?1", {kOther}) == "JOINING");
  CHECK(house.Sealed(1) == 0);
}

TEST_CASE("nodes: no KEK is sealed to a key that was changed after it was confirmed, nor to a removed node", "[nodes]") {
  Guest house;
  SECTION("a stranger's key") {
    house.Confirm();
    const auto stranger = SealedBox::Generate();
    house.Edit("UPDATE NODE_KEY SET PUBLIC_KEY = ?1 WHERE NODE_ID = ?2", {ByteView(stranger->public_key), kOther});
    CHECK(house.RefusalFor(Operation::kPrepareKek, Version(0)) == Refusal::kNodeKeyTampered);
    CHECK(house.Last().draft.reason == "NODE_KEY_TAMPERED");
    CHECK(house.Value("SELECT COUNT(*) FROM KEK") == "1");
  }
  SECTION("a member that nobody has confirmed") {
    house.Edit("UPDATE NODE SET STATUS = 'MEMBER' WHERE NODE_ID = ?1", {kOther});
    REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  }
  SECTION("removed, and its rows put back") {
    house.Confirm();
    const auto database = house.Open();
    const auto row = Store(*database).FindNodeKey(kOther);
    REQUIRE(row->has_value());
    REQUIRE(house.Ask(Operation::kRemoveNode, NodeRequest{kOther, "gone"}.Encode()).has_value());
    CHECK(house.Sealed(1) == 0);
    CHECK(Number(house.Value("SELECT COUNT(*) FROM NODE_KEY WHERE NODE_ID = ?1", {kOther})) == 0);
    house.Edit("UPDATE NODE SET STATUS = 'MEMBER' WHERE NODE_ID = ?1", {kOther});
    REQUIRE(Store(*database).PutNodeKey(**row).has_value());
    CHECK(house.RefusalFor(Operation::kPrepareKek, Version(0)) == Refusal::kNodeKeyTampered);
    house.Edit("UPDATE NODE SET STATUS = 'JOINING' WHERE NODE_ID = ?1", {kOther});
    CHECK(house.RefusalFor(Operation::kConfirmNode, house.Request(house.key.Phrase(house.vault_id, kOther))) ==
          Refusal::kNodeKeyTampered);
  }
  CHECK(house.Sealed(2) == 0);
}

TEST_CASE("nodes: a node without a version that is in use neither confirms nor makes a recovery set", "[nodes]") {
  Guest house;
  house.Edit("INSERT INTO KEK (KEK_VERSION, CHECK_VALUE, STATUS, CREATED_AT, CHANGED_AT) SELECT 2, CHECK_VALUE, 'PREPARED', 0, 0 "
             "FROM KEK WHERE KEK_VERSION = 1");
  const Bytes confirm = house.Request(house.key.Phrase(house.vault_id, kOther));
  CHECK(house.RefusalFor(Operation::kConfirmNode, confirm) == Refusal::kKekMissing);
  const auto pair = SealedBox::Generate();
  PutRecoveryRequest set;
  set.public_key = base::Hex(pair->public_key);
  set.threshold = 2;
  set.digests = {std::string(64, '0'), std::string(64, '1')};
  set.reason = "yearly";
  CHECK(house.RefusalFor(Operation::kPutRecovery, set.Encode()) == Refusal::kKekMissing);
  house.Edit("DELETE FROM KEK WHERE KEK_VERSION = 2");
  CHECK(house.Ask(Operation::kPutRecovery, set.Encode()).has_value());
}

TEST_CASE("nodes: a node without a KEK takes up what was sent by whoever knew its phrase", "[nodes]") {
  Arrival node;
  node.Lose({"1.key", "2.key"});
  REQUIRE(node.vault->sealed());
  CHECK(node.Take().value() == "1,2");
  CHECK(node.Waiting() == 0);
  node.CheckSame("1.key");
  node.CheckSame("2.key");
  CHECK_FALSE(node.vault->sealed());
  CHECK(node.house.Value("SELECT COUNT(*) FROM NODE_KEK") == "2");
  node.Load();
  CHECK_FALSE(node.vault->sealed());
}

TEST_CASE("nodes: a node that has a KEK takes up another under its own protectors, and twice is as good as once", "[nodes]") {
  Arrival node;
  SECTION("it has the older one") {
    node.Lose({"2.key"});
    CHECK(node.Take().value() == "2");
    node.CheckSame("2.key");
  }
  SECTION("killed before it could say so") { CHECK(node.Take().value().empty()); }
  SECTION("killed between two files of its first") {
    node.Lose({"1.key", "2.key"});
    fs::copy_file(node.house.home() + "/1.key", node.Path("1.key"));
    node.Load();
    CHECK(node.Take().value() == "2");
    node.CheckSame("2.key");
  }
  CHECK(node.Waiting() == 0);
  CHECK(node.vault->held.Get()->keyring.keks().size() == 2);
}

TEST_CASE("nodes: what is taken up is not written over another KEK's file", "[nodes]") {
  Arrival node;
  node.Lose({"2.key"});
  const auto other = KekFile::Create(node.Path("2.key"));
  REQUIRE(other.has_value());
  CHECK(node.TakeRefusal() == Refusal::kKekFile);
  const auto left = KekFile::Read(node.Path("2.key"));
  REQUIRE(left.has_value());
  CHECK(SecretProbe::Copy(left->View()) == SecretProbe::Copy(other->View()));
  fs::remove(node.Path("2.key"));
  CHECK(node.Take().value() == "2");
  node.CheckSame("2.key");
}

TEST_CASE("nodes: what is other than when it was prepared is taken up another time", "[nodes]") {
  Arrival node;
  node.Lose({"2.key"});
  SECTION("sent anew") {
    node.meanwhile = [&] { node.Send(*node.vault->held.Get(), node.Key().Phrase(node.vault->vault_id, node.vault->node_id)); };
  }
  SECTION("unsealed anew") {
    node.meanwhile = [&] { node.vault->held.Put(std::make_shared<const VaultKeys>(*node.vault->held.Get())); };
  }
  const auto taken = node.Take();
  REQUIRE_FALSE(taken.has_value());
  CHECK(RefusalOf(taken.error()) == Refusal::kConflict);
  CHECK_FALSE(node.IsFile("2.key"));
  node.meanwhile = [] {};
}

TEST_CASE("nodes: a sealed node takes nothing up", "[nodes]") {
  Arrival node;
  node.vault->held.Put(nullptr);
  CHECK(node.TakeRefusal() == Refusal::kSealed);
}

TEST_CASE("nodes: what was changed on its way is not taken up", "[nodes]") {
  Arrival node;
  const bool fresh = GENERATE(false, true);
  node.Lose(fresh ? std::vector<std::string>{"1.key", "2.key"} : std::vector<std::string>{"2.key"});
  Store store(*node.database);
  const std::vector<KekForNodeRow> sent = store.ListKeksForNode(node.vault->node_id).value();
  REQUIRE(sent.size() == 2);
  SECTION("a changed bit") {
    KekForNodeRow row = sent[1];
    row.sealed[60] ^= 1;
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  SECTION("a changed MAC") {
    KekForNodeRow row = sent[1];
    row.vault_mac[0] ^= 1;
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  SECTION("another version's") {
    KekForNodeRow row = sent[0];
    row.kek_version = 2;
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  SECTION("another node's") {
    const auto pair = SealedBox::Generate();
    const auto kek = KekFile::Read(node.house.home() + "/2.key");
    KekForNodeRow row = sent[1];
    row.sealed = *SealedBox::SealTo(pair->public_key, kek->View());
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  SECTION("the right KEK, sealed by somebody without the vault's key") {
    const auto kek = KekFile::Read(node.house.home() + "/2.key");
    KekForNodeRow row = sent[1];
    row.sealed = *SealedBox::SealTo(node.Key().public_key(), kek->View());
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  SECTION("another KEK") {
    const auto kek = Kek::Generate();
    KekForNodeRow row = sent[1];
    row.sealed = *SealedBox::SealTo(node.Key().public_key(), kek->View());
    REQUIRE(store.PutKekForNode(row).has_value());
  }
  CHECK(node.TakeRefusal() == Refusal::kNodeKekTampered);
  CHECK_FALSE(node.IsFile("2.key"));
  CHECK(node.IsFile("1.key") != fresh);
}

TEST_CASE("nodes: a node without a KEK does not take a stranger's vault for its own", "[nodes]") {
  Arrival node;
  node.Lose({"1.key", "2.key"});
  Store store(*node.database);
  node.house.Edit("DELETE FROM KEK_FOR_NODE");
  node.house.Edit("DELETE FROM NODE_KEK");
  node.house.Edit("DELETE FROM KEK WHERE KEK_VERSION = 2");
  // A stranger who can write the database, and has not heard the phrase, makes KEK and vault keys of their own.
  VaultKeys theirs;
  theirs.wrap_version = 1;
  theirs.keyring.Add(1, std::move(*Kek::Generate()));
  const auto kek = theirs.keyring.Find(1).value();
  const Bytes check_value = CheckValue(*kek).value();
  node.house.Edit("UPDATE KEK SET CHECK_VALUE = ?1", {ByteView(check_value)});
  for (const std::string_view name : {kProfileMacSecret, kFingerprintSecret, kApprovalMacSecret, kTrailKeySecret}) {
    auto key = MacKey::Generate();
    const auto wrapped = WrapMacKey(*kek, 1, node.vault->vault_id, name, *key);
    REQUIRE(store.UpdateSecret(name, *wrapped, 1).has_value());
    if (name == kTrailKeySecret) {
      const auto pair = TrailKey::Of(key->View());
      node.house.Edit("UPDATE VAULT SET TRAIL_PUBLIC_KEY = ?1", {ByteView(pair->public_key())});
      node.house.Edit("UPDATE NODE SET VERIFIER_KEY = ''");  // what this node has said of its own log
    }
    if (name == kProfileMacSecret) theirs.profile_key = std::make_shared<const MacKey>(std::move(*key));
  }
  const Bytes guessed(10, 0);
  node.Send(theirs, CheckPhrase::Make(node.vault->vault_id, node.vault->node_id, node.Key().public_key(), guessed));
  const auto taken = node.Take();
  REQUIRE_FALSE(taken.has_value());
  CHECK(RefusalOf(taken.error()) == Refusal::kNodeKeyTampered);
  CHECK_FALSE(node.IsFile("1.key"));
  CHECK(node.vault->sealed());
}

}  // namespace strongroom::vault
