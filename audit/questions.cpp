#include "audit/questions.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace strongroom::audit {
namespace {

const std::vector<base::Column> kUseColumns{{"TIME"},   {"SEQ"},      {"ACTOR"},    {"UID", true}, {"ROLE"},      {"ACTION"},
                                            {"OUTCOME"}, {"CUSTOMER"}, {"KEY"}, {"REQUEST"},  {"WHY"}};

base::Row UseRow(const Entry& entry, bool several) {
  const Draft& draft = entry.draft;
  return {base::FormatTime(entry.place.time),
          SeqOf(entry, several),
          draft.actor.name,
          std::to_string(draft.actor.uid),
          draft.actor.role,
          draft.action,
          std::string(OutcomeName(draft.outcome)),
          draft.customer.value_or(""),
          draft.key_ref.value_or(""),
          draft.request_id.value_or(""),
          WhyOf(draft)};
}

}  // namespace

Result<Section> Uses(const std::vector<Log>& logs, const std::string& key_ref, const Stretch& stretch) {
  Section section{"uses", "resolve and probe of " + key_ref + ", every outcome, " + stretch.InWords(), kUseColumns, {}, {}};
  Filter filter;
  filter.key_ref = key_ref;
  TRY(EachFound(logs, filter, stretch, [&](const Entry& entry) {
    if (IsRelease(entry.draft)) section.rows.push_back(UseRow(entry, logs.size() > 1));
  }));
  return section;
}

Result<Section> Denied(const std::vector<Log>& logs, const Stretch& stretch) {
  struct Tally {
    std::int64_t count = 0;
    base::Micros first = 0, last = 0;
    std::set<std::string> actors;
    std::string last_actor, last_action;
  };
  std::map<std::pair<std::string, std::string>, Tally> reasons;
  std::int64_t records = 0;
  for (const Outcome outcome : {Outcome::kDenied, Outcome::kError}) {
    Filter filter;
    filter.outcome = OutcomeName(outcome);
    TRY(EachFound(logs, filter, stretch, [&](const Entry& entry) {
      ++records;
      Tally& tally = reasons[{entry.draft.reason.value_or(""), *filter.outcome}];
      if (tally.count++ == 0) tally.first = entry.place.time;
      tally.last = entry.place.time;
      tally.actors.insert(entry.draft.actor.name);
      tally.last_actor = entry.draft.actor.name;
      tally.last_action = entry.draft.action;
    }));
  }
  Section section{"denied",
                  "records whose outcome is denied (refused) or error (vaultd could not), by reason, " + stretch.InWords(),
                  {{"REASON"}, {"OUTCOME"}, {"COUNT", true}, {"FIRST"}, {"LAST"}, {"ACTORS", true}, {"LAST ACTOR"}, {"LAST ACTION"}},
                  {},
                  {std::to_string(records) + " records in all"}};
  for (const auto& [reason, tally] : reasons) {
    section.rows.push_back({reason.first, reason.second, std::to_string(tally.count), base::FormatTime(tally.first),
                            base::FormatTime(tally.last), std::to_string(tally.actors.size()), tally.last_actor, tally.last_action});
  }
  return section;
}

Result<Section> AdminActs(const std::vector<Log>& logs, const std::string& actor, const Stretch& stretch) {
  Section section{"admin",
                  "every act but resolve and report_call by account or uid " + actor + ", every outcome, " + stretch.InWords(),
                  {{"TIME"}, {"SEQ"}, {"ACTOR"}, {"UID", true}, {"ROLE"}, {"ACTION"}, {"OUTCOME"}, {"KEY OR CUSTOMER"}, {"WHY"}, {"BEFORE"}, {"AFTER"}},
                  {},
                  {}};
  TRY(EachAct(logs, stretch, [&](const Entry& entry) {
    const Draft& draft = entry.draft;
    const std::string uid = std::to_string(draft.actor.uid);
    if (draft.actor.name != actor && uid != actor) return;
    section.rows.push_back({base::FormatTime(entry.place.time), SeqOf(entry, logs.size() > 1), draft.actor.name, uid, draft.actor.role,
                            draft.action, std::string(OutcomeName(draft.outcome)),
                            draft.key_ref.value_or(draft.customer.value_or("")), WhyOf(draft), FactsText(draft.before),
                            FactsText(draft.after)});
  }));
  return section;
}

