// Releases: what a worker that has been taken over cannot do, however it asks.
//
// - A key is released once for each (customer, request_id, attempt). Each ask of a worker carries the next number, so
//   one whose answer was lost asks with the next.
// - A key is released at most kReleasesPerRequest × RPM times a minute, RPM being the sum over the ACTIVE profiles that use
//   it. Where one of those has no RPM, `[vault] releases_per_minute` is the ceiling, and without that there is none.
// - A uid is given at most `[vault] keys_per_minute` different keys a minute, by whatever opens one: a resolve, a worker's probe, an
//   admin's.
// - A worker's probe is a release like any other (vault/suspects.h), and counts for the key as well.
// - What a provider answered is believed of a call that the key was released for, to that uid, no longer ago than a call may last, and
//   once.
//
// What it costs an attacker is time and silence, not the key: every release and every denial is on the trail. Minutes are
// CLOCK_BOOTTIME's, so that no clock that is set back or forward opens or closes a ceiling.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "audit/record.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"
#include "vault/protocol.h"
#include "vault/spent_numbers.h"
#include "vault/store.h"

namespace strongroom::vault {

inline constexpr base::Micros kMinute = 60 * base::kMicrosPerSecond;
// A request is at most so many releases where it goes well with nothing but its retries (INTERFACES: at most 5 attempts).
inline constexpr std::int64_t kReleasesPerRequest = 5;
// No call is longer (INTERFACES: timeout_ms), so no honest report comes later.
inline constexpr base::Micros kLongestCall = 60 * kMinute;

// MinuteCount counts what happened in the last minute: this minute's, and of the one before the share that is not over.
class MinuteCount {
 public:
  std::int64_t At(base::Micros now) const;
  void Add(base::Micros now);
  void Remove() { current_ -= current_ > 0 ? 1 : 0; }
  bool IsOver(base::Micros now) const { return now - begun_ >= 2 * kMinute; }

 private:
  base::Micros begun_ = 0;
  std::int64_t current_ = 0, before_ = 0;
};

// ReleaseAsk is one release that is asked for; its texts outlive the call they are handed to.
struct ReleaseAsk {
  std::int64_t uid = 0;
  std::string_view customer, request_id;
  std::int64_t attempt = 0;
  const std::string& key_ref;
};

// Denials is how often each rule said no since vaultd started. Thread-safe.
struct Denials {
  std::atomic<std::int64_t> attempts{0}, keys{0}, users{0}, reports{0};
};

// Releases belongs to the thread of the trail's writer alone, but for denials().
class Releases {
 public:
  // At a start so many of the trail's newest records are looked through for what they released.
  static constexpr std::int64_t kReadBack = 65'536;

  explicit Releases(const base::Config::Vault& limits)
      : keys_per_minute_(limits.keys_per_minute), releases_per_minute_(limits.releases_per_minute) {}

  // Take counts a release at `now` (MonoMicros), or refuses it with kAttemptSpent, kKeyCeiling or kUserCeiling. RPMs are
  // read again where `epoch` has moved.
  Result<void> Take(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now);
  // GiveBack takes back the number and the key's count: the release's record did not become durable, so no key left. The uid's
  // minute keeps the key.
  void GiveBack(const ReleaseAsk& ask);
  // TakeProbe is Take for a worker's probe, which has no number: its ask has neither request_id nor attempt.
  Result<void> TakeProbe(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now);
  void GiveBackProbe(const ReleaseAsk& ask);
  // TakeTest is for an admin's: the uid's different keys alone count.
  Result<void> TakeTest(const ReleaseAsk& ask, base::Micros now);
  // TakeReport is kCallUnknown unless this very release was taken lately, and was not reported yet.
  Result<void> TakeReport(const ReleaseAsk& ask, base::Micros now);
  // ReadBack counts the releases and reports that the trail's newest records tell of.
  Result<void> ReadBack(Store& store);

  const Denials& denials() const { return denials_; }
  std::int64_t keys_per_minute() const { return keys_per_minute_; }
  std::int64_t releases_per_minute() const { return releases_per_minute_; }

 private:
  struct Key {
    MinuteCount count;
    std::int64_t epoch = -1;  // at which `ceiling` was read
    std::optional<std::int64_t> ceiling;
  };
  // User is when a uid was last given each key, as far as that is in the last minute.
  struct User {
    std::unordered_map<std::string, base::Micros> given;
    base::Micros sweep_at = 0;  // no entry is over before
  };

  Result<std::optional<std::int64_t>> Ceiling(Store& store, const std::string& key_ref) const;
  bool HasRoom(User& user, const std::string& key_ref, base::Micros now) const;
  Result<void> CheckUser(const ReleaseAsk& ask, base::Micros now);
  Result<void> CheckKey(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now);
  std::uint64_t SpentNumber(const ReleaseAsk& ask) const { return spent_.Number(ask.customer, ask.request_id, ask.attempt); }
  std::uint64_t CallNumber(const ReleaseAsk& ask) const;
  void Spend(const ReleaseAsk& ask);
  void Count(const ReleaseAsk& ask, base::Micros now);
  void CountUser(const ReleaseAsk& ask, base::Micros now) { users_[ask.uid].given.insert_or_assign(ask.key_ref, now); }
  void Remember(const audit::Entry& entry, base::Micros age, base::Micros now);
  void ForgetCalls(base::Micros now);
  void Sweep(base::Micros now);
  Error Deny(Refusal refusal, std::atomic<std::int64_t>& count, const ReleaseAsk& ask, base::Micros now);

  const std::int64_t keys_per_minute_, releases_per_minute_;
  SpentNumbers spent_;
  SpentNumbers calls_;  // whose provider's answer nobody has reported yet
  std::unordered_map<std::string, Key> keys_;
  std::unordered_map<std::int64_t, User> users_;
  base::Micros swept_at_ = 0, logged_at_ = 0, turned_at_ = 0;
  Denials denials_;
};

}  // namespace strongroom::vault
