// How an exchange ends: the reply, the usage row, and the settlement that is tried until it stands.
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>

#include "base/log.h"
#include "vault/digest.h"
#include "worker/exchange.h"

namespace strongroom::worker {
namespace {

constexpr auto kSettlePause = std::chrono::milliseconds(500);

// A response that outgrew a message is found under a name that only its own request can produce.
std::string ResponseRef(const Identity& identity) {
  const std::string name = identity.customer + "/" + identity.request_id;
  return "response/" + base::Hex(vault::Sha256(base::AsBytes(name))).substr(0, 32);
}

}  // namespace

Failure Exchange::MakeFailure(ErrorCode code, std::string message) const {
  Failure failure;
  failure.code = code;
  failure.message = std::move(message);
  failure.attempts = attempt_;
  return failure;
}

Failure Exchange::OfRefusal(const Error& error) const {
  if (error.code() == Code::kDeadlineExceeded) {
    return MakeFailure(ErrorCode::kTimeout, "the vault could not answer within the request's deadline");
  }
  if (IsCeiling(error)) return MakeFailure(ErrorCode::kRateLimited, error.Message());
  // What vaultd could not do for the time being was waited for until the deadline.
  if (error.code() == Code::kUnavailable || error.code() == Code::kResourceExhausted) {
    return MakeFailure(ErrorCode::kTimeout, error.Message());
  }
  if (error.code() == Code::kPermissionDenied && error.refusal() == 0) {
    return MakeFailure(ErrorCode::kInternal, error.Message());
  }
  using vault::Refusal;
  switch (vault::RefusalOf(error)) {
    case Refusal::kProfileOverQuota: return MakeFailure(ErrorCode::kRateLimited, error.Message());
    case Refusal::kProfileUnknown:
    case Refusal::kProfileNotActive: return MakeFailure(ErrorCode::kProfileNotFound, error.Message());
    case Refusal::kMalformed:
    case Refusal::kUnknownOperation:
    case Refusal::kNoRole:
    case Refusal::kInternal: return MakeFailure(ErrorCode::kInternal, error.Message());
    default: return MakeFailure(ErrorCode::kProviderAuth, error.Message());
  }
}

Usage Exchange::MakeUsage(const Verdict& verdict) {
  Usage usage;
  usage.request_id = request_.request_id;
  usage.customer = request_.customer;
  usage.profile_ref = request_.profile_ref;
  usage.model = model_;
  usage.version = request_.version;
  usage.attempts = attempt_;
  usage.key_ref = key_ref_;
  if (profile_) usage.provider = profile_->provider;
  usage.latency_ms = (base::MonoMicros() - begun_) / base::kMicrosPerMilli;
  if (const auto* failure = std::get_if<Failure>(&verdict)) {
    usage.status = "error";
    usage.error_code = std::string(ErrorCodeName(failure->code));
    return usage;
  }
  const Success& success = std::get<Success>(verdict);
  usage.status = "success";
  usage.tokens_in = success.tokens_in;
  usage.tokens_out = success.tokens_out;
  const std::optional<double> cost =
      Cost(*rates_, profile_->provider, model_, success.tokens_in, success.tokens_out, base::WallMicros());
  if (!cost) base::Log(base::Level::kWarning, "unpriced", {{"provider", profile_->provider}, {"model", model_}});
  usage.cost_usd = cost.value_or(0.0);
  return usage;
}

Settlement Exchange::MakeSettlement(const Verdict& verdict) {
  Settlement settlement;
  settlement.id = claimed_.id;
  settlement.owner = tools_.store.owner();
  settlement.reply_to = request_.reply_queue;
  settlement.identity = identity_;
  settlement.usage = MakeUsage(verdict);
  if (const auto* failure = std::get_if<Failure>(&verdict)) {
    settlement.reply = FailureReply(request_.request_id, request_.metadata, *failure);
    return settlement;
  }
  const Success& success = std::get<Success>(verdict);
  settlement.reply = SuccessReply(request_.request_id, request_.metadata, success);
  if (settlement.reply.size() > kMostMessageBytes) {
    Success by_name = success;
    by_name.response_ref = ResponseRef(identity_);
    by_name.response.clear();
    settlement.response_text = StoredText{*by_name.response_ref, identity_.customer, success.response};
    settlement.reply = SuccessReply(request_.request_id, request_.metadata, by_name);
  }
  return settlement;
}

void Exchange::LogEnd(const Verdict& verdict) const {
  const std::int64_t latency = (base::MonoMicros() - begun_) / base::kMicrosPerMilli;
  const std::string_view provider = profile_ ? std::string_view(profile_->provider) : "";
  if (const auto* failure = std::get_if<Failure>(&verdict)) {
    base::Log(base::Level::kWarning, "call_complete",
              {{"request_id", request_.request_id},
               {"customer", request_.customer},
               {"provider", provider},
               {"model", model_},
               {"latency_ms", latency},
               {"attempts", attempt_},
               {"status", "error"},
               {"error_code", ErrorCodeName(failure->code)},
               {"error_message", failure->message}});
    return;
  }
  const Success& success = std::get<Success>(verdict);
  base::Log(base::Level::kInfo, "call_complete",
            {{"request_id", request_.request_id},
             {"customer", request_.customer},
             {"provider", provider},
             {"model", model_},
             {"tokens_in", success.tokens_in.value_or(-1)},
             {"tokens_out", success.tokens_out.value_or(-1)},
             {"latency_ms", latency},
             {"attempts", attempt_},
             {"status", "success"},
             {"key_ref", key_ref_.value_or("")}});
}

asio::awaitable<void> Exchange::Finish(Verdict verdict) {
  LogEnd(verdict);
  Settlement settlement = MakeSettlement(verdict);
  co_await SettleFully(std::move(settlement));
  if (std::holds_alternative<Success>(verdict)) co_await QuotaSpent();
}

asio::awaitable<void> Exchange::FinishFailed(ErrorCode code, std::string message) {
  return Finish(Verdict(MakeFailure(code, std::move(message))));
}

asio::awaitable<void> Exchange::SettleBroken(BrokenRequest broken) {
  Failure failure;
  failure.code = ErrorCode::kInvalidRequest;
  failure.message = std::move(broken.problem);
  failure.attempts = 0;
  Settlement settlement;
  settlement.id = claimed_.id;
  settlement.owner = tools_.store.owner();
  settlement.reply_to = std::move(broken.reply_queue);
  settlement.customer = std::move(broken.customer);
  settlement.request_id = broken.request_id;
  settlement.reply = FailureReply(broken.request_id.value_or(""), broken.metadata, failure);
  settlement.dead_reason = failure.message;
  base::Log(base::Level::kWarning, settlement.reply_to ? base::Literal("invalid_request") : base::Literal("dead_letter"),
            {{"request_id", broken.request_id.value_or("")}, {"problem", failure.message}});
  co_await SettleFully(std::move(settlement));
}

// An answer that was paid for must not be lost to a busy or full database: it is tried again while the lease is ours.
asio::awaitable<void> Exchange::SettleFully(Settlement settlement) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (true) {
    const Result<Settled> settled = co_await tools_.store.Settle(settlement);
    if (settled) {
      if (*settled == Settled::kLostLease) {
        base::Log(base::Level::kWarning, "lease_lost", {{"request_id", request_.request_id}});
      }
      co_return;
    }
    base::LogError("settle_failed", settled.error(), {{"request_id", request_.request_id}});
    timer.expires_after(kSettlePause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace strongroom::worker
