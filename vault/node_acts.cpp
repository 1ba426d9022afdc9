// Acts and facts about nodes: who serves this vault, and who may.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "vault/field_rules.h"
#include "vault/node_keks.h"
#include "vault/operations.h"
#include "vault/trail_rotation.h"

namespace strongroom::vault {
namespace {

// NodeAct is an act on one node.
template <typename Request>
class NodeAct : public Act {
 public:
  NodeAct(OpenVault& vault, Request request) : vault_(vault), request_(std::move(request)) {}
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 protected:
  // Find is the node's row; the record tells what it was.
  Result<NodeRow> Find(Store& store, audit::Draft& record) const {
    record.before = audit::Facts{{"node", request_.node_id}};
    TRY(TakeReason(request_.reason, record));
    TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
    const auto row = std::ranges::find(nodes, request_.node_id, &NodeRow::node_id);
    if (row == nodes.end()) return Refuse(Refusal::kNodeUnknown);
    (*record.before)["status"] = row->status;
    (*record.before)["host"] = row->host;
    return *row;
  }
  audit::Facts After(std::string_view status) const { return {{"node", request_.node_id}, {"status", std::string(status)}}; }

  OpenVault& vault_;
  const Request request_;
};

// A member is confirmed again where its KEKs or its row were lost: they are sent anew.
class ConfirmNode final : public NodeAct<ConfirmNodeRequest> {
 public:
  using NodeAct::NodeAct;
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY_ASSIGN(const NodeRow row, Find(store, record));
    // This one needs nobody's word, and nobody can send it what it holds.
    if (row.node_id == vault_.node_id) return Refuse(Refusal::kFieldInvalid);
    if (row.status == kNodeRemoved) return Refuse(Refusal::kNodeUnknown);
    const auto phrase = CheckPhrase::Parse(request_.phrase);
    if (!phrase) return Refuse(Refusal::kNodePhraseWrong);
    TRY_ASSIGN(const auto keys, vault_.Keys());
    TRY(CheckHoldsAll(store, *keys));
    TRY(NodeKeks(vault_.vault_id, *keys, store).Confirm(row.node_id, *phrase));
    if (row.status != kNodeMember) TRY(store.MoveNode(row.node_id, row.status, kNodeMember));
    record.after = After(kNodeMember);
    (*record.after)["kek_versions"] = VersionsOf(keys->keyring);
    return {};
  }
};

// Its lease is not renewed from the commit on; the answer comes once it has run out.
class RemoveNode final : public NodeAct<NodeRequest> {
 public:
  using NodeAct::NodeAct;
  bool fenced() const override { return true; }
  // EraseTrailKeys: nothing is signed as this node any more.
  Result<void> EraseTrailKeys(Store& store, std::string_view node) const {
    const TrailSecrets names = TrailSecretsOf(vault_.config, node);
    for (const std::string& name : {names.own, names.before}) {
      TRY_ASSIGN(const auto row, store.FindSecret(name));
      if (row) TRY(store.EraseSecret(name));
    }
    const auto keys = vault_.held.Get();
    return keys ? ReplaceUnusedKey(vault_, store, *keys) : Result<void>();
  }
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    // This one would cut off the branch it sits on.
    if (request_.node_id == vault_.node_id) return Refuse(Refusal::kFieldInvalid);
    TRY_ASSIGN(const NodeRow row, Find(store, record));
    if (row.status != kNodeMember) return Refuse(Refusal::kNodeUnknown);
    TRY(store.MoveNode(row.node_id, kNodeMember, kNodeRemoved));
    TRY(store.EraseKeksFor(row.node_id));
    TRY(store.EraseNodeKey(row.node_id));
    TRY(EraseTrailKeys(store, row.node_id));
    TRY_ASSIGN(new_epoch, store.MoveEpoch());
    record.after = After(kNodeRemoved);
    return {};
  }
};

template <typename T, typename Request>
MadeAct MakeNodeAct(OpenVault& vault, ByteView body) {
  TRY_ASSIGN(Request request, Request::Decode(body));
  return std::make_unique<T>(vault, std::move(request));
}

}  // namespace

Result<Bytes> ListNodes(OpenVault& vault, Store& store, ByteView body) {
  if (!body.empty()) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
  TRY_ASSIGN(const VaultRow row, store.FindVault());
  TRY_ASSIGN(auto keks, store.ListNodeKeks());
  TRY_ASSIGN(const std::vector<KekForNodeRow> sealed, store.ListKeksForNode(""));
  std::map<std::string, std::vector<std::int64_t>> awaited;
  for (const KekForNodeRow& kek : sealed) awaited[kek.node_id].push_back(kek.kek_version);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const NodeRow& node : nodes) {
    const bool self = node.node_id == vault.node_id;
    // The only vaultd of a vault in a file has no lease to renew, and nobody to acknowledge to.
    const bool alone = vault.nodes == nullptr;
    list.push_back({{"node", node.node_id},
                    {"host", node.host},
                    {"status", node.status},
                    {"serves", alone ? self : !node.boot.empty()},
                    {"acknowledged", alone || node.acknowledged_epoch >= row.epoch},
                    {"kek_versions", keks[node.node_id]},
                    {"awaited_keks", awaited[node.node_id]},
                    {"seen_at", base::FormatTime(alone ? base::WallMicros() : node.seen_at)},
                    {"this", self}});
  }
  return EncodeText(list.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace));
}

MadeAct MakeConfirmNode(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeNodeAct<ConfirmNode, ConfirmNodeRequest>(vault, body);
}
MadeAct MakeRemoveNode(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeNodeAct<RemoveNode, NodeRequest>(vault, body);
}

}  // namespace strongroom::vault
