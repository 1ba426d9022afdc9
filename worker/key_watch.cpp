#include "worker/key_watch.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "worker/probe.h"

namespace strongroom::worker {
namespace {

constexpr base::Micros kReportPatience = 5 * base::kMicrosPerSecond;
// vaultd tells another worker to probe after 7 s.
constexpr base::Micros kProbePatience = 5 * base::kMicrosPerSecond;
constexpr std::int64_t kLongestWaitMs = 10'000;

}  // namespace

void KeyWatch::Tell(Call call) { asio::co_spawn(executor_, Report(std::move(call)), asio::detached); }

asio::awaitable<void> KeyWatch::Report(Call call) {
  vault::ReportCallRequest request;
  request.key_ref = call.key_ref;
  request.customer = call.customer;
  request.request_id = call.request_id;
  request.attempt = call.attempt;
  request.status = call.status;
  Bytes body = request.Encode();
  const Result<vault::Answer> answer =
      co_await client_.Ask(vault::Operation::kReportCall, std::move(body), base::MonoMicros() + kReportPatience);
  const auto told = answer ? vault::ReportCallAnswer::Decode(answer->body) : Fail(answer.error());
  if (!told) {
    base::LogError("key_report_failed", told.error(), {{"key_ref", call.key_ref}});
    co_return;
  }
  if (told->probe) co_await Probe(std::move(call), *told);
}

asio::awaitable<void> KeyWatch::Probe(Call call, vault::ReportCallAnswer told) {
  while (told.probe) {
    asio::steady_timer timer(executor_, std::chrono::milliseconds(std::clamp<std::int64_t>(told.wait_ms, 0, kLongestWaitMs)));
    co_await timer.async_wait(asio::use_awaitable);
    told = co_await ProbeOnce(call);
  }
}

asio::awaitable<vault::ReportCallAnswer> KeyWatch::ProbeOnce(const Call& call) {
  ProbeRoute route;
  route.endpoint = call.endpoint;
  route.api_version = call.api_version;
  const Finding found = co_await ProbeKey(client_, transport_, vault::Operation::kProbeSuspect, call.key_ref, std::move(route),
                                          base::MonoMicros() + kProbePatience);
  // A call that was taken meanwhile has called the probe off, or vaultd is away: it has nothing to be told.
  if (!found.opened) {
    base::Log(base::Level::kInfo, "key_not_probed", {{"key_ref", call.key_ref}, {"why", found.message}});
    co_return vault::ReportCallAnswer{};
  }
  base::Log(base::Level::kWarning, "key_probed",
            {{"key_ref", call.key_ref}, {"ok", found.ok}, {"http_status", std::int64_t{found.status}}});
  vault::ReportProbeRequest request;
  request.key_ref = call.key_ref;
  request.status = found.status;
  Bytes body = request.Encode();
  const Result<vault::Answer> answer =
      co_await client_.Ask(vault::Operation::kReportProbe, std::move(body), base::MonoMicros() + kReportPatience);
  if (!answer) base::LogError("key_report_failed", answer.error(), {{"key_ref", call.key_ref}});
  // The answer to a 401 or 403 is another one: the key is SUSPENDED.
  const bool refused = found.status == 401 || found.status == 403;
  if (!answer || refused) co_return vault::ReportCallAnswer{};
  const auto again = vault::ReportCallAnswer::Decode(answer->body);
  if (!again) base::LogError("key_report_failed", again.error(), {{"key_ref", call.key_ref}});
  co_return again.value_or(vault::ReportCallAnswer{});
}

}  // namespace strongroom::worker
