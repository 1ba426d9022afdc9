// A profile's month of tokens: what is refused before a call, and what vaultd is told.
#include "base/log.h"
#include "worker/exchange.h"

namespace strongroom::worker {

Failure Exchange::OverQuota(base::Micros until) const {
  const base::Micros now = base::WallMicros();
  std::string text = "monthly quota spent";
  if (profile_->quota) text += " (" + std::to_string(*profile_->quota) + " tokens)";
  // It is over, and vaultd is about to say so.
  text += until > now ? ": requests are taken again from " + base::FormatTime(until) + " on, or once the quota is raised"
                      : ": another month has begun, try again in a minute";
  Failure failure = MakeFailure(ErrorCode::kRateLimited, std::move(text));
  failure.retry_after_ms = std::max<base::Micros>(until - now, base::kMicrosPerSecond) / base::kMicrosPerMilli;
  return failure;
}

// What workers have counted is enough to refuse by: STATUS follows when vaultd has been told.
asio::awaitable<std::optional<Failure>> Exchange::CheckQuota() {
  if (profile_->status == "OVER_QUOTA") co_return OverQuota(profile_->over_quota_until.value_or(base::MonthAfter(base::WallMicros())));
  const bool spent = profile_->status == "ACTIVE" && co_await QuotaSpent();
  if (!spent) co_return std::nullopt;
  co_return OverQuota(base::MonthAfter(base::WallMicros()));
}

asio::awaitable<bool> Exchange::QuotaSpent() {
  if (!profile_ || !profile_->quota) co_return false;
  const base::Micros month = base::MonthOf(base::WallMicros());
  const Result<std::int64_t> tokens = co_await tools_.store.TokensOf(profile_->profile_ref, month);
  if (!tokens) {
    // A call begins in the same database, and waits for it.
    base::LogError("quota_not_read", tokens.error(), {{"profile_ref", profile_->profile_ref}});
    co_return false;
  }
  if (*tokens < *profile_->quota) co_return false;
  // Of a profile without a key vaultd has released none, and believes nobody.
  if (!profile_->key_ref) co_return true;
  vault::ReportQuotaRequest report;
  report.profile_ref = profile_->profile_ref;
  report.request_id = request_.request_id;
  report.month = month;
  report.tokens = *tokens;
  tools_.quota.Tell(std::move(report), tools_.profiles.generation());
  co_return true;
}

}  // namespace strongroom::worker
