// Suspects: the keys that providers refuse. A worker reports each 401 or 403; several in a row within a while, and one worker is
// told to probe the key, without anything of any caller's. Only that probe's own 401 or 403 counts (vault/report_acts.cpp): so no
// forbidden model stops a key that is good.
//
// A key may die right after a probe has passed, and callers may go on to ask for what is forbidden: so the pause between two probes is
// short, and grows only while they find nothing. What is refused during a pause is probed when it ends, by the worker that was told how
// long to wait, also where nothing is called any more.
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

  // Wait is how long the worker that is told to probe has to wait before it does; none where it is not told.
  using Wait = std::optional<base::Micros>;

  // Refused notes that a provider refused the key, as `uid` reports.
  Wait Refused(const std::string& key_ref, std::int64_t uid, base::Micros now);
  // Took notes that a provider took it: whatever was before does not count.
  void Took(const std::string& key_ref);
  // Forget is for a key that is SUSPENDED now.
  void Forget(const std::string& key_ref) { suspects_.erase(key_ref); }
  // IsWatched: it was refused a while ago, so a success is worth a report.
  bool IsWatched(const std::string& key_ref) const;
  std::size_t count() const { return suspects_.size(); }

  // Due is how long the worker that was told to probe has to wait yet; none for any other, or once it has begun.
  Wait Due(const std::string& key_ref, std::int64_t uid, base::Micros now) const;
  // BeginProbe lets that worker open the key, once, and not before it is due.
  bool BeginProbe(const std::string& key_ref, std::int64_t uid, base::Micros now);
  // IsProbing: that worker was given the key for its probe, and has not reported yet.
  bool IsProbing(const std::string& key_ref, std::int64_t uid) const;
  // EndProbe: it decided nothing (`passed` false: no answer, or the provider's own trouble), or the provider took the key. Enough
  // refusals since it began, or that it left undecided, are for another probe, by the same worker.
  Wait EndProbe(const std::string& key_ref, bool passed, base::Micros now);

  // NoteTest: an admin was given a SUSPENDED key, to try it at its provider. TakeTest is true, once, where that was minutes ago.
  void NoteTest(const std::string& key_ref, std::int64_t uid, base::Micros now) { tests_[key_ref] = {uid, now}; }
  bool TakeTest(const std::string& key_ref, std::int64_t uid, base::Micros now);

 private:
  struct Probe {
    std::int64_t uid = 0;
    base::Micros due_at = 0;
    std::optional<base::Micros> begun_at;
  };
  struct Suspect {
    std::deque<base::Micros> refused;  // the newest, at most after_
    base::Micros last_refused = 0;
    std::optional<Probe> probe;
    std::optional<base::Micros> ended_at;  // of the last probe
    int vain = 0;                          // probes in a row that found nothing
  };
  static bool IsUnderWay(const Suspect& suspect, base::Micros now);
  Wait Order(Suspect& suspect, std::int64_t uid, base::Micros now) const;
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
