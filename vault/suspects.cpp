#include "vault/suspects.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace strongroom::vault {
namespace {

// A worker that does not begin its probe when it is due, or does not report, has died, or cannot: another is told.
constexpr base::Micros kBeginPatience = 2 * base::kMicrosPerSecond;
constexpr base::Micros kReportPatience = 7 * base::kMicrosPerSecond;
// Calls may go on to be refused for what they ask, not for their key: each probe that finds nothing doubles the pause after it.
constexpr base::Micros kFirstPause = 200 * base::kMicrosPerMilli, kLongestPause = 5 * base::kMicrosPerSecond;
constexpr int kMostDoublings = 5;
static_assert(kFirstPause << kMostDoublings >= kLongestPause);
// Nothing refused for so long: the next pause is a short one again.
constexpr base::Micros kQuiet = 10 * base::kMicrosPerSecond;
// How long a person may take from trying a key to resuming it.
constexpr base::Micros kTestCounts = 5 * 60 * base::kMicrosPerSecond;
constexpr std::size_t kSweepAt = 1024;

base::Micros PauseAfter(int vain) { return std::min(kFirstPause << std::clamp(vain - 1, 0, kMostDoublings), kLongestPause); }

}  // namespace

bool Suspects::IsUnderWay(const Suspect& suspect, base::Micros now) {
  if (!suspect.probe) return false;
  const Probe& probe = *suspect.probe;
  return probe.begun_at ? now - *probe.begun_at < kReportPatience : now - probe.due_at < kBeginPatience;
}

Suspects::Wait Suspects::Order(Suspect& suspect, std::int64_t uid, base::Micros now) const {
  if (std::ssize(suspect.refused) < after_ || now - suspect.refused.front() > within_) return std::nullopt;
  const base::Micros wait = suspect.ended_at ? std::max<base::Micros>(0, *suspect.ended_at + PauseAfter(suspect.vain) - now) : 0;
  suspect.probe = Probe{uid, now + wait, std::nullopt};
  return wait;
}

Suspects::Wait Suspects::Refused(const std::string& key_ref, std::int64_t uid, base::Micros now) {
  if (suspects_.size() >= kSweepAt) Sweep(now);
  Suspect& suspect = suspects_[key_ref];
  if (now - suspect.last_refused > kQuiet) suspect.vain = 0;
  suspect.last_refused = now;
  suspect.refused.push_back(now);
  if (std::ssize(suspect.refused) > after_) suspect.refused.pop_front();
  return IsUnderWay(suspect, now) ? std::nullopt : Order(suspect, uid, now);
}

// When the last probe ended stays: calls that are taken and refused by turns make no probe for each.
void Suspects::Took(const std::string& key_ref) {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end()) return;
  if (!found->second.ended_at) {
    suspects_.erase(found);
    return;
  }
  found->second.refused.clear();
  found->second.probe.reset();
  found->second.vain = 0;
}

bool Suspects::IsWatched(const std::string& key_ref) const {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end()) return false;
  return !found->second.refused.empty() || found->second.probe || found->second.vain > 0;
}

Suspects::Wait Suspects::Due(const std::string& key_ref, std::int64_t uid, base::Micros now) const {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end() || !IsUnderWay(found->second, now)) return std::nullopt;
  const Probe& probe = *found->second.probe;
  if (probe.uid != uid || probe.begun_at) return std::nullopt;
  return std::max<base::Micros>(0, probe.due_at - now);
}

bool Suspects::BeginProbe(const std::string& key_ref, std::int64_t uid, base::Micros now) {
  if (Due(key_ref, uid, now) != 0) return false;
  suspects_.find(key_ref)->second.probe->begun_at = now;
  return true;
}

bool Suspects::IsProbing(const std::string& key_ref, std::int64_t uid) const {
  const auto found = suspects_.find(key_ref);
  return found != suspects_.end() && found->second.probe && found->second.probe->uid == uid && found->second.probe->begun_at;
}

Suspects::Wait Suspects::EndProbe(const std::string& key_ref, bool passed, base::Micros now) {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end() || !found->second.probe) return std::nullopt;
  Suspect& suspect = found->second;
  const Probe ended = *std::exchange(suspect.probe, std::nullopt);
  suspect.ended_at = now;
  ++suspect.vain;
  if (passed) std::erase_if(suspect.refused, [&](base::Micros at) { return at <= ended.begun_at.value_or(now); });
  return Order(suspect, ended.uid, now);
}

bool Suspects::TakeTest(const std::string& key_ref, std::int64_t uid, base::Micros now) {
  const auto found = tests_.find(key_ref);
  if (found == tests_.end() || found->second.uid != uid) return false;
  const bool recent = now - found->second.at < kTestCounts;
  tests_.erase(found);
  return recent;
}

void Suspects::Sweep(base::Micros now) {
  std::erase_if(suspects_, [&](const auto& entry) {
    const Suspect& suspect = entry.second;
    return now - suspect.last_refused > std::max(within_, kQuiet) && !IsUnderWay(suspect, now);
  });
}

}  // namespace strongroom::vault
