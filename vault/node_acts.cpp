// Acts and facts about nodes: who serves this vault, and who may.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "vault/field_rules.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// NodeAct moves one node from a state to the next.
class NodeAct : public Act {
 public:
  NodeAct(OpenVault& vault, NodeRequest request) : vault_(vault), request_(std::move(request)) {}

 protected:
  Result<void> Move(Store& store, audit::Draft& record, std::string_view from, std::string_view to) const {
    record.before = audit::Facts{{"node", request_.node_id}};
    TRY(TakeReason(request_.reason, record));
    TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
    const auto row = std::ranges::find(nodes, request_.node_id, &NodeRow::node_id);
    if (row == nodes.end() || row->status != from) return Refuse(Refusal::kNodeUnknown);
    (*record.before)["status"] = row->status;
    (*record.before)["host"] = row->host;
    TRY(store.MoveNode(request_.node_id, from, to));
    record.after = audit::Facts{{"node", request_.node_id}, {"status", std::string(to)}};
    return {};
  }

  OpenVault& vault_;
  const NodeRequest request_;
};

class ConfirmNode final : public NodeAct {
 public:
  using NodeAct::NodeAct;
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    return Move(store, record, kNodeJoining, kNodeMember);
  }
  Reply Answer(const audit::Receipt&) override { return Reply(Bytes{}); }
};

// Its lease is not renewed from the commit on; the answer comes once it has run out.
class RemoveNode final : public NodeAct {
 public:
  using NodeAct::NodeAct;
  bool fenced() const override { return true; }
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    // This one would cut off the branch it sits on.
    if (request_.node_id == vault_.node_id) return Refuse(Refusal::kFieldInvalid);
    TRY(Move(store, record, kNodeMember, kNodeRemoved));
    TRY_ASSIGN(new_epoch, store.MoveEpoch());
    return {};
  }
  Reply Answer(const audit::Receipt&) override { return Reply(Bytes{}); }
};

template <typename T>
MadeAct MakeNodeAct(OpenVault& vault, ByteView body) {
  TRY_ASSIGN(NodeRequest request, NodeRequest::Decode(body));
  return std::make_unique<T>(vault, std::move(request));
}

}  // namespace

Result<Bytes> ListNodes(OpenVault& vault, Store& store, ByteView body) {
  if (!body.empty()) return Refuse(Refusal::kMalformed);
  TRY_ASSIGN(const std::vector<NodeRow> nodes, store.ListNodes());
  TRY_ASSIGN(const VaultRow row, store.FindVault());
  TRY_ASSIGN(auto keks, store.ListNodeKeks());
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
                    {"seen_at", base::FormatTime(alone ? base::WallMicros() : node.seen_at)},
                    {"this", self}});
  }
  return EncodeText(list.dump());
}

MadeAct MakeConfirmNode(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeNodeAct<ConfirmNode>(vault, body);
}
MadeAct MakeRemoveNode(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  return MakeNodeAct<RemoveNode>(vault, body);
}

}  // namespace strongroom::vault
