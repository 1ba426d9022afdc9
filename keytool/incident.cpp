#include "keytool/incident.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/table.h"
#include "keytool/blast.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/key_trail.h"
#include "keytool/money.h"
#include "keytool/output.h"
#include "keytool/session.h"
#include "keytool/uses_file.h"
#include "vault/key_trail.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kShownUses = 8, kShownActs = 6, kShownNames = 6;

struct Profile {
  std::string ref, customer, status;
};

// Found is all there is to say; of a long list of uses a screen needs the last ones alone.
struct Found {
  std::string document;  // ShowKey's
  std::vector<Profile> profiles;
  std::optional<Blast> blast;
  std::int64_t uses = 0, altered = 0;
  std::string first_use, last_use;
  std::deque<std::pair<TrailEntry, CallOf>> shown;
  std::string uses_json;
  std::vector<TrailEntry> acts;
  base::Micros held_from = 0;
  std::string other_nodes;
  std::optional<UsesReport> report;
  std::optional<Problem> problem;  // the first thing that could not be told
};

std::string TextList(const std::set<std::string>& names) { return JsonList({names.begin(), names.end()}); }

std::string CountsJson(const std::map<std::string, std::int64_t>& counts) {
  std::string list;
  for (const auto& [name, count] : counts) {
    list += list.empty() ? "" : ",";
    base::AppendJsonString(list, name);
    list += ":" + std::to_string(count);
  }
  return "{" + list + "}";
}

std::string UseJson(const TrailEntry& use, const CallOf& call) {
  JsonLine line;
  line.Number("seq", use.seq).OptionalText("time", use.time).Text("action", use.action).OptionalText("worker", call.worker.empty() ? use.actor : call.worker);
  line.OptionalText("request_id", use.request_id).OptionalText("customer", use.customer).OptionalText("model", call.model);
  line.OptionalText("why", use.why).OptionalText("fault", use.fault);
  return line.Str();
}

std::string ActJson(const TrailEntry& act) {
  JsonLine line;
  line.Number("seq", act.seq).OptionalText("time", act.time).OptionalText("who", act.actor).OptionalText("role", act.role).Text("act", act.action);
  line.OptionalText("outcome", act.outcome).OptionalText("why", act.why).OptionalText("fault", act.fault);
  return line.Str();
}

class Looking {
 public:
  Looking(const Session& session, const IncidentOptions& options, base::Micros since) : session_(session), options_(options), since_(since) {}
  Outcome<Found> Run();

 private:
  Outcome<void> FindProfiles();
  void ReadWork();
  Outcome<void> ReadUses();
  Outcome<void> ReadActs();
  Outcome<void> TakeUse(const std::string& row);
  CallOf FindCall(const TrailEntry& use);
  void Note(Problem problem) {
    if (!found_.problem) found_.problem = std::move(problem);
  }

  const Session& session_;
  const IncidentOptions& options_;
  const base::Micros since_;
  std::optional<CallLog> calls_;
  Found found_;
};

Outcome<Found> Looking::Run() {
  TRY_ASSIGN(found_.document, session_.AskText(vault::Operation::kShowKey, vault::EncodeText(options_.key_ref), options_.key_ref));
  TRY(FindProfiles());
  ReadWork();
  TRY(ReadUses());
  TRY(ReadActs());
  TRY_ASSIGN(found_.other_nodes, OtherNodes(session_));
  if (options_.out.empty()) return std::move(found_);
  auto report = WriteUses(session_, options_.key_ref, since_, options_.out);
  if (!report) {
    Note(std::move(report.error()));
    return std::move(found_);
  }
  if (auto proven = CheckProven(session_, *report); !proven) Note(std::move(proven.error()));
  found_.report = std::move(*report);
  return std::move(found_);
}

Outcome<void> Looking::FindProfiles() {
  for (const std::string& ref : ReadList(found_.document, "profiles")) {
    TRY_ASSIGN(const std::string shown, session_.AskText(vault::Operation::kShowProfile, vault::EncodeText(ref), ref));
    found_.profiles.push_back({ref, ReadMember(shown, "customer"), ReadMember(shown, "status")});
  }
  return {};
}

