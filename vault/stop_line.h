// One line of the file of stops (vault/PROTOCOL.md), without its line feed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/key_state.h"

namespace strongroom::vault {

// Stop is a key that an act has stopped, and the row it wrote.
struct Stop {
  std::string key_ref;
  std::int64_t row_version = 0;
  KeyState state = KeyState::kRevoked;
  bool operator==(const Stop&) const = default;
};

// StopLine tells of an act's epoch, and of a key it stopped or of the demand for two people it turned on or off.
struct StopLine {
  std::int64_t epoch = 0;
  std::optional<Stop> stop;
  std::optional<bool> two_people;  // never with a stop
  bool operator==(const StopLine&) const = default;
};

// IsStop is true of the states that are recorded: ROTATED, SUSPENDED, REVOKED, COMPROMISED, DESTROYED; IsFinal of the last
// three, from which nothing leads back.
bool IsStop(KeyState state);
bool IsFinal(KeyState state);

// IsRecordable is false for a KEY_REF or ROW_VERSION that vaultd gives no row: it could break the lines, and never proves.
bool IsRecordable(const Stop& stop);

// PrintStopLine writes what ParseStopLine reads; that is nullopt for anything else.
std::string PrintStopLine(const StopLine& line);
std::optional<StopLine> ParseStopLine(std::string_view text);

// ListedKeys is the KEY_REFs of "REF STATUS, REF STATUS", as the record of an offboarding lists keys: none has a space or a comma.
std::vector<std::string> ListedKeys(std::string_view list);

}  // namespace strongroom::vault
