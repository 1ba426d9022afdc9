#include "worker/quota_watch.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <utility>

#include "base/log.h"

namespace strongroom::worker {
namespace {

constexpr base::Micros kPatience = 5 * base::kMicrosPerSecond;
constexpr base::Micros kBetween = 60 * base::kMicrosPerSecond;

}  // namespace

void QuotaWatch::Tell(vault::ReportQuotaRequest request, std::int64_t generation) {
  const base::Micros now = base::MonoMicros();
  Told& told = told_[request.profile_ref];
  if (told.generation == generation && now - told.at < kBetween) return;
  told = {generation, now};
  asio::co_spawn(executor_, Report(std::move(request)), asio::detached);
}

asio::awaitable<void> QuotaWatch::Report(vault::ReportQuotaRequest request) {
  Bytes body = request.Encode();
  const Result<vault::Answer> answer = co_await client_.Ask(vault::Operation::kReportQuota, std::move(body), base::MonoMicros() + kPatience);
  if (answer) {
    base::Log(base::Level::kWarning, "quota_spent", {{"profile_ref", request.profile_ref}, {"tokens", request.tokens}});
  } else {
    base::LogError("quota_report_failed", answer.error(), {{"profile_ref", request.profile_ref}});
  }
}

}  // namespace strongroom::worker
