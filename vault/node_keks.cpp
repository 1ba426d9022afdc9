#include "vault/node_keks.h"

#include <utility>

#include "audit/record.h"
#include "vault/cipher.h"
#include "vault/kek_acts.h"
#include "vault/operations.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

// Under the key that also makes profile MACs, from which these texts keep them apart.
constexpr std::string_view kKeyDomain = "strongroom/node-key/v1", kJoinDomain = "strongroom/node-join/v1",
                           kKekDomain = "strongroom/node-kek/v1";

}  // namespace

Result<Bytes> NodeKeks::MacOf(const NodeKeyRow& row) const {
  base::ByteWriter writer;
  writer.Field(kKeyDomain).Field(vault_id_).Field(row.node_id).Field(row.public_key);
  return Cipher::Mac(keys_.profile_key->View(), writer.bytes());
}

Result<Bytes> NodeKeks::JoinMacOf(const NodeKeyRow& row, ByteView phrase_secret) const {
  base::ByteWriter writer;
  writer.Field(kJoinDomain).Field(vault_id_).Field(row.node_id).Field(row.public_key).Field(phrase_secret);
  return Cipher::Mac(keys_.profile_key->View(), writer.bytes());
}

Result<Bytes> NodeKeks::MacOf(const KekForNodeRow& row, ByteView public_key) const {
  base::ByteWriter writer;
  writer.Field(kKekDomain).Field(vault_id_).Field(row.node_id).I64(row.kek_version).Field(public_key).Field(row.sealed);
  return Cipher::Mac(keys_.profile_key->View(), writer.bytes());
}

Result<NodeKeyRow> NodeKeks::MakeRow(const std::string& node, ByteView public_key, ByteView phrase_secret) const {
  NodeKeyRow row;
  row.node_id = node;
  row.public_key.assign(public_key.begin(), public_key.end());
  TRY_ASSIGN(row.vault_mac, MacOf(row));
  TRY_ASSIGN(row.join_mac, JoinMacOf(row, phrase_secret));
  return row;
}

// Whoever can write the database can make a removed node a member again, with the key that was confirmed once. Its removal is
// in the chain of the trail.
Result<std::set<std::string>> NodeKeks::Removed() const {
  std::set<std::string> removed;
  TRY(store_.EachRemoval([&removed](const audit::Entry& entry) {
    if (!entry.draft.after) return;
    const auto fact = entry.draft.after->find("node");
    if (fact != entry.draft.after->end()) removed.insert(fact->second);
  }));
  return removed;
}

Result<void> NodeKeks::SealTo(const NodeKeyRow& key, std::int64_t version, const Kek& kek) const {
  KekForNodeRow row;
  row.node_id = key.node_id;
  row.kek_version = version;
  auto sealed = SealedBox::SealTo(key.public_key, kek.View());
  // A key that nothing can be sealed to is nobody's.
  if (!sealed && sealed.error().code() == Code::kInvalidArgument) return Refuse(Refusal::kNodeKeyTampered);
  if (!sealed) return std::unexpected(sealed.error());
  row.sealed = std::move(*sealed);
  TRY_ASSIGN(row.vault_mac, MacOf(row, key.public_key));
  return store_.PutKekForNode(row);
}

Result<void> NodeKeks::Confirm(const std::string& node, const CheckPhrase& phrase) const {
  TRY_ASSIGN(const auto stated, store_.FindNodeKey(node));
  TRY_ASSIGN(const std::set<std::string> removed, Removed());
  if (!stated || removed.contains(node)) return Refuse(Refusal::kNodeKeyTampered);
  if (!phrase.IsOf(vault_id_, node, stated->public_key)) return Refuse(Refusal::kNodePhraseWrong);
  TRY_ASSIGN(const NodeKeyRow key, MakeRow(node, stated->public_key, phrase.secret));
  TRY(store_.PutNodeKey(key));
  // What it said it held, it may have lost: that can be why it is confirmed again.
  TRY(store_.ForgetNodeKeks(node));
  TRY(store_.EraseKeksFor(node));
  for (const auto& [version, kek] : keys_.keyring.keks()) TRY(SealTo(key, version, *kek));
  return {};
}

Result<bool> NodeKeks::Publish(const std::string& node, const NodeKey& key, bool& differed) const {
  TRY_ASSIGN(const NodeKeyRow row, MakeRow(node, key.public_key(), key.Phrase(vault_id_, node).secret));
  TRY_ASSIGN(const auto stated, store_.FindNodeKey(node));
  const bool same = stated && stated->public_key == row.public_key && Cipher::Equal(stated->vault_mac, row.vault_mac) &&
                    Cipher::Equal(stated->join_mac, row.join_mac);
  differed = stated && !same && !stated->vault_mac.empty();
  if (same) return false;
  TRY(store_.PutNodeKey(row));
  return true;
}

Result<void> NodeKeks::SealToAll(std::string_view self, std::int64_t version, const Kek& kek) const {
  TRY_ASSIGN(const std::vector<NodeRow> nodes, store_.ListNodes());
  TRY_ASSIGN(const std::set<std::string> removed, Removed());
  for (const NodeRow& node : nodes) {
    if (node.node_id == self || node.status != kNodeMember) continue;
    TRY_ASSIGN(const auto key, store_.FindNodeKey(node.node_id));
    // One that nobody has confirmed gets nothing, and activating says that it lacks the version.
    if (!key || key->vault_mac.empty()) continue;
    TRY_ASSIGN(const Bytes mac, MacOf(*key));
    if (!Cipher::Equal(mac, key->vault_mac) || removed.contains(node.node_id)) return Refuse(Refusal::kNodeKeyTampered);
    TRY(SealTo(*key, version, kek));
  }
  return {};
}

Result<void> NodeKeks::CheckJoined(const std::string& node, const NodeKey& key) const {
  TRY_ASSIGN(const auto stated, store_.FindNodeKey(node));
  if (!stated || stated->public_key != key.public_key()) return Refuse(Refusal::kNodeKeyTampered);
  TRY_ASSIGN(const Bytes mac, JoinMacOf(*stated, key.Phrase(vault_id_, node).secret));
  if (!Cipher::Equal(mac, stated->join_mac)) return Refuse(Refusal::kNodeKeyTampered);
  return {};
}

Result<void> NodeKeks::CheckSealed(const KekForNodeRow& row, ByteView public_key) const {
  TRY_ASSIGN(const Bytes mac, MacOf(row, public_key));
  if (!Cipher::Equal(mac, row.vault_mac)) return Refuse(Refusal::kNodeKekTampered);
  return {};
}

bool CarriesWraps(const KekRow& row) {
  return row.status == kKekPrepared || row.status == kKekActive || row.status == kKekRetiring;
}

Result<void> CheckHoldsAll(Store& store, const VaultKeys& keys) {
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  for (const KekRow& row : rows) {
    const bool dead = row.status == kKekPrepared && row.version < keys.wrap_version;
    if (CarriesWraps(row) && !dead && !keys.keyring.Find(row.version)) return Refuse(Refusal::kKekMissing);
  }
  return {};
}

}  // namespace strongroom::vault
