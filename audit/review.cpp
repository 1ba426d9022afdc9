#include "audit/review.h"

#include <map>
#include <set>

#include "audit/anchor.h"
#include "audit/key_list.h"
#include "audit/tiles.h"
#include "audit/verifier.h"
#include "base/process.h"

namespace strongroom::audit {
namespace {

// Trace is what an account left in the trail.
struct Trace {
  std::int64_t records = 0;
  base::Micros last = 0;
  std::string action;
};
using Traces = std::map<std::string, Trace>;

Result<void> AddTraces(sql::Database& database, Traces& traces) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> found;  // last seq, records
  TRY_ASSIGN(sql::Statement * row, database.Query("SELECT ACTOR, MAX(SEQ), COUNT(*) FROM AUDIT_LOG GROUP BY ACTOR"));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) break;
    found[row->Text(0)] = {row->Int64(1), row->Int64(2)};
  }
  for (const auto& [actor, last] : found) {
    TRY_ASSIGN(sql::Statement * newest, database.QueryOne("SELECT AT, ACTION FROM AUDIT_LOG WHERE SEQ = ?1", {last.first}));
    if (newest == nullptr) continue;
    Trace& trace = traces[actor];
    trace.records += last.second;
    if (newest->Int64(0) >= trace.last) {
      trace.last = newest->Int64(0);
      trace.action = newest->Text(1);
    }
    newest->Reset();
  }
  return {};
}

base::Row HolderRow(const std::string& role, const std::string& listed, const std::string& user, const std::string& uid,
                    const Traces& traces) {
  const auto trace = traces.find(user);
  if (trace == traces.end()) return {role, listed, user, uid, "", "", "0"};
  return {role, listed, user, uid, base::FormatTime(trace->second.last), trace->second.action, std::to_string(trace->second.records)};
}

// AddHolders expands what is listed under a role: a user, or the users of a group.
void AddHolders(const std::string& role, const std::string& listed, const Traces& traces, std::set<std::string>& named, Section& section) {
  std::vector<uid_t> users;
  bool known = false;
  if (listed.starts_with('@')) {
    const auto group = base::FindGroup(listed.substr(1));
    known = group.has_value();
    if (group) users = base::UsersOf(*group);
  } else if (const auto user = base::FindUser(listed)) {
    known = true;
    users = {*user};
  }
  if (users.empty()) section.rows.push_back({role, listed, "", "", "", known ? "no such users" : "not on this host", ""});
  for (const uid_t uid : users) {
    const std::string name = base::UserName(uid);
    named.insert(name);
    section.rows.push_back(HolderRow(role, listed, name, std::to_string(uid), traces));
  }
}

Result<Section> Roles(const std::vector<Log>& logs, const ReviewOptions& options) {
  Section section{"roles",
                  "[roles] of strongroom.toml on this host, groups expanded; and accounts in the trail that hold none now",
                  {{"ROLE"}, {"LISTED AS"}, {"USER"}, {"UID", true}, {"LAST RECORD"}, {"LAST ACTION"}, {"RECORDS", true}},
                  {},
                  {}};
  Traces traces;
  for (const Log& log : logs) TRY(AddTraces(*log.database, traces));
  std::set<std::string> named;
  if (options.config == nullptr) {
    section.notes.push_back("no roles are told: " + options.config_problem);
  } else {
    const base::Config& config = *options.config;
    for (const std::string& listed : config.roles.admin) AddHolders("admin", listed, traces, named, section);
    for (const std::string& listed : config.roles.worker) AddHolders("worker", listed, traces, named, section);
    for (const std::string& listed : config.roles.auditor) AddHolders("auditor", listed, traces, named, section);
    if (config.vault.single_user) section.notes.push_back("single_user = true: one person may be admin and worker");
  }
  for (const auto& [actor, trace] : traces) {
    if (!named.contains(actor)) section.rows.push_back(HolderRow("none", "", actor, "", traces));
  }
  return section;
}

Result<Section> TwoPeople(const std::vector<Log>& logs, const Stretch& stretch) {
  Section section{"two-people",
                  "acts that used an approval or lacked one, and proposals, approvals and denials, every outcome, " + stretch.InWords(),
                  {{"TIME"}, {"SEQ"}, {"ACTOR"}, {"ACTION"}, {"OUTCOME"}, {"KEY"}, {"APPROVAL"}, {"APPROVED BY"}, {"ACT"}, {"WHY"}},
                  {},
                  {}};
  const std::set<std::string> steps{"propose_act", "approve_act", "deny_act", "require_two_people"};
  TRY(EachAct(logs, stretch, [&](const Entry& entry) {
    const Draft& draft = entry.draft;
    std::string approval = FactOf(draft.after, "approval"), act = FactOf(draft.after, "act");
    if (approval.empty()) approval = FactOf(draft.before, "approval");
    // An act that waits for a second person, or was refused for want of one, names itself before.
    if (act.empty()) act = FactOf(draft.before, "act");
    if (approval.empty() && act.empty() && !steps.contains(draft.action)) return;
    section.rows.push_back({base::FormatTime(entry.place.time), SeqOf(entry, logs.size() > 1), draft.actor.name, draft.action,
                            std::string(OutcomeName(draft.outcome)), draft.key_ref.value_or(""), approval,
                            FactOf(draft.after, "approved_by"), act, WhyOf(draft)});
  }));
  return section;
}

