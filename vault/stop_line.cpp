#include "vault/stop_line.h"

#include <charconv>
#include <sstream>

#include "vault/key_ref.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kTwoPeopleOn = " TWO_PEOPLE ON", kTwoPeopleOff = " TWO_PEOPLE OFF";

// TakeNumber reads a whole number from 1 up, as it is written, off the front of a line.
bool TakeNumber(std::string_view& line, std::int64_t& number) {
  if (line.empty() || line.front() < '1' || line.front() > '9') return false;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc{}) return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return true;
}

bool TakeSpace(std::string_view& line) {
  if (!line.starts_with(' ')) return false;
  line.remove_prefix(1);
  return true;
}

}  // namespace

bool IsFinal(KeyState state) {
  return state == KeyState::kRevoked || state == KeyState::kCompromised || state == KeyState::kDestroyed;
}

bool IsStop(KeyState state) { return IsFinal(state) || state == KeyState::kRotated || state == KeyState::kSuspended; }

bool IsRecordable(const Stop& stop) {
  return stop.row_version > 0 && IsStop(stop.state) && KeyRef::Parse(stop.key_ref).has_value();
}

std::string PrintStopLine(const StopLine& line) {
  std::string text = std::to_string(line.epoch);
  if (line.two_people) return text + std::string(*line.two_people ? kTwoPeopleOn : kTwoPeopleOff);
  if (!line.stop) return text;
  text += ' ' + std::to_string(line.stop->row_version) + ' ';
  text += StateName(line.stop->state);
  return text + ' ' + line.stop->key_ref;
}

std::optional<StopLine> ParseStopLine(std::string_view text) {
  StopLine line;
  if (!TakeNumber(text, line.epoch)) return std::nullopt;
  if (text.empty()) return line;
  if (text == kTwoPeopleOn || text == kTwoPeopleOff) {
    line.two_people = text == kTwoPeopleOn;
    return line;
  }
  Stop& stop = line.stop.emplace();
  if (!TakeSpace(text) || !TakeNumber(text, stop.row_version) || !TakeSpace(text)) return std::nullopt;
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  const auto state = ParseState(word);
  if (!state || !TakeSpace(text)) return std::nullopt;
  stop.state = *state;
  stop.key_ref = text;
  if (!IsRecordable(stop)) return std::nullopt;
  return line;
}

std::vector<std::string> ListedKeys(std::string_view list) {
  std::istringstream words{std::string(list)};
  std::vector<std::string> keys;
  for (std::string key_ref, status; words >> key_ref >> status;) keys.push_back(key_ref);
  return keys;
}

}  // namespace strongroom::vault
