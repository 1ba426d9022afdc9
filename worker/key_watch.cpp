#include "worker/key_watch.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "worker/probe.h"

namespace strongroom::worker {
namespace {

constexpr base::Micros kReportPatience = 5 * base::kMicrosPerSecond;
// vaultd tells another worker to probe after 30 s.
constexpr base::Micros kProbePatience = 20 * base::kMicrosPerSecond;

}  // namespace

void KeyWatch::Tell(Call call) { asio::co_spawn(executor_, Report(std::move(call)), asio::detached); }

asio::awaitable<void> KeyWatch::Report(Call call) {
  vault::ReportCallRequest request;
  request.key_ref = call.key_ref;
  request.request_id = call.request_id;
  request.status = call.status;
  Bytes body = request.Encode();
  const Result<vault::Answer> answer =
      co_await client_.Ask(vault::Operation::kReportCall, std::move(body), base::MonoMicros() + kReportPatience);
  const auto told = answer ? vault::ReportCallAnswer::Decode(answer->body) : Fail(answer.error());
  if (!told) {
    base::LogError("key_report_failed", told.error(), {{"key_ref", call.key_ref}});
    co_return;
  }
  if (told->probe) co_await Probe(std::move(call));
}

asio::awaitable<void> KeyWatch::Probe(Call call) {
  ProbeRoute route;
  route.endpoint = call.endpoint;
  route.api_version = call.api_version;
  const Finding found = co_await ProbeKey(client_, transport_, vault::Operation::kProbeSuspect, call.key_ref, std::move(route),
                                          base::MonoMicros() + kProbePatience);
  base::Log(base::Level::kWarning, "key_probed",
            {{"key_ref", call.key_ref}, {"ok", found.ok}, {"http_status", std::int64_t{found.status}}});
  vault::ReportProbeRequest request;
  request.key_ref = call.key_ref;
  request.status = found.status;
  Bytes body = request.Encode();
  const Result<vault::Answer> answer =
      co_await client_.Ask(vault::Operation::kReportProbe, std::move(body), base::MonoMicros() + kReportPatience);
  if (!answer) base::LogError("key_report_failed", answer.error(), {{"key_ref", call.key_ref}});
}

}  // namespace strongroom::worker
