#include "keytool/aftermath.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "vault/stop_line.h"

namespace strongroom::keytool {
namespace {

using Json = nlohmann::json;

// How strong a move is; the row of the word is its rank.
constexpr std::array<std::string_view, 3> kMoves = {"suspend", "revoke", "compromise"};

std::optional<std::size_t> MoveFor(std::string_view state) {
  if (state == "SUSPENDED" || state == "ROTATED") return 0;
  if (state == "REVOKED" || state == "DESTROYED") return 1;
  if (state == "COMPROMISED") return 2;
  return std::nullopt;
}

// ForEachLine gives each line that has its end; what comes back is what stands behind the last one.
template <typename Each>
Outcome<std::string_view> ForEachLine(std::string_view text, const Each& each) {
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    TRY(each(number, text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return text;
}

std::string TextIn(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& ObjectIn(const Json& json, const char* name) {
  static const Json nothing = Json::object();
  const auto found = json.find(name);
  return found != json.end() && found->is_object() ? *found : nothing;
}

std::vector<std::string> Offboarded(const Json& before) {
  std::vector<std::string> found;
  for (const auto& [name, value] : before.items()) {
    if (!name.starts_with("keys") || !value.is_string()) continue;
    std::ranges::move(vault::ListedKeys(value.get<std::string>()), std::back_inserter(found));
  }
  return found;
}

}  // namespace

void Aftermath::Stop(const std::string& key_ref, const std::string& state) {
  const auto move = MoveFor(state);
  if (!move) return;
  std::string& known = moves[key_ref];
  if (known.empty() || kMoves[*move] == "compromise" || known == "suspend") known = kMoves[*move];
}

void Aftermath::MoveProfile(const std::string& profile, const std::string& status) {
  profile_moves.erase(profile);
  if (status == "SUSPENDED" || status == "TERMINATED") profile_moves[profile] = status == "SUSPENDED" ? "suspend" : "terminate";
}

Outcome<void> Aftermath::TakeStops(std::string_view text, std::string_view vault_id, std::int64_t epoch) {
  const std::string title = "strongroom-stops 1 " + std::string(vault_id) + '\n';
  if (!text.starts_with(title)) return Failed("STOPS_FILE", "--stops: the file is not of this vault");
  // A last line without its end was not acknowledged, or is cut.
  cut = !text.ends_with('\n');
  first_epoch_ = epoch + 1;
  bool demanded = false;
  TRY(ForEachLine(text, [&](std::int64_t number, std::string_view line) -> Outcome<void> {
    if (number == 1) return {};
    const auto stop = vault::ParseStopLine(line);
    if (!stop) return Failed("STOPS_FILE", "--stops: line " + std::to_string(number) + " is not what vaultd wrote");
    last_epoch = std::max(last_epoch, stop->epoch);
    if (stop->two_people) demanded = *stop->two_people;
    if (stop->epoch <= epoch) return {};
    epochs_.insert(stop->epoch);
    if (!stop->stop) return {};
    keys.insert(stop->stop->key_ref);
    Stop(stop->stop->key_ref, std::string(vault::StateName(stop->stop->state)));
    return {};
  }));
  two_people = two_people || demanded;
  if (last_epoch > epoch) return {};
  return Failed("STOPS_FILE", "--stops: the file ends at epoch " + std::to_string(last_epoch) + ", and the backup is of " + std::to_string(epoch) +
                                  ": it tells nothing of the time since. Name the lost home's own; where nothing was done since, say --none-survived");
}

std::int64_t Aftermath::missing_acts() const {
  if (last_epoch < first_epoch_) return 0;
  return last_epoch - first_epoch_ + 1 - std::distance(epochs_.lower_bound(first_epoch_), epochs_.upper_bound(last_epoch));
}

Outcome<void> Aftermath::TakeTrail(std::string_view text, std::string_view vault_id, std::int64_t record) {
  const auto wrong = [](const std::string& why) { return Failed("TRAIL_FILE", "--trail: " + why + "; make the file with `auditlog export --format jsonl`"); };
  bool demanded = false;
  const auto rest = ForEachLine(text, [&](std::int64_t number, std::string_view line) -> Outcome<void> {
    const Json json = Json::parse(line, nullptr, false);
    const auto seq = json.is_object() ? json.find("seq") : json.end();
    if (!json.is_object() || seq == json.end() || !seq->is_number_integer() || !TextIn(json, "log").starts_with(vault_id)) {
      return wrong("line " + std::to_string(number) + " is no record of this vault's trail");
    }
    const auto at = seq->get<std::int64_t>();
    if (at <= record) return {};
    if (at != std::max(last_record, record) + 1) return wrong("record " + std::to_string(std::max(last_record, record) + 1) + " is not in it");
    last_record = at;
    last_time = TextIn(json, "time");
    if (TextIn(json, "outcome") != "ok") return {};
    if (const auto epoch = json.find("epoch"); epoch != json.end() && epoch->is_number_integer()) epochs_.insert(epoch->get<std::int64_t>());
    const std::string action = TextIn(json, "action"), key_ref = TextIn(json, "key_ref");
    if (!key_ref.empty()) keys.insert(key_ref);
    if ((action == "move_key" || action == "end_grace") && !key_ref.empty()) Stop(key_ref, TextIn(ObjectIn(json, "after"), "status"));
    const std::string old_key = TextIn(ObjectIn(json, "before"), "key_ref");
    if ((action == "rotate_key" || action == "rollback_key") && !old_key.empty()) Stop(old_key, TextIn(ObjectIn(json, "after"), "old_status"));
    if (action == "move_profile") MoveProfile(TextIn(ObjectIn(json, "after"), "profile_ref"), TextIn(ObjectIn(json, "after"), "status"));
    if (action == "require_two_people") demanded = TextIn(ObjectIn(json, "after"), "two_people") == "on";
    if (action != "offboard") return {};
    offboarded.insert(TextIn(json, "customer"));
    for (const std::string& revoked : Offboarded(ObjectIn(json, "before"))) {
      keys.insert(revoked);
      Stop(revoked, "REVOKED");
    }
    return {};
  });
  if (!rest) return std::unexpected(rest.error());
  two_people = two_people || demanded;
  if (!rest->empty()) return wrong("its last line is cut");
  if (last_record > record) return {};
  return Failed("TRAIL_FILE", "--trail: it has no record behind the backup's last one, " + std::to_string(record) +
                                  ": it tells nothing of the time since. Name a newer copy's; where nothing was done since, say --none-survived");
}

}  // namespace strongroom::keytool
