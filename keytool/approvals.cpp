#include "keytool/approvals.h"

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "vault/protocol.h"

namespace strongroom::keytool {
namespace {

Outcome<void> Decide(const Context& context, vault::Operation operation, const std::string& approval_id,
                     const std::string& reason, const std::string& status) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::VerdictRequest request;
  request.approval_id = approval_id;
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY_ASSIGN(const std::string act, session.AskText(operation, request.Encode(), approval_id));
  JsonLine line;
  line.Text("approval", approval_id).Text("status", status).Text("act", act);
  Print(context.json ? line.Str() + "\n" : approval_id + " is " + status + ": " + base::Printable(act) + "\n");
  return {};
}

}  // namespace

Outcome<void> ListApprovals(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskText(vault::Operation::kListApprovals, {}, ""));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(std::vector<base::Row> rows,
             ReadRows(document, {"approval", "status", "act", "reason", "author", "expires_at", "decided_by", "intact"}));
  Print(base::FormatTable({{"APPROVAL"}, {"STATUS"}, {"ACT"}, {"REASON"}, {"AUTHOR"}, {"EXPIRES"}, {"DECIDED BY"}, {"INTACT"}},
                          rows));
  for (const base::Row& row : rows) {
    if (row.back() == "no") Warn(row.front() + " was changed outside vaultd; do not approve it");
  }
  return {};
}

Outcome<void> ApproveAct(const Context& context, const std::string& approval_id, const std::string& reason) {
  return Decide(context, vault::Operation::kApproveAct, approval_id, reason, "APPROVED");
}

Outcome<void> DenyAct(const Context& context, const std::string& approval_id, const std::string& reason) {
  return Decide(context, vault::Operation::kDenyAct, approval_id, reason, "DENIED");
}

Outcome<void> RequireTwoPeople(const Context& context, bool on, const std::string& reason) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::RequireRequest request;
  request.on = on;
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY(session.Ask(vault::Operation::kRequireTwoPeople, request.Encode(), ""));
  JsonLine line;
  const std::string told = on ? "on: what needs two people waits for a second admin, who is neither its author nor root"
                              : "off: one admin is enough for everything";
  Print(context.json ? line.Flag("two_people", on).Str() + "\n" : told + "\n");
  return {};
}

}  // namespace strongroom::keytool
