#include "worker/profile_cache.h"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <optional>

namespace strongroom::worker {
namespace {

constexpr base::Micros kFirstPause = 20 * base::kMicrosPerMilli;
constexpr base::Micros kLongestPause = 500 * base::kMicrosPerMilli;
// A ceiling opens within a minute, and each ask that it denies is a record of the trail.
constexpr base::Micros kCeilingPause = 2 * base::kMicrosPerSecond;

// MayPass is true of an error that another ask, a little later, need not meet.
bool MayPass(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kResourceExhausted ||
         (error.refusal() != 0 && vault::RefusalOf(error) == vault::Refusal::kAttemptSpent);
}

}  // namespace

bool IsCeiling(const Error& error) {
  if (error.refusal() == 0) return false;
  const vault::Refusal refusal = vault::RefusalOf(error);
  return refusal == vault::Refusal::kKeyCeiling || refusal == vault::Refusal::kUserCeiling;
}

asio::awaitable<Result<vault::Answer>> AskPatiently(vault::Client& client, vault::Operation operation, NextBody next,
                                                    base::Micros deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  std::optional<Error> refusal;  // vaultd's own reason, which a deadline alone would hide
  for (base::Micros pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    std::optional<Bytes> body = next();
    if (!body) co_return Fail(Code::kDeadlineExceeded, "the vault was asked too often for one request");
    Result<vault::Answer> answer = co_await client.Ask(operation, std::move(*body), deadline);
    if (answer) co_return answer;
    const bool passing = MayPass(answer.error());
    if (passing && answer.error().refusal() != 0) refusal = answer.error();
    if (!passing && answer.error().code() != Code::kDeadlineExceeded) co_return answer;
    const base::Micros wait = IsCeiling(answer.error()) ? kCeilingPause : pause;
    if (!passing || base::MonoMicros() + wait >= deadline) {
      if (refusal) co_return Fail(*refusal);
      co_return Fail(Code::kDeadlineExceeded, "the vault could not answer within the request's deadline");
    }
    timer.expires_after(std::chrono::microseconds(wait));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

ProfileCache::ProfileCache(vault::Client& client) : client_(client) {
  client_.OnEpoch([this](std::int64_t) { Forget(); });
}

void ProfileCache::Forget() {
  ++generation_;
  profiles_.clear();
  rates_.reset();
  if (on_forget_) on_forget_();
}

asio::awaitable<Result<std::shared_ptr<const Profile>>> ProfileCache::Find(const std::string& profile_ref,
                                                                           base::Micros deadline) {
  if (const auto known = profiles_.find(profile_ref); known != profiles_.end()) co_return known->second;
  const std::int64_t generation = generation_;
  const NextBody body = [&profile_ref] { return vault::EncodeText(profile_ref); };
  const Result<vault::Answer> answer = co_await AskPatiently(client_, vault::Operation::kGetProfile, body, deadline);
  if (!answer) co_return Fail(answer.error());
  Result<Profile> profile = vault::ProfileAnswer::Decode(answer->body);
  if (!profile) co_return Fail(profile.error());
  auto kept = std::make_shared<const Profile>(std::move(*profile));
  if (generation == generation_) profiles_[profile_ref] = kept;
  co_return kept;
}

asio::awaitable<Result<std::shared_ptr<const ProfileCache::Rates>>> ProfileCache::FindRates(base::Micros deadline) {
  if (rates_) co_return rates_;
  const std::int64_t generation = generation_;
  Rates all;
  for (bool more = true; more;) {
    vault::RatesRequest request;
    if (!all.empty()) request.after_model = all.back().model, request.after_provider = all.back().provider;
    const NextBody body = [&request] { return request.Encode(); };
    const Result<vault::Answer> answer = co_await AskPatiently(client_, vault::Operation::kGetRates, body, deadline);
    if (!answer) co_return Fail(answer.error());
    const Result<vault::RatesAnswer> page = vault::RatesAnswer::Decode(answer->body);
    if (!page) co_return Fail(page.error());
    all.insert(all.end(), page->rates.begin(), page->rates.end());
    more = page->more && !page->rates.empty();
  }
  auto kept = std::make_shared<const Rates>(std::move(all));
  if (generation == generation_) rates_ = kept;
  co_return kept;
}

}  // namespace strongroom::worker
