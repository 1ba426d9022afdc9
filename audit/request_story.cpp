#include "audit/request_story.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace strongroom::audit {
namespace {

// A request's deadline is an hour at most; what is asked for it later was refused.
constexpr base::Micros kAround = 7 * base::kMicrosPerDay;

struct Step {
  base::Micros at = 0;
  base::Row row;  // behind the time
};

// Labelled is "name value" for what is there.
std::string Labelled(const char* name, const std::string& value) { return value.empty() ? "" : std::string(name) + " " + value + " "; }

std::string Number(const sql::Statement& row, int column) { return row.IsNull(column) ? "" : std::to_string(row.Int64(column)); }

std::string Dollars(double amount) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6f", amount);
  return text.data();
}

// Used is what a usage row tells that the trail is then searched by.
struct Used {
  std::string customer;
  base::Micros at = 0;
};

Result<std::optional<Used>> AddUsage(sql::Database& work, std::string_view request_id, std::vector<Step>& steps) {
  TRY_ASSIGN(sql::Statement * row,
             work.Query("SELECT LOGGED_AT, WORKER_ID, STATUS, CUSTOMER, PROFILE_REF, PROVIDER, MODEL, TOKENS_IN, TOKENS_OUT, LATENCY_MS, "
                        "COST_BASIS_USD, ERROR_CODE, ATTEMPTS, KEY_REF FROM USAGE_LOG WHERE REQUEST_ID = ?1 ORDER BY LOGGED_AT",
                        {request_id}));
  std::optional<Used> used;
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return used;
    used = used ? Used{"", row->Int64(0)} : Used{row->Text(3), row->Int64(0)};  // of two customers' all is searched
    std::string detail = Labelled("customer", row->Text(3)) + Labelled("profile", row->Text(4)) + Labelled("provider", row->Text(5)) +
                         Labelled("model", row->Text(6)) + Labelled("tokens in", Number(*row, 7)) + Labelled("out", Number(*row, 8)) +
                         Labelled("ms", Number(*row, 9)) + Labelled("usd", Dollars(row->Double(10))) + Labelled("error", row->Text(11)) +
                         Labelled("attempts", Number(*row, 12)) + Labelled("key", row->Text(13));
    steps.push_back({row->Int64(0), {"usage", row->Text(1), "call settled", row->Text(2), detail.substr(0, detail.find_last_not_of(' ') + 1)}});
  }
}

// AddQueue returns how many messages there are.
Result<std::int64_t> AddQueue(sql::Database& work, std::string_view request_id, std::vector<Step>& steps) {
  TRY_ASSIGN(sql::Statement * row, work.Query("SELECT ENQUEUED_AT, CLAIMED_AT, LEASE_OWNER, CUSTOMER, ATTEMPTS FROM QUEUE_MESSAGE "
                                              "WHERE REQUEST_ID = ?1", {request_id}));
  for (std::int64_t messages = 0;; ++messages) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return messages;
    steps.push_back({row->Int64(0), {"queue", "", "request queued", "waiting", "customer " + row->Text(3)}});
    if (!row->IsNull(1)) {
      steps.push_back({row->Int64(1), {"queue", row->Text(2), "request claimed", "not settled", "attempts " + Number(*row, 4)}});
    }
  }
}

Result<void> AddReply(sql::Database& work, std::string_view customer, std::string_view request_id, std::vector<Step>& steps) {
  TRY_ASSIGN(sql::Statement * row, work.Query("SELECT CREATED_AT, TAKEN_AT, LIBRARY, NAME FROM REPLY_MESSAGE WHERE CUSTOMER = ?1 AND "
                                              "REQUEST_ID = ?2 AND CONTENT_HASH IS NOT NULL", {customer, request_id}));
  while (true) {
    TRY_ASSIGN(const bool more, row->Next());
    if (!more) return {};
    const std::string queue = row->Text(2) + "/" + row->Text(3);
    steps.push_back({row->Int64(0), {"reply", "", "reply queued", row->IsNull(1) ? "waiting" : "taken", queue}});
    if (!row->IsNull(1)) steps.push_back({row->Int64(1), {"reply", "", "reply taken", "", queue}});
  }
}

Result<void> AddTrail(const std::vector<Log>& logs, const Filter& filter, const Stretch& stretch, std::vector<Step>& steps) {
  return EachFound(logs, filter, stretch, [&](const Entry& entry) {
    const Draft& draft = entry.draft;
    std::string detail = Labelled("key", draft.key_ref.value_or("")) + WhyOf(draft);
    steps.push_back({entry.place.time, {"trail " + SeqOf(entry, logs.size() > 1), draft.actor.name + " (" + draft.actor.role + ")",
                                        draft.action, std::string(OutcomeName(draft.outcome)), std::move(detail)}});
  });
}

}  // namespace

Result<Section> RequestStory(const std::vector<Log>& logs, sql::Database* work, const std::string& problem, const std::string& request_id,
                             std::optional<std::string> customer, Stretch stretch) {
  Section section{"request", "", {{"TIME"}, {"SOURCE"}, {"WHO"}, {"WHAT"}, {"OUTCOME"}, {"DETAIL"}}, {}, {}};
  std::vector<Step> steps;
  if (work == nullptr) section.notes.push_back("only the trail's part: " + problem);
  if (work != nullptr) {
    TRY_ASSIGN(const std::optional<Used> used, AddUsage(*work, request_id, steps));
    if (!used) section.notes.push_back("the work database has no usage row of it: it was never settled, or its row is gone");
    if (!customer && used && !used->customer.empty()) {
      customer = used->customer;
      if (!stretch.since) stretch.since = used->at - kAround;
      if (!stretch.until) stretch.until = used->at + kAround;
    }
    TRY_ASSIGN(const std::int64_t queued, AddQueue(*work, request_id, steps));
    if (used && queued == 0) {
      section.notes.push_back("it was settled and acknowledged: its message left the queue then, and with it when it was queued and claimed");
    }
    if (!used && queued == 0) section.notes.push_back("nor has the queue a message of it");
    if (customer) TRY(AddReply(*work, *customer, request_id, steps));
  }
  Filter filter;
  filter.request_id = request_id;
  filter.customer = customer;
  TRY(AddTrail(logs, filter, stretch, steps));
  section.query = "steps of request " + request_id + (customer ? " of customer " + *customer : ", any customer's") + ", records " + stretch.InWords();
  std::ranges::stable_sort(steps, {}, &Step::at);
  for (Step& step : steps) {
    step.row.insert(step.row.begin(), base::FormatTime(step.at));
    section.rows.push_back(std::move(step.row));
  }
  return section;
}

}  // namespace strongroom::audit
