#include "keytool/due.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/probe.h"
#include "keytool/recovery_steps.h"
#include "keytool/session.h"
#include "vault/key_state.h"

namespace strongroom::keytool {
namespace {

using Json = nlohmann::json;

// Onboarding takes a minute; what is PENDING a day later was left behind.
constexpr base::Micros kPendingKept = base::kMicrosPerDay;

// Key is one row of the list.
struct Key {
  std::string ref, customer, status;
  std::optional<base::Micros> created, used, grace_until, changed;
};

std::string TextIn(const Json& row, const char* name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<base::Micros> TimeIn(const Json& row, const char* name) {
  const auto time = base::ParseTime(TextIn(row, name));
  return time ? std::optional(*time) : std::nullopt;
}

std::string Days(base::Micros span) { return std::to_string(span / base::kMicrosPerDay) + " days"; }
using Names = std::vector<std::string>;
std::string Shown(base::Micros at) { return ShownTime(base::FormatTime(at)); }

// Finder takes one key after the other.
class Finder {
 public:
  explicit Finder(const DueQuestion& question) : question_(question) {}
  void Take(const Key& key);
  std::vector<Due> Found() { return std::move(found_); }

 private:
  void Add(const Key& key, std::string due, std::string why, ShownCommand command) {
    found_.push_back({key.ref, key.status, std::move(due), std::move(why), std::move(command)});
  }
  void TakeActive(const Key& key);
  void TakeRotated(const Key& key);
  void TakeSuspended(const Key& key);
  void TakeStopped(const Key& key, base::Micros still);
  std::int64_t DaysFor(const std::string& customer) const {
    const auto own = question_.policy.customers.find(customer);
    return own == question_.policy.customers.end() ? question_.policy.days : own->second;
  }

  const DueQuestion& question_;
  std::vector<Due> found_;
};

void Finder::TakeActive(const Key& key) {
  const base::Micros age = question_.now - key.created.value_or(question_.now);
  const std::int64_t days = DaysFor(key.customer);
  if (days > 0 && age >= days * base::kMicrosPerDay) {
    Add(key, "rotation", Days(age) + " old, the customer's limit is " + std::to_string(days), {"keytool rotate", key.ref});
  }
  const base::Micros idle = question_.now - std::max(key.used.value_or(0), key.created.value_or(question_.now));
  if (idle < question_.options.unused_days * base::kMicrosPerDay) return;
  const std::string why = (key.used ? "not used for " : "never used, since ") + Days(idle);
  const Names profiles = question_.profiles_of(key.ref);
  // A suspended key can be let go on; one that no profile names can be missed by nobody.
  if (profiles.empty()) return Add(key, "unused", why + ", by no profile", {"keytool revoke", key.ref, "--reason unused"});
  Add(key, "unused", why + ", profile " + Joined(profiles), {"keytool suspend", key.ref, "--reason unused"});
}

void Finder::TakeRotated(const Key& key) {
  if (!key.grace_until || *key.grace_until > question_.now + question_.options.ahead_days * base::kMicrosPerDay) return;
  if (*key.grace_until <= question_.now) {
    return Add(key, "grace", "its grace is over and vaultd has not revoked it: is it sealed, or its trail not sound?", {"keytool status"});
  }
  const Names profiles = question_.profiles_of(key.ref);
  const std::string ends = Shown(*key.grace_until);
  if (profiles.empty()) return Add(key, "grace", "REVOKED by itself at " + ends + "; revoke it at its provider, and see", {"keytool test", key.ref});
  const std::string instead = question_.instead(key.ref);
  Add(key, "grace", "profile " + Joined(profiles) + " still uses it, until " + ends,
      {"keytool profile set", profiles.front(), "--key-ref", instead.empty() ? "KEY_REF" : instead});
}

void Finder::TakeSuspended(const Key& key) {
  const std::string since = key.changed ? "SUSPENDED since " + Shown(*key.changed) : "SUSPENDED";
  const Names profiles = question_.profiles_of(key.ref);
  if (profiles.empty()) return Add(key, "suspended", since + ", no profile uses it", {"keytool revoke", key.ref, "--reason unused"});
  Add(key, "suspended", since + ", profile " + Joined(profiles) + " waits for it", {"keytool resume", key.ref});
}

// Behind a key that will not come back and is still meant to be used somebody waits; it is not destroyed before it has a next version.
void Finder::TakeStopped(const Key& key, base::Micros still) {
  const std::string since = key.status + " " + Days(still) + " ago";
  if (const Names profiles = question_.profiles_of(key.ref); !profiles.empty()) {
    return Add(key, "recovery", since + ", profile " + Joined(profiles) + " waits for another key", {"keytool recover", key.ref});
  }
  if (key.status == "COMPROMISED" || (key.status == "REVOKED" && still >= vault::kRevokedKept)) {
    Add(key, "destruction", since + ": what opens it can be erased", {"keytool destroy", key.ref});
  }
}

void Finder::Take(const Key& key) {
  const base::Micros still = question_.now - key.changed.value_or(question_.now);
  if (key.status == "ACTIVE") return TakeActive(key);
  if (key.status == "ROTATED") return TakeRotated(key);
  if (key.status == "SUSPENDED") return TakeSuspended(key);
  if (key.status == "PENDING" && still >= kPendingKept) {
    return Add(key, "pending", "left behind " + Days(still) + " ago, used for nothing", {"keytool revoke", key.ref, "--reason \"not taken\""});
  }
  if (IsStopped(key.status)) TakeStopped(key, still);
}

// AskProviders adds what the providers say of the keys that are ROTATED and still open: one that works must be revoked there.
Outcome<void> AskProviders(const Session& session, const std::string& keys, std::vector<Due>& due) {
  TRY(CheckProbe());
  TRY_ASSIGN(const auto rows, ReadRows(keys, {"key_ref", "status", "grace_until"}));
  for (const base::Row& row : rows) {
    const auto until = base::ParseTime(row[2]);
    if (row[1] != "ROTATED" || !until || *until <= base::WallMicros()) continue;
    const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(row[0]), row[0]);
    const std::string instead = shown ? ReadMember(*shown, "replaced_by") : "";
    const auto probed = Probe(session.context(), row[0], RouteOf(session, instead.empty() ? row[0] : instead));
    if (!probed) return std::unexpected(probed.error());
    const bool refused = probed->status == 401 || probed->status == 403;
    const std::string why = probed->ok  ? "still works at its provider: revoke it there, and look again"
                            : refused ? "its provider refuses it: it can go now"
                                      : "its provider did not say: " + probed->message;
    ShownCommand command = refused ? ShownCommand{"keytool revoke", row[0], "--reason \"dead at its provider\""} : ShownCommand{"keytool test", row[0]};
    due.push_back({row[0], row[1], "provider", why, std::move(command)});
  }
  return {};
}

// AddOverQuota adds the profiles that wait for another month, or for a quota that has room.
Outcome<void> AddOverQuota(const Session& session, const std::string& customer, std::vector<Due>& due) {
  TRY_ASSIGN(const std::string profiles, session.AskList(vault::Operation::kListProfiles, customer, "OVER_QUOTA"));
  TRY_ASSIGN(const auto rows, ReadRows(profiles, {"profile_ref", "key_ref", "monthly_quota_tokens", "over_quota_until"}));
  for (const base::Row& row : rows) {
    due.push_back({row[1], "OVER_QUOTA", "quota", "profile " + row[0] + " has spent its month's " + row[2] + " tokens, comes back by itself at " + ShownTime(row[3]),
                   {"keytool profile set", row[0], "--quota N"}});
  }
  return {};
}

void PrintJson(const std::vector<Due>& due) {
  std::string list;
  for (const Due& one : due) {
    JsonLine line;
    line.Text("key_ref", one.key_ref).Text("status", one.status).Text("due", one.due).Text("why", one.why).Text("command", one.command.text());
    list += (list.empty() ? "" : ",") + line.Str();
  }
  Print("[" + list + "]\n");
}

}  // namespace

Outcome<std::vector<Due>> FindDue(const std::string& keys, const DueQuestion& question) {
  const Json list = Json::parse(keys, nullptr, false);
  if (!list.is_array()) return Unreadable();
  Finder finder(question);
  for (const Json& row : list) {
    if (!row.is_object()) return Unreadable();
    finder.Take({TextIn(row, "key_ref"), TextIn(row, "customer"), TextIn(row, "status"), TimeIn(row, "created_at"), TimeIn(row, "last_used_at"),
                 TimeIn(row, "grace_until"), TimeIn(row, "state_changed_at")});
  }
  return finder.Found();
}

Outcome<void> ShowDue(const Context& context, const DueOptions& options) {
  if (!options.customer.empty()) TRY(CheckCustomer(options.customer));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string keys, session.AskList(vault::Operation::kListKeys, options.customer, ""));
  const auto instead = [&session](const std::string& key_ref) {
    const auto shown = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
    return shown ? ReadMember(*shown, "replaced_by") : std::string();
  };
  TRY_ASSIGN(const std::vector<UsingProfile> profiles, ReadProfiles(session));
  const auto profiles_of = [&profiles](const std::string& key_ref) {
    Names names;
    for (const UsingProfile& profile : profiles) {
      if (profile.key_ref == key_ref) names.push_back(profile.ref);
    }
    return names;
  };
  const DueQuestion question{session.config().rotation, options, base::WallMicros(), profiles_of, instead};
  TRY_ASSIGN(std::vector<Due> due, FindDue(keys, question));
  TRY(AddOverQuota(session, options.customer, due));
  if (options.probe) TRY(AskProviders(session, keys, due));
  for (Due& one : due) one.command = WithHome(context, std::move(one.command));
  if (context.json) {
    PrintJson(due);
    return {};
  }
  if (due.empty()) {
    Print("nothing is due\n");
    return {};
  }
  std::vector<base::Row> rows;
  for (const Due& one : due) rows.push_back({one.key_ref, one.status, one.due, one.why, one.command.text()});
  Print(base::FormatTable({{"KEY_REF"}, {"STATUS"}, {"DUE"}, {"WHY"}, {"DO"}}, rows));
  return {};
}

}  // namespace strongroom::keytool