// An auditor may have no access to the work database: the trail tells its part all the same.
void Looking::ReadWork() {
  BlastQuestion question;
  question.key_ref = options_.key_ref;
  for (const Profile& profile : found_.profiles) question.profiles.insert(profile.ref);
  question.since = since_;
  question.now = base::WallMicros();
  auto blast = ReadBlast(session_.context(), question);
  if (!blast) return Note(std::move(blast.error()));
  for (const Profile& profile : found_.profiles) blast->customers.insert(profile.customer);
  found_.blast = std::move(*blast);
  auto calls = CallLog::Open(session_.context());
  if (!calls) return Note(std::move(calls.error()));
  calls_ = std::move(*calls);
}

// FindCall is what the work database has of a use, as long as it answers.
CallOf Looking::FindCall(const TrailEntry& use) {
  if (!calls_) return {};
  auto call = calls_->Find(use.customer, use.request_id);
  if (call) return std::move(*call);
  Note(std::move(call.error()));
  calls_.reset();
  return {};
}

Outcome<void> Looking::TakeUse(const std::string& row) {
  TRY_ASSIGN(TrailEntry use, ReadTrailRow(row));
  ++found_.uses;
  if (!use.fault.empty()) ++found_.altered;
  if (found_.first_use.empty()) found_.first_use = use.time;
  found_.last_use = use.time;
  if (session_.context().json) {
    const CallOf call = FindCall(use);
    found_.uses_json += (found_.uses_json.empty() ? "" : ",") + UseJson(use, call);
    return {};
  }
  found_.shown.emplace_back(std::move(use), CallOf());
  if (found_.shown.size() > kShownUses) found_.shown.pop_front();
  return {};
}

Outcome<void> Looking::ReadUses() {
  const TrailQuestion question{options_.key_ref, std::string(vault::kUsesOfKey), since_, ""};
  TRY_ASSIGN(found_.held_from, EachTrailRow(session_, question, [this](const std::string& row) { return TakeUse(row); }));
  for (auto& [use, call] : found_.shown) call = FindCall(use);
  return {};
}

// Whoever touched it did so at any time.
Outcome<void> Looking::ReadActs() {
  const TrailQuestion question{options_.key_ref, std::string(vault::kActsOnKey), 0, ""};
  TRY(EachTrailRow(session_, question, [this](const std::string& row) -> Outcome<void> {
    TRY_ASSIGN(TrailEntry act, ReadTrailRow(row));
    if (!act.fault.empty()) ++found_.altered;
    found_.acts.push_back(std::move(act));
    return {};
  }));
  return {};
}

class Showing {
 public:
  Showing(const Context& context, const IncidentOptions& options, base::Micros since, const Found& found)
      : context_(context), options_(options), since_(since), found_(found) {}
  void PrintJson() const;
  void PrintScreen() const;

 private:
  std::string All() const { return Command(context_, {"keytool incident", options_.key_ref, "--since", base::FormatTime(since_), "--json"}); }
  std::string Profiles() const;
  std::string Names(const std::set<std::string>& names) const;
  std::string Counts(const std::map<std::string, std::int64_t>& counts) const;
  void AddWork(Facts& facts) const;
  void PrintUses() const;
  void PrintActs() const;
  void PrintNext() const;

  const Context& context_;
  const IncidentOptions& options_;
  const base::Micros since_;
  const Found& found_;
};

