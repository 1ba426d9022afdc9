// NodeKeks: KEK versions on their way to the nodes that share a vault, each sealed to its node's public key.
//
// Nothing says of a sealed box who sealed it, and a public key in a table can be exchanged: so a node's key and each sealed
// KEK carry a MAC under a key of the vault's own, which whoever holds a KEK can check. Which KEK is sealed, to which key
// and for whom, is in it: another node's box, or another version's, is not taken for one's own. A node that holds no KEK yet
// has no such key. It opens what was sealed to it, gets that key with the KEK, and then demands JOIN_MAC, which only
// somebody can have made who held the vault's key and was given the node's check phrase (vault/node_key.h).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "vault/node_key.h"
#include "vault/store.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

class NodeKeks {
 public:
  NodeKeks(std::string_view vault_id, const VaultKeys& keys, Store& store)
      : vault_id_(vault_id), keys_(keys), store_(store) {}

  // Confirm puts the vault's MACs on the key that a node has stated, and seals every KEK that is held to it; what lay there for
  // the node before goes. kNodePhraseWrong where the phrase is not of that key, kNodeKeyTampered where the node states no
  // key, or was removed.
  Result<void> Confirm(const std::string& node, const CheckPhrase& phrase) const;
  // Publish states this node's own key, with its MACs: it holds a KEK, and is confirmed by that. False where that was so
  // already; `differed` says whether another key stood there with some MAC.
  Result<bool> Publish(const std::string& node, const NodeKey& key, bool& differed) const;
  // SealToAll seals one version to each member with a confirmed key, save `self`. kNodeKeyTampered where a key's row is not
  // vaultd's own, or its node was removed.
  Result<void> SealToAll(std::string_view self, std::int64_t version, const Kek& kek) const;

  // CheckJoined is kNodeKeyTampered unless the vault of `keys` was told this node's phrase when its key was confirmed.
  Result<void> CheckJoined(const std::string& node, const NodeKey& key) const;
  // CheckSealed is kNodeKekTampered unless vaultd has sealed this for this key and the row's node and version.
  Result<void> CheckSealed(const KekForNodeRow& row, ByteView public_key) const;

 private:
  Result<NodeKeyRow> MakeRow(const std::string& node, ByteView public_key, ByteView phrase_secret) const;
  Result<Bytes> MacOf(const NodeKeyRow& row) const;
  Result<Bytes> JoinMacOf(const NodeKeyRow& row, ByteView phrase_secret) const;
  Result<Bytes> MacOf(const KekForNodeRow& row, ByteView public_key) const;
  Result<std::set<std::string>> Removed() const;
  Result<void> SealTo(const NodeKeyRow& key, std::int64_t version, const Kek& kek) const;

  const std::string_view vault_id_;
  const VaultKeys& keys_;
  Store& store_;
};

// CarriesWraps is whether a KEK version in this state may have to open something: PREPARED, ACTIVE or RETIRING.
bool CarriesWraps(const KekRow& row);

// CheckHoldsAll is kKekMissing where a version that may have to open something is not held. A PREPARED one below the ACTIVE
// one can never be activated any more, and does not count.
Result<void> CheckHoldsAll(Store& store, const VaultKeys& keys);

}  // namespace strongroom::vault
