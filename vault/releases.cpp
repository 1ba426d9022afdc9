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

// AttemptOf reads the number that a resolve's record names, "attempt N profile P", or a report's, "attempt N was answered …".
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
  if (spent_.Has(SpentNumber(ask))) return std::unexpected(Deny(Refusal::kAttemptSpent, denials_.attempts, ask, now));
  TRY(TakeProbe(store, epoch, ask, now));
  Spend(ask);
  return {};
}

void Releases::GiveBack(const ReleaseAsk& ask) {
  spent_.Remove(SpentNumber(ask));
  calls_.Remove(CallNumber(ask));
  GiveBackProbe(ask);
}

Result<void> Releases::TakeProbe(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now) {
  TRY(CheckUser(ask, now));
  TRY(CheckKey(store, epoch, ask, now));
  Count(ask, now);
  return {};
}

void Releases::GiveBackProbe(const ReleaseAsk& ask) {
  if (const auto key = keys_.find(ask.key_ref); key != keys_.end()) key->second.count.Remove();
}

Result<void> Releases::TakeTest(const ReleaseAsk& ask, base::Micros now) {
  TRY(CheckUser(ask, now));
  CountUser(ask, now);
  return {};
}

Result<void> Releases::TakeReport(const ReleaseAsk& ask, base::Micros now) {
  ForgetCalls(now);
  const std::uint64_t call = CallNumber(ask);
  if (!calls_.Has(call)) return std::unexpected(Deny(Refusal::kCallUnknown, denials_.reports, ask, now));
  calls_.Remove(call);
  return {};
}

Result<void> Releases::CheckUser(const ReleaseAsk& ask, base::Micros now) {
  if (now - swept_at_ >= kMinute) Sweep(now);
  if (HasRoom(users_[ask.uid], ask.key_ref, now)) return {};
  return std::unexpected(Deny(Refusal::kUserCeiling, denials_.users, ask, now));
}

Result<void> Releases::CheckKey(Store& store, std::int64_t epoch, const ReleaseAsk& ask, base::Micros now) {
  Key& key = keys_[ask.key_ref];
  if (key.epoch != epoch) {
    TRY_ASSIGN(key.ceiling, Ceiling(store, ask.key_ref));
    key.epoch = epoch;
  }
  if (!key.ceiling || key.count.At(now) < *key.ceiling) return {};
  return std::unexpected(Deny(Refusal::kKeyCeiling, denials_.keys, ask, now));
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

// CallNumber stands for the release of this key to this uid for this request and attempt.
std::uint64_t Releases::CallNumber(const ReleaseAsk& ask) const {
  const std::uint64_t spent = SpentNumber(ask);
  return calls_.Number(ask.key_ref, {reinterpret_cast<const char*>(&spent), sizeof spent}, ask.uid);
}

void Releases::Spend(const ReleaseAsk& ask) {
  spent_.Add(SpentNumber(ask));
  calls_.Add(CallNumber(ask));
}

void Releases::Count(const ReleaseAsk& ask, base::Micros now) {
  keys_[ask.key_ref].count.Add(now);
  CountUser(ask, now);
}

// A call is remembered for kLongestCall, and at most for twice as long.
void Releases::ForgetCalls(base::Micros now) {
  if (now - turned_at_ < kLongestCall) return;
  const bool all = now - turned_at_ >= 2 * kLongestCall;
  if (all) calls_.Turn();
  calls_.Turn();
  turned_at_ = all ? now : turned_at_ + kLongestCall;
}

// A minute in which nobody asked for a key leaves nothing of it behind.
void Releases::Sweep(base::Micros now) {
  swept_at_ = now;
  ForgetCalls(now);
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
  turned_at_ = mono;
  return store.EachRelease(kReadBack, [&](const audit::Entry& entry) {
    Remember(entry, std::max<base::Micros>(wall - entry.place.time, 0), mono);
  });
}

// A record of a probe names no request, and that of a report the one it is about.
void Releases::Remember(const audit::Entry& entry, base::Micros age, base::Micros now) {
  const audit::Draft& draft = entry.draft;
  if (!draft.key_ref) return;
  const bool in_minute = age < kMinute;
  const ReleaseAsk probe{draft.actor.uid, {}, {}, 0, *draft.key_ref};
  if (draft.action == "probe" && in_minute) return CountUser(probe, now - age);
  if (draft.action == "probe_suspect" && in_minute) return Count(probe, now - age);
  const auto attempt = AttemptOf(draft.purpose.value_or(""));
  if (!attempt || !draft.customer || !draft.request_id) return;
  const ReleaseAsk ask{draft.actor.uid, *draft.customer, *draft.request_id, *attempt, *draft.key_ref};
  if (draft.action == "report_call") return calls_.Remove(CallNumber(ask));
  if (draft.action != "resolve") return;
  spent_.Add(SpentNumber(ask));
  if (age < kLongestCall) calls_.Add(CallNumber(ask));
  if (in_minute) Count(ask, now - age);
}

}  // namespace strongroom::vault
