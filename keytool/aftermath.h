// Aftermath: what files that survived a lost database tell of the time since its backup.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "keytool/problem.h"

namespace strongroom::keytool {

// Aftermath: `moves` is each key that was stopped and the move that stops it again ("revoke", "compromise", "suspend"); the strongest
// that was seen. A key that was only rotated is suspended: its successor is not in the backup. `keys` is every key that was spoken of.
struct Aftermath {
  std::map<std::string, std::string> moves;
  std::set<std::string> keys;
  std::int64_t last_epoch = 0;

  // TakeStops reads a file of stops of this vault, lines behind `epoch`; TakeTrail the output of `auditlog search --json`, records
  // behind `record`.
  Outcome<void> TakeStops(std::string_view text, std::string_view vault_id, std::int64_t epoch);
  Outcome<void> TakeTrail(std::string_view text, std::string_view vault_id, std::int64_t record);

 private:
  void Stop(const std::string& key_ref, const std::string& state);
};

}  // namespace strongroom::keytool