void Showing::PrintJson() const {
  JsonLine line;
  line.Text("key_ref", options_.key_ref).Text("since", base::FormatTime(since_)).Raw("key", found_.document);
  std::string profiles, acts;
  for (const Profile& profile : found_.profiles) {
    profiles += (profiles.empty() ? "" : ",") +
                JsonLine().Text("profile_ref", profile.ref).Text("customer", profile.customer).Text("status", profile.status).Str();
  }
  for (const TrailEntry& act : found_.acts) acts += (acts.empty() ? "" : ",") + ActJson(act);
  line.Raw("profiles", "[" + profiles + "]");
  if (found_.blast) {
    const Blast& blast = *found_.blast;
    JsonLine queues, failing, calls;
    queues.Raw("waiting", blast.waiting_known ? CountsJson(blast.waiting) : "null").Flag("waiting_more", blast.waiting_cut);
    queues.Raw("replies", CountsJson(blast.replied));
    failing.Number("minutes", kRecentMinutes).Number("lately", blast.failed_lately).Number("since", blast.failed).Raw("errors", CountsJson(blast.errors));
    blast.calls.Into(calls);
    line.Raw("customers", TextList(blast.customers)).Raw("queues", queues.Str()).Raw("failing", failing.Str()).Raw("calls", calls.Str());
  }
  line.Number("uses_found", found_.uses).Raw("uses", "[" + found_.uses_json + "]").Raw("touched", "[" + acts + "]").Number("altered", found_.altered);
  line.OptionalText("held_from", found_.held_from == 0 ? "" : base::FormatTime(found_.held_from)).OptionalText("other_nodes", found_.other_nodes);
  if (found_.problem) line.Text("error", found_.problem->name).Text("message", found_.problem->text);
  if (found_.report) line.Text("file", found_.report->file).Number("unproven", found_.report->unproven);
  Print(line.Str() + "\n");
}

std::string Showing::Names(const std::set<std::string>& names) const {
  std::string text = std::to_string(names.size());
  std::size_t shown = 0;
  for (const std::string& name : names) {
    if (++shown > kShownNames) return text + " and others: " + All();
    text += (shown == 1 ? ": " : ", ") + name;
  }
  return text;
}

std::string Showing::Profiles() const {
  std::set<std::string> names;
  for (const Profile& profile : found_.profiles) names.insert(profile.ref + " (" + profile.customer + ", " + profile.status + ")");
  return Names(names);
}

std::string Showing::Counts(const std::map<std::string, std::int64_t>& counts) const {
  std::string text;
  std::size_t shown = 0;
  for (const auto& [name, count] : counts) {
    if (++shown > kShownNames) return text + " and " + std::to_string(counts.size() - kShownNames) + " others: " + All();
    text += (shown == 1 ? "" : ", ") + (name.empty() ? "(none)" : name) + " " + std::to_string(count);
  }
  return text;
}

void Showing::AddWork(Facts& facts) const {
  const Blast& blast = *found_.blast;
  facts.emplace_back("customers", Names(blast.customers));
  std::string waiting = !blast.waiting_known ? "requests wait elsewhere than in the work database: not counted"
                        : blast.waiting.empty() ? "no request waits for it"
                                                : "waiting: " + Counts(blast.waiting) + (blast.waiting_cut ? " or more" : "");
  if (!blast.replied.empty()) waiting += "; answered on: " + Counts(blast.replied);
  facts.emplace_back("queues", waiting);
  const std::int64_t tenths = blast.failed_lately * 10 / kRecentMinutes;
  facts.emplace_back("failing", std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " requests a minute in the last " +
                                    std::to_string(kRecentMinutes) + " minutes; since then " + std::to_string(blast.failed) +
                                    (blast.errors.empty() ? "" : ": " + Counts(blast.errors)));
  facts.emplace_back("cost", FormatUsd(blast.calls.cost_micro_usd) + " USD, " + std::to_string(blast.calls.requests) + " calls, " +
                                 std::to_string(blast.calls.tokens_in) + " tokens in, " + std::to_string(blast.calls.tokens_out) + " out");
}

void Showing::PrintUses() const {
  if (found_.uses == 0) return;
  const std::size_t shown = found_.shown.size();
  const bool all = static_cast<std::int64_t>(shown) == found_.uses;
  Print("\nUSES" + (all ? std::string() : ", the last " + std::to_string(shown) + " of " + std::to_string(found_.uses) + "; all: " + All()) + "\n");
  std::vector<base::Row> rows;
  for (const auto& [use, call] : found_.shown) {
    rows.push_back({ShownTime(use.time), std::to_string(use.seq), call.worker.empty() ? use.actor : call.worker, use.customer,
                    use.request_id.empty() ? use.action : use.request_id, call.model, use.fault.empty() ? "" : "ALTERED"});
  }
  Print(base::FormatTable({{"TIME"}, {"SEQ", true}, {"WORKER"}, {"CUSTOMER"}, {"REQUEST"}, {"MODEL"}, {""}}, rows));
}

