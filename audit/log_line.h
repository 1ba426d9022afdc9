// Checkpoints as vaultd's log has them: what a SIEM holds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::audit {

// More would take too long to hold against each other.
inline constexpr std::size_t kMostNotes = 10'000;

// NotesIn is the `note` of each line that is a JSON object with the event `checkpoint`; other lines are passed over. kInvalidArgument where
// there is none, kResourceExhausted past kMostNotes.
Result<std::vector<std::string>> NotesIn(std::string_view lines);

}  // namespace strongroom::audit
