#include "vault/releases.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "audit/record.h"
#include "base/log.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kLogEvery = base::kMicrosPerSecond;

// AttemptOf reads the number that a resolve's record names: "attempt N profile P".
std::optional<std::int64_t> AttemptOf(std::string_view purpose) {
  constexpr std::string_view kBegin = "attempt ";
  if (!purpose.starts_with(kBegin)) return std::nullopt;
  purpose.remove_prefix(kBegin.size());
  std::int64_t attempt = 0;
  const auto [end, error] = std::from_chars(purpose.data(), purpose.data() + purpose.size(), attempt);
  if (error != std::errc{} || end == purpose.data() + purpose.size() || *end != ' ') return std::nullopt;
  return attempt;
}

}  // namespace

std::int64_t MinuteCount::At(base::Micros now) const {
  const base::Micros passed = std::max<base::Micros>(now - begun_, 0);
  if (passed < kMinute) return current_ + before_ * (kMinute - passed) / kMinute;
  return IsOver(now) ? 0 : current_ * (2 * kMinute - passed) / kMinute;
}

void MinuteCount::Add(base::Micros now) {
  if (IsOver(now)) {
    begun_ = now;
    current_ = before_ = 0;
  } else if (now - begun_ >= kMinute) {
    begun_ += kMinute;
    before_ = std::exchange(current_, 0);
  }
  ++current_;
}

Result<void> Releases::Take(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now) {
  if (spent_.Has(spent_.Number(ask.customer, ask.request_id, ask.attempt))) {
    return std::unexpected(Deny(Refusal::kAttemptSpent, denials_.attempts, ask, now));
  }
  if (now - swept_at_ >= kMinute) Sweep(now);
  if (!HasRoom(users_[ask.uid], ask.key_ref, now)) {
    return std::unexpected(Deny(Refusal::kUserCeiling, denials_.users, ask, now));
  }
  Key& key = keys_[ask.key_ref];
  if (key.epoch != epoch) {
    TRY_ASSIGN(key.ceiling, Ceiling(store, ask.key_ref));
    key.epoch = epoch;
  }
  if (key.ceiling && key.count.At(now) >= *key.ceiling) {
    return std::unexpected(Deny(Refusal::kKeyCeiling, denials_.keys, ask, now));
  }
  Count(ask, now);
  return {};
}

void Releases::GiveBack(const ReleaseAsk& ask) {
  spent_.Remove(spent_.Number(ask.customer, ask.request_id, ask.attempt));
  if (const auto key = keys_.find(ask.key_ref); key != keys_.end()) key->second.count.Remove();
}

Result<std::optional<std::int64_t>> Releases::Ceiling(Store& store, const std::string& key_ref) const {
  TRY_ASSIGN(const std::optional<std::int64_t> rpm, store.RpmOfKey(key_ref));
  if (rpm) return std::min(*rpm, std::numeric_limits<std::int64_t>::max() / kReleasesPerRequest) * kReleasesPerRequest;
  if (releases_per_minute_ > 0) return releases_per_minute_;
  return std::nullopt;
}

// What was given more than a minute ago makes room; where nothing was, nobody looks again until something is.
bool Releases::HasRoom(User& user, const std::string& key_ref, base::Micros now) const {
  const auto full = [&] { return static_cast<std::int64_t>(user.given.size()) >= keys_per_minute_; };
  if (!full() || user.given.contains(key_ref)) return true;
  if (now < user.sweep_at) return false;
  std::erase_if(user.given, [now](const auto& given) { return now - given.second >= kMinute; });
  base::Micros oldest = now;
  for (const auto& [ref, at] : user.given) oldest = std::min(oldest, at);
  user.sweep_at = oldest + kMinute;
  return !full();
}

void Releases::Count(const ReleaseAsk& ask, base::Micros now) {
  spent_.Add(spent_.Number(ask.customer, ask.request_id, ask.attempt));
  keys_[ask.key_ref].count.Add(now);
  users_[ask.uid].given.insert_or_assign(ask.key_ref, now);
}

// A minute in which nobody asked for a key leaves nothing of it behind.
void Releases::Sweep(base::Micros now) {
  swept_at_ = now;
  std::erase_if(keys_, [now](const auto& key) { return key.second.count.IsOver(now); });
  for (auto& [uid, user] : users_) {
    std::erase_if(user.given, [now](const auto& given) { return now - given.second >= kMinute; });
  }
  std::erase_if(users_, [](const auto& user) { return user.second.given.empty(); });
}

// The trail has every denial; the log has a line a second with their number.
Error Releases::Deny(Refusal refusal, std::atomic<std::int64_t>& count, const ReleaseAsk& ask, base::Micros now) {
  const std::int64_t denied = ++count;
  if (now - logged_at_ >= kLogEvery) {
    logged_at_ = now;
    base::Log(base::Level::kWarning, "release_denied",
              {{"reason", RefusalName(refusal)},
               {"uid", ask.uid},
               {"customer", ask.customer},
               {"key_ref", ask.key_ref},
               {"request_id", ask.request_id},
               {"denied_so_far", denied}});
  }
  return RefusalError(refusal);
}

Result<void> Releases::ReadBack(Store& store) {
  const base::Micros wall = base::WallMicros(), mono = base::MonoMicros();
  return store.EachRelease(kReadBack, [&](const audit::Entry& entry) {
    const audit::Draft& draft = entry.draft;
    const auto attempt = AttemptOf(draft.purpose.value_or(""));
    if (!attempt || !draft.customer || !draft.request_id || !draft.key_ref) return;
    const ReleaseAsk ask{draft.actor.uid, *draft.customer, *draft.request_id, *attempt, *draft.key_ref};
    const base::Micros age = std::max<base::Micros>(wall - entry.place.time, 0);
    if (age < kMinute) return Count(ask, mono - age);
    spent_.Add(spent_.Number(ask.customer, ask.request_id, ask.attempt));
  });
}

}  // namespace strongroom::vault