Result<Section> OutsideWorker(const std::vector<Log>& logs, const Stretch& stretch) {
  Section section{"outside-worker", "resolve and probe that were not asked for under the role worker, every outcome, " + stretch.InWords(),
                  kUseColumns, {}, {"a probe is an admin's: one for each key at its onboarding or rotation is usual"}};
  Filter all;
  all.since = stretch.since;
  all.until = stretch.until;
  all.limit = std::numeric_limits<std::int64_t>::max();
  for (const Log& log : logs) {
    TRY(Search(*log.database, all, [&](const Entry& entry) {
      if (!IsRelease(entry.draft) || entry.draft.actor.role == "worker") return;
      section.rows.push_back(UseRow(entry, logs.size() > 1));
    }));
  }
  std::ranges::stable_sort(section.rows, {}, [](const base::Row& row) { return row.front(); });
  return section;
}

// OffboardedFrom is the status that a key had when the record's act revoked all of its customer's; empty where the record does not name it.
std::string OffboardedFrom(const Draft& draft, const std::string& key_ref) {
  if (draft.action != "offboard" || !draft.before) return "";
  for (const auto& [name, value] : *draft.before) {
    if (!name.starts_with("keys")) continue;
    // "REF STATUS, REF STATUS": no KEY_REF has a space or a comma.
    const std::string list = ", " + value + ", ", begin = ", " + key_ref + " ";
    const std::size_t at = list.find(begin);
    if (at == std::string::npos) continue;
    const std::size_t status = at + begin.size();
    return list.substr(status, list.find(", ", status) - status);
  }
  return "";
}

Result<Section> KeyHistory(const std::vector<Log>& logs, const std::string& key_ref, const Stretch& stretch) {
  Section section{"key",
                  "every act but resolve and report_call on " + key_ref + ", rotations and rollbacks from it, and offboardings that name it, every outcome, " + stretch.InWords(),
                  {{"TIME"}, {"SEQ"}, {"ACTOR"}, {"ACTION"}, {"OUTCOME"}, {"STATUS BEFORE"}, {"STATUS AFTER"}, {"BEFORE"}, {"AFTER"}, {"WHY"}},
                  {},
                  {}};
  TRY(EachAct(logs, stretch, [&](const Entry& entry) {
    const Draft& draft = entry.draft;
    const bool rotated_from = FactOf(draft.before, "key_ref") == key_ref;
    const std::string offboarded_from = OffboardedFrom(draft, key_ref);
    if (draft.key_ref != key_ref && !rotated_from && offboarded_from.empty()) return;
    const bool replaces = draft.action == "rotate_key" || draft.action == "rollback_key";
    if (!offboarded_from.empty()) {
      section.rows.push_back({base::FormatTime(entry.place.time), SeqOf(entry, logs.size() > 1), draft.actor.name, draft.action,
                              std::string(OutcomeName(draft.outcome)), offboarded_from,
                              draft.outcome == Outcome::kOk ? "REVOKED" : "", "", FactsText(draft.after), WhyOf(draft)});
      return;
    }
    section.rows.push_back({base::FormatTime(entry.place.time), SeqOf(entry, logs.size() > 1), draft.actor.name, draft.action,
                            std::string(OutcomeName(draft.outcome)),
                            // Of these the facts before are the replaced key's, and `status` after is that of the one in its place.
                            !replaces || rotated_from ? FactOf(draft.before, "status") : "",
                            FactOf(draft.after, rotated_from ? "old_status" : "status"), FactsText(draft.before),
                            FactsText(draft.after), WhyOf(draft)});
  }));
  return section;
}

}  // namespace strongroom::audit
