#include "vault/trail_stops.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "vault/stops.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

// Each node stamps its records by its own clock; and what was done just before a crash may be in the trail and not in the file.
constexpr base::Micros kClocksApart = base::kMicrosPerDay;

constexpr std::int64_t kPage = 1000;
constexpr const char* kFact = "stop";

// FactOf is empty where there is none of that name.
std::string FactOf(const std::optional<audit::Facts>& facts, const char* name) {
  if (!facts) return "";
  const auto found = facts->find(name);
  return found == facts->end() ? "" : found->second;
}

// A final state needs no ROW_VERSION: no row of the key is believed after it that says anything else.
void AddFinal(const std::string& key_ref, const std::string& status, std::vector<Stop>& stops) {
  const auto state = ParseState(status);
  if (state && IsFinal(*state)) stops.push_back({key_ref, 1, *state});
}

void AddOffboarded(const audit::Facts& before, std::vector<Stop>& stops) {
  for (const auto& [name, value] : before) {
    if (!name.starts_with("keys")) continue;
    for (const std::string& key_ref : ListedKeys(value)) stops.push_back({key_ref, 1, KeyState::kRevoked});
  }
}

}  // namespace

void TellStop(const std::vector<Stop>& stops, audit::Draft& record) {
  if (stops.size() != 1 || !record.after || !IsRecordable(stops.front())) return;
  const Stop& stop = stops.front();
  (*record.after)[kFact] = std::to_string(stop.row_version) + ' ' + std::string(StateName(stop.state)) + ' ' + stop.key_ref;
}

std::vector<Stop> StopsOf(const audit::Draft& record) {
  std::vector<Stop> stops;
  if (record.outcome != audit::Outcome::kOk) return stops;
  if (const std::string told = FactOf(record.after, kFact); !told.empty()) {
    const auto line = ParseStopLine("1 " + told);
    if (line && line->stop) stops.push_back(*line->stop);
    return stops;
  }
  if (record.action == "move_key" || record.action == "end_grace") AddFinal(record.key_ref.value_or(""), FactOf(record.after, "status"), stops);
  if (record.action == "rotate_key" || record.action == "rollback_key") AddFinal(FactOf(record.before, "key_ref"), FactOf(record.after, "old_status"), stops);
  if (record.action == "offboard" && record.before) AddOffboarded(*record.before, stops);
  return stops;
}

// A file that is at the database's EPOCH lacks nothing but, perhaps, what another node did just before this process ended.
Result<base::Micros> TrailStops::Since(Store& store, const Stops& noted, std::int64_t epoch, base::Micros now) const {
  std::optional<base::Micros> from = read_at_;
  if (!from && noted.epoch() > 0 && noted.epoch() == epoch) {
    TRY_ASSIGN(from, store.NewestTime());
  }
  return from ? std::min(*from, now) - kClocksApart : std::numeric_limits<base::Micros>::min();
}

Result<void> TrailStops::Read(Store& store, const Stops& noted, const std::string& vault_id, std::int64_t epoch, base::Micros now, std::vector<Stop>& found) {
  TRY_ASSIGN(base::Micros since, Since(store, noted, epoch, now));
  std::unordered_set<std::size_t> read;
  std::vector<StopRecord> page;
  do {
    const std::optional<StopRecord> last = page.empty() ? std::nullopt : std::optional(std::move(page.back()));
    TRY_ASSIGN(page, store.StopRecords(since, last ? &*last : nullptr, kPage));
    for (const StopRecord& row : page) {
      const std::size_t hash = std::hash<std::string>()(row.record);
      read.insert(hash);
      if (row.at < since || read_.contains(hash)) continue;
      const auto entry = audit::Parse(row.record);
      if (!entry || !entry->place.log.starts_with(vault_id)) continue;
      // The file knows of this one, and of what was before: by this clock, and so, but for a day, by any.
      if (!read_at_ && noted.epoch() > 0 && entry->draft.epoch && *entry->draft.epoch <= noted.epoch()) since = std::max(since, row.at - kClocksApart);
      for (const Stop& stop : StopsOf(entry->draft)) {
        if (IsRecordable(stop) && !noted.Knows(stop)) found.push_back(stop);
      }
    }
  } while (std::ssize(page) == kPage);
  read_ = std::move(read);
  read_at_ = now;
  return {};
}

void TrailStops::NothingNew(base::Micros now) {
  if (read_at_) read_at_ = now;
}

}  // namespace strongroom::vault