void Showing::PrintActs() const {
  const std::size_t count = found_.acts.size(), first = count > kShownActs ? count - kShownActs : 0;
  Print("\nTOUCHED BY" + (first == 0 ? std::string() : ", the last " + std::to_string(kShownActs) + " of " + std::to_string(count) + "; all: " + All()) + "\n");
  std::vector<base::Row> rows;
  for (std::size_t i = first; i < count; ++i) {
    const TrailEntry& act = found_.acts[i];
    rows.push_back({ShownTime(act.time), std::to_string(act.seq), act.actor, act.action, act.fault.empty() ? act.outcome : "ALTERED", act.why});
  }
  Print(base::FormatTable({{"TIME"}, {"SEQ", true}, {"WHO"}, {"ACT"}, {"OUTCOME"}, {"WHY"}}, rows));
}

void Showing::PrintNext() const {
  const std::string status = ReadMember(found_.document, "status");
  const bool stopped = status == "COMPROMISED" || status == "DESTROYED";
  Print("\nnext: " + (stopped ? "its uses, each with a proof: " +
                                    Command(context_, {"keytool incident", options_.key_ref, "--since", base::FormatTime(since_), "--out FILE"})
                              : "it leaked: " + Command(context_, {"keytool compromise", options_.key_ref, "--since", base::FormatTime(since_)}) +
                                    "; it was refused: " + Command(context_, {"keytool test", options_.key_ref})) +
        "\n");
}

void Showing::PrintScreen() const {
  const std::string& document = found_.document;
  const std::string instead = ReadMember(document, "replaced_by");
  Facts facts;
  facts.emplace_back("status", ReadMember(document, "status") + " since " + ReadMember(document, "state_changed_at") +
                                   (instead.empty() ? "" : "; replaced by " + instead));
  facts.emplace_back("goes to", ReadMember(document, "origin"));
  if (ReadMember(document, "also_held") == "yes") facts.emplace_back("also held", "yes: the very same key is here under another KEY_REF too");
  facts.emplace_back("profiles", Profiles());
  if (found_.blast) AddWork(facts);
  facts.emplace_back("uses", std::to_string(found_.uses) +
                                 (found_.uses == 0 ? "" : ", from " + ShownTime(found_.first_use) + " to " + ShownTime(found_.last_use)));
  if (found_.report) facts.emplace_back("proofs", found_.report->file + "; check it with " + VerifyCommand(found_.report->file));
  Print(options_.key_ref + ", since " + ShownTime(base::FormatTime(since_)) + "\n" + base::FormatFacts(facts));
  PrintUses();
  PrintActs();
  PrintNext();
}

void WarnOf(const Found& found, const std::string& key_ref, base::Micros since) {
  if (ReadMember(found.document, "intact") == "no") Warn("the row of " + key_ref + " was changed outside vaultd: what it says may be false, and the key is not used");
  if (found.held_from > since) Warn("records before " + ShownTime(base::FormatTime(found.held_from)) + " were pruned: uses from before that are not here");
  if (!found.other_nodes.empty()) {
    Warn("these nodes have logs of their own, with the uses that they released: " + found.other_nodes + "; run `" + ShownCommand{"keytool incident", key_ref}.text() + "` there too");
  }
  if (found.altered > 0) {
    Warn(std::to_string(found.altered) + " records about " + key_ref + " are not what was written: the vault's database was altered; run auditlog verify");
  }
}

}  // namespace

Outcome<void> ShowIncident(const Context& context, const IncidentOptions& options) {
  TRY(ReadKeyRef("KEY_REF", options.key_ref));
  TRY_ASSIGN(const base::Micros since, ReadSince(options.since));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const Found found, Looking(session, options, since).Run());
  const Showing showing(context, options, since, found);
  context.json ? showing.PrintJson() : showing.PrintScreen();
  WarnOf(found, options.key_ref, since);
  if (!found.problem) return {};
  // With --json the document has been printed: it stays the only one.
  if (!context.json) return std::unexpected(*found.problem);
  Warn(found.problem->text);
  return std::unexpected(Problem{found.problem->exit_code, "", "", "", false});
}

}  // namespace strongroom::keytool
