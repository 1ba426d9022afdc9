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
// that was seen. A key that was only rotated is suspended: its successor is not in the backup. `keys` is every key that was spoken of. A file of stops tells nothing of profiles.
struct Aftermath {
  std::map<std::string, std::string> moves;
  std::set<std::string> keys;
  std::map<std::string, std::string> profile_moves;  // "suspend" or "terminate" of each profile that the trail left so
  std::set<std::string> offboarded;                  // customers, all of whose profiles ended
  bool two_people = false;                           // demanded at the end of either file
  std::int64_t last_epoch = 0, last_record = -1;
  std::string last_time;  // of that record, as it says
  bool cut = false;       // the file of stops ends within a line: an act that was not acknowledged, or a file that was cut

  // TakeStops reads a file of stops of this vault, lines behind `epoch`; TakeTrail the records of a newer copy as `auditlog export --format jsonl` or
  // `search --json` prints them, behind `record`. Each is refused where it tells nothing of the time since, or, the trail, leaves a record out or is cut:
  // whoever stopped a key must not have it released because a file was the wrong one. That nothing was done is for a person to say.
  Outcome<void> TakeStops(std::string_view text, std::string_view vault_id, std::int64_t epoch);
  Outcome<void> TakeTrail(std::string_view text, std::string_view vault_id, std::int64_t record);
  // missing_acts counts the epochs behind the backup's that the file of stops leaves out, and no record of the trail has: acts that nothing tells of. A line that
  // is lost among several of one act is not seen.
  std::int64_t missing_acts() const;

 private:
  void Stop(const std::string& key_ref, const std::string& state);
  void MoveProfile(const std::string& profile, const std::string& status);
  std::set<std::int64_t> epochs_;  // that something tells of
  std::int64_t first_epoch_ = 1;       // behind the backup's
};

}  // namespace strongroom::keytool
