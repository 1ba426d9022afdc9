// Suspects: the keys that providers refuse. A worker reports each 401 or 403; several in a row within a while, and one worker is
// told to probe the key, without anything of any caller's. Only that probe's own 401 or 403 counts (vault/report_acts.cpp): so no
// forbidden model stops a key that is good.
//
// It is memory, and counts begin anew with each start of vaultd; each node has its own workers' to count.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"

namespace strongroom::vault {

// Suspects belongs to the thread of the trail's writer alone. Times are MonoMicros.
class Suspects {
 public:
  explicit Suspects(const base::Config::Vault& limits)
      : after_(limits.suspect_after), within_(limits.suspect_within_seconds * base::kMicrosPerSecond) {}

  // Refused notes that a provider refused the key, as `uid` reports. True: that worker is to probe it.
  bool Refused(const std::string& key_ref, std::int64_t uid, base::Micros now);
  // Took notes that a provider took it: whatever was before does not count.
  void Took(const std::string& key_ref) { suspects_.erase(key_ref); }
  // IsWatched: it was refused a while ago, so a success is worth a report.
  bool IsWatched(const std::string& key_ref) const { return suspects_.contains(key_ref); }
  std::size_t count() const { return suspects_.size(); }

  // BeginProbe lets the worker that was told to probe open the key, once; false for any other.
  bool BeginProbe(const std::string& key_ref, std::int64_t uid, base::Micros now);
  // IsProbing: that worker was given the key for its probe, and has not reported yet.
  bool IsProbing(const std::string& key_ref, std::int64_t uid) const;
  // EndProbe: it decided nothing (`passed` false: no answer, or the provider's own trouble), or the provider took the key.
  void EndProbe(const std::string& key_ref, bool passed, base::Micros now);

  // NoteTest: an admin was given a SUSPENDED key, to try it at its provider. TakeTest is true, once, where that was minutes ago.
  void NoteTest(const std::string& key_ref, std::int64_t uid, base::Micros now) { tests_[key_ref] = {uid, now}; }
  bool TakeTest(const std::string& key_ref, std::int64_t uid, base::Micros now);

 private:
  struct Probe {
    std::int64_t uid = 0;
    base::Micros ordered_at = 0;
    bool begun = false;
  };
  struct Suspect {
    std::deque<base::Micros> refused;  // the newest, at most after_
    base::Micros not_before = 0;       // of the next probe
    std::optional<Probe> probe;
  };
  void Sweep(base::Micros now);

  const std::int64_t after_;
  const base::Micros within_;
  std::map<std::string, Suspect, std::less<>> suspects_;
  struct Test {
    std::int64_t uid = 0;
    base::Micros at = 0;
  };
  std::map<std::string, Test, std::less<>> tests_;  // by KEY_REF: no more than there are SUSPENDED keys
};

}  // namespace strongroom::vault