Result<Section> DeniedByDay(const std::vector<Log>& logs, const Stretch& stretch) {
  Section section{"denied-by-day", "records whose outcome is denied or error, by day (UTC), " + stretch.InWords(),
                  {{"DAY"}, {"DENIED", true}, {"ERROR", true}}, {}, {}};
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> days;
  for (const bool denied : {true, false}) {
    Filter filter;
    filter.outcome = OutcomeName(denied ? Outcome::kDenied : Outcome::kError);
    TRY(EachFound(logs, filter, stretch, [&](const Entry& entry) {
      auto& day = days[base::FormatTime(entry.place.time).substr(0, 10)];
      ++(denied ? day.first : day.second);
    }));
  }
  for (const auto& [day, counts] : days) section.rows.push_back({day, std::to_string(counts.first), std::to_string(counts.second)});
  return section;
}

// AnchorStatement is what the home's checkpoint says of a log, in words.
Result<std::string> AnchorStatement(const Log& log, const Note& note) {
  TRY_ASSIGN(const Checkpoint checkpoint, Checkpoint::Parse(note.text));
  TRY_ASSIGN(const bool holds, HoldsHead(*log.database, checkpoint.head));
  if (!holds) return "is not in this log";
  return "first " + std::to_string(checkpoint.head.size) + " records " + (note.signatures.empty() ? "(not signed)" : "(auditlog verify checks its signature)");
}

Result<Section> Integrity(const std::vector<Log>& logs, const ReviewOptions& options) {
  Section section{"integrity",
                  "auditlog verify over the whole of each log; and whether the checkpoint in HOME/anchor is of it",
                  {{"NODE"}, {"VERDICT"}, {"RECORDS", true}, {"FIRST"}, {"LAST"}, {"HEAD"}, {"CHECKPOINT"}},
                  {},
                  {"the chain proves that records fit each other; only a checkpoint kept outside this host shows what was rewritten since: "
                   "auditlog export --format bundle hands one out"}};
  std::optional<Note> note;
  if (options.config != nullptr) {
    auto read = Anchor::Read(options.config->home + "/anchor");
    if (read) note = std::move(*read);
    if (!read) section.notes.push_back("HOME/anchor cannot be read: " + WhyNot(read.error()));
  }
  for (const Log& log : logs) {
    TRY_ASSIGN(const Verdict verdict, Verify(*log.database));
    std::string anchored;
    if (note) {
      TRY_ASSIGN(anchored, AnchorStatement(log, *note));
    }
    for (const Told& told : verdict.told) section.notes.push_back((log.node.empty() ? "" : log.node + ": ") + InWords(told));
    const auto when = [](const std::optional<base::Micros>& time) { return time ? base::FormatTime(*time) : ""; };
    std::string found = "verified";
    if (verdict.fault) {
      found = "DOES NOT VERIFY: " + verdict.fault->kind + " at " + std::to_string(verdict.fault->seq);
      section.notes.push_back("a log does not verify: what follows rests on records that may not be those that were written; run auditlog verify");
    }
    section.rows.push_back({log.node, std::move(found), std::to_string(verdict.records), when(verdict.first_time), when(verdict.last_time), verdict.head, anchored});
  }
  return section;
}

}  // namespace

Result<Answers> Review(const std::vector<Log>& logs, const ReviewOptions& options) {
  Answers report{"review", {}};
  const auto add = [&report](Result<Section> section) -> Result<void> {
    if (!section) return std::unexpected(section.error());
    report.sections.push_back(std::move(*section));
    return {};
  };
  TRY(add(Integrity(logs, options)));  // first: a trail that does not verify is no ground for the rest
  TRY(add(Roles(logs, options)));
  TRY_ASSIGN(const std::vector<ListedKey> keys, ListKeys(logs));
  TRY(add(Inventory(keys, options.now)));
  TRY(add(Overdue(logs, keys, options.rotation_days, options.now)));
  TRY(add(TwoPeople(logs, options.stretch)));
  TRY(add(DeniedByDay(logs, options.stretch)));
  return report;
}

}  // namespace strongroom::audit
