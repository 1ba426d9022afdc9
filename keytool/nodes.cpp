#include "keytool/nodes.h"

#include <algorithm>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/init.h"
#include "keytool/key_source.h"
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

// IsOwn is whether this is the node of the vaultd that is asked.
bool IsOwn(const Session& session, const std::string& node) {
  const auto document = session.AskText(vault::Operation::kListNodes, {}, "");
  const auto rows = document ? ReadRows(*document, {"node", "this"}) : Outcome<std::vector<base::Row>>();
  return rows && std::ranges::any_of(*rows, [&node](const base::Row& row) { return row[0] == node && row[1] == "yes"; });
}

std::string LineOf(const std::string& text, std::size_t number) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < number && begin != std::string::npos; ++i) {
    const std::size_t end = text.find('\n', begin);
    begin = end == std::string::npos ? end : end + 1;
  }
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

Outcome<void> JoinNode(const Context& context, const std::string& vault_database) {
  TRY_ASSIGN(const std::string output, RunVaultd({"--join", "--home", context.home, "--vault-database", vault_database}));
  const std::string node = LineOf(output, 0), phrase = LineOf(output, 1);
  if (context.json) {
    Print(JsonLine().Text("home", context.home).Text("node", node).Text("check_phrase", phrase).Str() + "\n");
    return {};
  }
  Print("made " + context.home + ", node " + node + "\ncheck phrase: " + phrase + "\n" +
        base::FormatFacts({{"  1.", "tell it to an admin of a node that serves, and nobody else, by a way that leaves no doubt who speaks"},
                           {"  2.", "there: keytool node confirm " + node},
                           {"  3.", "here: " + Command(context, {"vaultd"}) + "; the KEKs come by themselves"}}));
  return {};
}

Outcome<void> ShowNodePhrase(const Context& context) {
  TRY_ASSIGN(const std::string output, RunVaultd({"--node-phrase", "--home", context.home}));
  const std::string phrase = LineOf(output, 0);
  Print(context.json ? JsonLine().Text("check_phrase", phrase).Str() + "\n" : phrase + "\n");
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
             ReadRows(document, {"node", "host", "status", "serves", "acknowledged", "kek_versions", "awaited_keks", "seen_at", "this"}));
  Print(base::FormatTable({{"NODE"}, {"HOST"}, {"STATUS"}, {"SERVES"}, {"UP TO DATE"}, {"KEKS"}, {"ON THEIR WAY"}, {"SEEN AT"}, {"THIS ONE"}}, rows));
  return {};
}

Outcome<void> ConfirmNode(const Context& context, const std::string& node, const PhraseSource& source, const std::string& reason) {
  TRY(CheckNode(node));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::ConfirmNodeRequest request;
  request.node_id = node;
  request.phrase = source.phrase;
  if (request.phrase.empty()) {
    TRY_ASSIGN(request.phrase, ReadPhrase(source.file, node));
  }
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY(session.Ask(vault::Operation::kConfirmNode, request.Encode(), "node " + node));
  Print(context.json ? JsonLine().Text("node", node).Text("status", "MEMBER").Str() + "\n"
                     : "node " + node + " is a member: its vaultd may serve, and is sent the KEKs\n");
  return {};
}

Outcome<void> RemoveNode(const Context& context, const std::string& node, const std::string& reason) {
  TRY(CheckNode(node));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::NodeRequest request;
  request.node_id = node;
  TRY_ASSIGN(request.reason, AskReason(reason));
  const auto answer = session.Ask(vault::Operation::kRemoveNode, request.Encode(), "node " + node);
  if (!answer && answer.error().name == "FIELD_INVALID" && IsOwn(session, node)) {
    return Failed("FIELD_INVALID", "node " + node + ": nothing was done: no node removes itself, and this is the one that you ask; run "
                                   "`keytool node remove` on another node, or stop this vaultd for good where it is the last one");
  }
  TRY(answer);
  TRY_ASSIGN(const vault::StoppedAnswer stopped, ReadStopped(*answer));
  ReportMove(context.json, JsonLine().Text("node", node), "node " + node, "REMOVED", stopped);
  return {};
}

}  // namespace strongroom::keytool
