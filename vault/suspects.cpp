#include "vault/suspects.h"

#include <cstddef>
#include <utility>

namespace strongroom::vault {
namespace {

// A worker that was told to probe and does not report has died, or cannot: another is told.
constexpr base::Micros kProbePatience = 30 * base::kMicrosPerSecond;
// Calls may go on to be refused for what they ask, not for their key: a probe in so long is enough then.
constexpr base::Micros kBetweenProbes = 5 * base::kMicrosPerSecond;
// How long a person may take from trying a key to resuming it.
constexpr base::Micros kTestCounts = 5 * 60 * base::kMicrosPerSecond;
constexpr std::size_t kSweepAt = 1024;

}  // namespace

bool Suspects::Refused(const std::string& key_ref, std::int64_t uid, base::Micros now) {
  if (suspects_.size() >= kSweepAt) Sweep(now);
  Suspect& suspect = suspects_[key_ref];
  suspect.refused.push_back(now);
  if (std::ssize(suspect.refused) > after_) suspect.refused.pop_front();
  const bool enough = std::ssize(suspect.refused) == after_ && now - suspect.refused.front() <= within_;
  const bool under_way = suspect.probe && now - suspect.probe->ordered_at < kProbePatience;
  if (!enough || under_way || now < suspect.not_before) return false;
  suspect.probe = Probe{uid, now, false};
  return true;
}

bool Suspects::BeginProbe(const std::string& key_ref, std::int64_t uid, base::Micros now) {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end() || !found->second.probe) return false;
  Probe& probe = *found->second.probe;
  if (probe.uid != uid || now - probe.ordered_at >= kProbePatience) return false;
  return !std::exchange(probe.begun, true);
}

bool Suspects::IsProbing(const std::string& key_ref, std::int64_t uid) const {
  const auto found = suspects_.find(key_ref);
  return found != suspects_.end() && found->second.probe && found->second.probe->uid == uid && found->second.probe->begun;
}

void Suspects::EndProbe(const std::string& key_ref, bool passed, base::Micros now) {
  const auto found = suspects_.find(key_ref);
  if (found == suspects_.end()) return;
  found->second.probe.reset();
  found->second.not_before = now + kBetweenProbes;
  if (passed) found->second.refused.clear();
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
    const bool recent = !suspect.refused.empty() && now - suspect.refused.back() <= within_;
    return !recent && !suspect.probe && now >= suspect.not_before;
  });
}

}  // namespace strongroom::vault
