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
  std::int64_t last_epoch = 0, last_record = -1;
  std::string last_time;  // of that record, as it says
  std::int64_t missing_epochs = 0;  // behind the backup's and before the last that was seen: acts whose line the file of stops has lost
  bool cut = false;                 // the file of stops ends within a line

  // TakeStops reads a file of stops of this vault, lines behind `epoch`; TakeTrail the records of a newer copy as `auditlog export --format jsonl` or
  // `search --json` prints them, behind `record`. Each is refused where it tells nothing of the time since, or, the trail, leaves a record out or is cut:
  // whoever stopped a key must not have it released because a file was the wrong one. That nothing was done is for a person to say.
  Outcome<void> TakeStops(std::string_view text, std::string_view vault_id, std::int64_t epoch);
  Outcome<void> TakeTrail(std::string_view text, std::string_view vault_id, std::int64_t record);

 private:
  void Stop(const std::string& key_ref, const std::string& state);
};

}  // namespace strongroom::keytool
