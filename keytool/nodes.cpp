#include "keytool/nodes.h"

#include <algorithm>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/init.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "keytool/stopped.h"

namespace strongroom::keytool {
namespace {

// A node's id is sixteen hexadecimal digits.
Outcome<void> CheckNode(const std::string& node) {
  const bool hex = std::ranges::all_of(node, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hex && node.size() == 16) return {};
  return Usage("NODE is 16 hexadecimal digits, as `keytool node list` shows them");
}

Outcome<Bytes> AskAbout(const Session& session, vault::Operation operation, const std::string& node, const std::string& reason) {
  vault::NodeRequest request;
  request.node_id = node;
  TRY_ASSIGN(request.reason, AskReason(reason));
  return session.Ask(operation, request.Encode(), "node " + node);
}

}  // namespace

Outcome<void> JoinNode(const Context& context, const std::string& vault_database) {
  TRY_ASSIGN(const std::string output, RunVaultd({"--join", "--home", context.home, "--vault-database", vault_database}));
  const std::string node = output.substr(0, output.find('\n'));
  if (context.json) {
    Print(JsonLine().Text("home", context.home).Text("node", node).Str() + "\n");
    return {};
  }
  Print("made " + context.home + ", node " + node + "\n" +
        base::FormatFacts({{"  1.", "copy kek/ of a home that serves this vault into " + context.home + " (files 0600), by a way you trust"},
                           {"  2.", "there: keytool node confirm " + node},
                           {"  3.", "here: " + Command(context, "vaultd")}}));
  return {};
}

Outcome<void> ListNodes(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kListNodes, {}, ""));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(const std::vector<base::Row> rows,
             ReadRows(document, {"node", "host", "status", "serves", "acknowledged", "kek_versions", "seen_at", "this"}));
  Print(base::FormatTable({{"NODE"}, {"HOST"}, {"STATUS"}, {"SERVES"}, {"UP TO DATE"}, {"KEKS"}, {"SEEN AT"}, {"THIS ONE"}}, rows));
  return {};
}

Outcome<void> ConfirmNode(const Context& context, const std::string& node, const std::string& reason) {
  TRY(CheckNode(node));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY(AskAbout(session, vault::Operation::kConfirmNode, node, reason));
  Print(context.json ? JsonLine().Text("node", node).Text("status", "MEMBER").Str() + "\n"
                     : "node " + node + " is a member: its vaultd may serve\n");
  return {};
}

Outcome<void> RemoveNode(const Context& context, const std::string& node, const std::string& reason) {
  TRY(CheckNode(node));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const Bytes answer, AskAbout(session, vault::Operation::kRemoveNode, node, reason));
  TRY_ASSIGN(const vault::StoppedAnswer stopped, ReadStopped(answer));
  ReportMove(context.json, JsonLine().Text("node", node), "node " + node, "REMOVED", stopped);
  return {};
}

}  // namespace strongroom::keytool
