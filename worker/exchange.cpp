#include "worker/exchange.h"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "base/log.h"
#include "worker/retry.h"

namespace strongroom::worker {
namespace {

// A message claimed this often without its call ever beginning is what kills workers: answer it, do not try again.
constexpr std::int64_t kMostClaims = 5;
// Each ask for a key carries a number of its own (vault/PROTOCOL.md). A claim has room for an hour of asks, two a second.
constexpr std::int64_t kAsksPerClaim = 10'000;
constexpr base::Micros kDatabasePause = 500 * base::kMicrosPerMilli;
// Calls in flight are hundreds, and each holds its prompt twice: what no model takes anyway is refused.
constexpr std::size_t kMostPromptBytes = 8U << 20;

double RandomFraction() {
  thread_local std::minstd_rand engine(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

asio::awaitable<void> Sleep(base::Micros micros) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(std::max<base::Micros>(micros, 0)));
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

Exchange::Exchange(Tools& tools, Claimed claimed) : tools_(tools), claimed_(std::move(claimed)) {}

asio::awaitable<void> Exchange::Run() {
  begun_ = base::MonoMicros();
  std::expected<Request, BrokenRequest> request = ParseRequest(claimed_.message);
  if (!request) {
    co_await SettleBroken(std::move(request.error()));
    co_return;
  }
  request_ = std::move(*request);
  identity_.customer = request_.customer;
  identity_.request_id = request_.request_id;
  identity_.content_hash = request_.content_hash;
  attempt_ = claimed_.attempts;
  const base::Micros timeout =
      request_.timeout_ms.value_or(tools_.config.worker.timeout_ms) * base::kMicrosPerMilli;
  deadline_wall_ = claimed_.deadline.value_or(claimed_.claimed_at + timeout);
  // The wall clock may jump: what is left of the time-out is bounded by the time-out itself.
  deadline_ = base::MonoMicros() + std::min(deadline_wall_ - base::WallMicros(), timeout);
  co_await Serve();
}

asio::awaitable<void> Exchange::Serve() {
  if (claimed_.call_begun_at) {
    co_await FinishFailed(ErrorCode::kTimeout,
                          "a worker stopped while the call may have been under way; it is not made twice");
    co_return;
  }
  std::optional<Failure> failure;
  if (claimed_.claims > kMostClaims) {
    failure = MakeFailure(ErrorCode::kInternal, "workers stopped repeatedly while serving this request");
  } else {
    failure = co_await Prepare();
  }
  if (failure) {
    co_await RefuseUncalled(std::move(*failure));
    co_return;
  }
  if (MayHold()) {
    co_await Hold();
    co_return;
  }
  while (true) {
    ++attempt_;
    const Step begun = co_await BeginCall();
    if (begun == Step::kEnded) co_return;
    std::optional<Verdict> verdict = co_await CallOnce();
    if (!verdict) continue;
    if (MayHold()) {
      co_await Hold();
      co_return;
    }
    co_await Finish(std::move(*verdict));
    co_return;
  }
}

// Everything that can be known to fail before a call begins.
asio::awaitable<std::optional<Failure>> Exchange::Prepare() {
  Result<std::shared_ptr<const Profile>> profile = co_await tools_.profiles.Find(request_.profile_ref, deadline_);
  if (!profile) co_return OfRefusal(profile.error());
  profile_ = *profile;
  if (profile_->key_noticed) noticed_in_ = tools_.profiles.generation();
  if (profile_->customer != request_.customer || profile_->status == "TERMINATED") {
    co_return MakeFailure(ErrorCode::kProfileNotFound, "no such profile for this customer");
  }
  std::optional<Failure> spent = co_await CheckQuota();
  if (spent) co_return spent;
  if (profile_->status != "ACTIVE") {
    co_return MakeFailure(ErrorCode::kProfileNotFound, "the profile is " + profile_->status);
  }
  provider_ = FindProvider(profile_->provider);
  if (provider_ == nullptr) co_return MakeFailure(ErrorCode::kInternal, "the profile names an unknown provider");
  model_ = ModelUsed(request_, *profile_);
  if (!AllowsModel(*profile_, model_)) {
    co_return MakeFailure(ErrorCode::kInvalidRequest, "the profile does not allow this model");
  }
  std::optional<Failure> unread = co_await LoadPrompt();
  if (unread) co_return unread;
  Result<std::shared_ptr<const ProfileCache::Rates>> rates = co_await tools_.profiles.FindRates(deadline_);
  if (!rates) co_return OfRefusal(rates.error());
  rates_ = *rates;
  // The house pays for what it hosts: a call that nobody can put a price to is not made (INTERFACES, RATE_CARD).
  const bool priced = Cost(*rates_, profile_->provider, model_, 0, 0, base::WallMicros()).has_value();
  if (profile_->mode == "H" && !priced) {
    co_return MakeFailure(ErrorCode::kInvalidRequest, "the house's key is used for models that have a rate (`keytool rate set MODEL`), and this one has none");
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<Failure>> Exchange::LoadPrompt() {
  if (request_.prompt) {
    prompt_ = *request_.prompt;
    co_return std::nullopt;
  }
  while (true) {
    Result<std::string> text = co_await tools_.store.LoadText(*request_.prompt_ref, request_.customer);
    if (text && text->size() > kMostPromptBytes) {
      co_return MakeFailure(ErrorCode::kInvalidRequest, "the stored prompt has more than 8 MiB");
    }
    if (text && text->empty()) co_return MakeFailure(ErrorCode::kInvalidRequest, "the stored prompt is empty");
    if (text) {
      prompt_ = std::move(*text);
      co_return std::nullopt;
    }
    if (text.error().code() == Code::kNotFound) {
      co_return MakeFailure(ErrorCode::kInvalidRequest, "prompt_ref names no stored prompt of this customer");
    }
    base::LogError("prompt_failed", text.error(), {{"request_id", request_.request_id}});
    if (base::MonoMicros() + kDatabasePause >= deadline_) {
      co_return MakeFailure(ErrorCode::kTimeout, "the stored prompt could not be read within the deadline");
    }
    co_await Sleep(kDatabasePause);
  }
}

asio::awaitable<void> Exchange::Hold() {
  base::Log(base::Level::kInfo, "request_held",
            {{"request_id", request_.request_id}, {"customer", request_.customer}, {"profile_ref", request_.profile_ref}});
  while (true) {
    const Result<void> held = co_await tools_.store.Hold(claimed_.id);
    // What was held behind the news that its key goes on would wait for the next.
    if (held && noticed_in_ != tools_.profiles.generation()) tools_.profiles.Forget();
    if (held) co_return;
    base::LogError("hold_failed", held.error(), {{"request_id", request_.request_id}});
    co_await Sleep(kDatabasePause);
  }
}

asio::awaitable<Exchange::Step> Exchange::BeginCall() {
  if (profile_->key_ref) {
    // A vaultd that is away is waited for before the row says that a call may be under way.
    const Result<void> connected = co_await tools_.client.Connected(deadline_);
    if (!connected) {
      Failure failure = OfRefusal(connected.error());
      co_await RefuseUncalled(std::move(failure));
      co_return Step::kEnded;
    }
  }
  co_return co_await Admit();
}

// The request_id decides before what is wrong with this message: one that was used before is answered as such, or the
// reply that is there would stand in the way of this one's and nobody would be answered.
asio::awaitable<void> Exchange::RefuseUncalled(Failure failure) {
  const Step admitted = co_await Admit();
  if (admitted == Step::kEnded) co_return;
  Verdict refused(std::move(failure));
  co_await Finish(std::move(refused));
}

// A request that was not admitted must not be settled under its identity: the same request may be under way in another
// message, and its reply is the one that counts. So a work database that is away is waited for, here as in settling.
asio::awaitable<Exchange::Step> Exchange::Admit() {
  while (true) {
    const Result<Admission> admission =
        co_await tools_.store.Begin(claimed_.id, identity_, attempt_, deadline_wall_);
    if (admission) co_return co_await Obey(*admission);
    base::LogError("begin_failed", admission.error(), {{"request_id", request_.request_id}});
    co_await Sleep(kDatabasePause);
  }
}

asio::awaitable<Exchange::Step> Exchange::Obey(Admission admission) {
  switch (admission) {
    case Admission::kBegun: co_return Step::kGoOn;
    case Admission::kLostLease: break;
    case Admission::kAnswered:
    case Admission::kUnderWay: co_await LeaveToFirst(admission); break;
    case Admission::kOtherContent: {
      BrokenRequest reused;
      reused.problem = "request_id was used before with other content";
      reused.reply_queue = request_.reply_queue;
      reused.request_id = request_.request_id;
      reused.customer = request_.customer;
      reused.metadata = request_.metadata;
      co_await SettleBroken(std::move(reused));
      break;
    }
  }
  co_return Step::kEnded;
}

// The message must not stay leased: a busy worker renews its leases, and nobody would ever see it again.
asio::awaitable<void> Exchange::LeaveToFirst(Admission admission) {
  while (true) {
    Result<void> left;
    if (admission == Admission::kAnswered) left = co_await tools_.store.AnswerAgain(claimed_.id, identity_);
    else left = co_await tools_.store.Drop(claimed_.id);
    if (left) co_return;
    base::LogError("acknowledge_failed", left.error(), {{"request_id", request_.request_id}});
    co_await Sleep(kDatabasePause);
  }
}

std::int64_t Exchange::AskNumber() const { return (claimed_.claims - 1) * kAsksPerClaim + asks_; }

// What became of an ask without an answer nobody knows: its key may have been released. So none is made twice.
std::optional<Bytes> Exchange::NextAsk() {
  if (++asks_ >= kAsksPerClaim) return std::nullopt;
  vault::ResolveRequest ask;
  ask.request_id = request_.request_id;
  ask.attempt = AskNumber();
  ask.customer = request_.customer;
  ask.profile_ref = request_.profile_ref;
  return ask.Encode();
}

asio::awaitable<std::expected<KeyToSend, Failure>> Exchange::ResolveKey() {
  const NextBody next = [this] { return NextAsk(); };
  Result<vault::Answer> answer = co_await AskPatiently(tools_.client, vault::Operation::kResolve, next, deadline_);
  if (!answer) {
    if (vault::RefusalOf(answer.error()) == vault::Refusal::kKeyNoticed) noticed_in_ = tools_.profiles.generation();
    base::Log(base::Level::kWarning, "key_refused",
              {{"request_id", request_.request_id},
               {"customer", request_.customer},
               {"reason", answer.error().refusal() == 0 ? base::CodeName(answer.error().code())
                                                        : vault::RefusalName(vault::RefusalOf(answer.error()))}});
    co_return std::unexpected(OfRefusal(answer.error()));
  }
  const Result<vault::ResolveAnswer> facts = vault::ResolveAnswer::Decode(answer->body);
  if (!facts || !answer->secret) {
    co_return std::unexpected(MakeFailure(ErrorCode::kInternal, "the vault's answer could not be read"));
  }
  Result<vault::Origin> origin = vault::Origin::Parse(facts->origin);
  if (!origin) co_return std::unexpected(MakeFailure(ErrorCode::kInternal, "the vault named no origin"));
  key_ref_ = facts->key_ref;
  key_watched_ = facts->watched;
  base::Log(base::Level::kInfo, "key_resolved",
            {{"request_id", request_.request_id},
             {"customer", request_.customer},
             {"key_ref", facts->key_ref},
             {"seq", facts->seq},
             {"trail_size", facts->trail_size}});
  co_return KeyToSend(std::move(*answer->secret), std::move(*origin));
}

asio::awaitable<std::optional<Exchange::Verdict>> Exchange::CallOnce() {
  std::optional<KeyToSend> key;
  if (profile_->key_ref) {
    std::expected<KeyToSend, Failure> resolved = co_await ResolveKey();
    if (!resolved) co_return Verdict(std::move(resolved.error()));
    key.emplace(std::move(*resolved));
  }
  std::set<std::string> without = dropped_;
  if (const auto known = tools_.refused_parameters.find({profile_->endpoint, model_});
      known != tools_.refused_parameters.end()) {
    without.insert(known->second.begin(), known->second.end());
  }
  HttpCall call = provider_->BuildCall(request_, *profile_, prompt_, without);
  left_out_ = call.left_out;
  base::Log(base::Level::kInfo, "call_start",
            {{"request_id", request_.request_id},
             {"customer", request_.customer},
             {"provider", profile_->provider},
             {"model", model_},
             {"attempt", attempt_}});
  std::expected<HttpAnswer, TransportFailure> answer =
      co_await tools_.transport.Send(std::move(call), std::move(key), deadline_);
  co_return co_await Judge(std::move(answer));
}

asio::awaitable<std::optional<Exchange::Verdict>> Exchange::Judge(std::expected<HttpAnswer, TransportFailure> answer) {
  if (!answer) {
    const std::string text(TransportFailureText(answer.error()));
    switch (answer.error()) {
      case TransportFailure::kConnect: {
        Failure last = MakeFailure(ErrorCode::kProviderError, text);
        const base::Micros pause = Backoff(static_cast<int>(attempt_) + 1, RandomFraction());
        co_return co_await PauseBeforeNext(pause, false, std::move(last));
      }
      // Whether the provider did the work and billed it is unknown: never call twice.
      case TransportFailure::kTimeout:
      case TransportFailure::kLost: co_return Verdict(MakeFailure(ErrorCode::kTimeout, text));
      case TransportFailure::kTooLarge: co_return Verdict(MakeFailure(ErrorCode::kProviderError, text));
      case TransportFailure::kSplice:
      case TransportFailure::kInternal: break;
    }
    co_return Verdict(MakeFailure(ErrorCode::kInternal, text));
  }
  TellOfKey(*answer);
  CallOutcome outcome = provider_->ReadAnswer(*answer);
  // What is needed of it has been read; a provider that echoes a key must not leave it in freed memory.
  explicit_bzero(answer->body.data(), answer->body.size());
  if (auto* failure = std::get_if<CallFailure>(&outcome)) {
    co_return co_await AfterFailure(*answer, std::move(*failure));
  }
  CallSuccess& read = std::get<CallSuccess>(outcome);
  Success success;
  success.response = std::move(read.text);
  success.model_used = read.model.empty() ? model_ : std::move(read.model);
  success.finish_reason = std::move(read.finish_reason);
  success.tokens_in = read.tokens_in;
  success.tokens_out = read.tokens_out;
  success.latency_ms = (base::MonoMicros() - begun_) / base::kMicrosPerMilli;
  success.dropped = left_out_;
  co_return Verdict(std::move(success));
}

// A 429 or a 5xx says nothing of the key.
void Exchange::TellOfKey(const HttpAnswer& answer) const {
  if (!key_ref_) return;
  const bool refused = answer.status == 401 || answer.status == 403;
  const bool took = answer.status >= 200 && answer.status < 300;
  if (!refused && !(took && key_watched_)) return;
  KeyWatch::Call call{*key_ref_, request_.customer, request_.request_id, AskNumber(),
                      profile_->endpoint, profile_->api_version.value_or(""), answer.status};
  tools_.watch.Tell(std::move(call));
}

asio::awaitable<std::optional<Exchange::Verdict>> Exchange::AfterFailure(const HttpAnswer& answer,
                                                                         CallFailure failure) {
  if (failure.unsupported_parameter && !dropped_.contains(*failure.unsupported_parameter)) {
    // A 400 is not billed: one resend without the parameter, and the model is remembered for it.
    const std::string parameter = *failure.unsupported_parameter;
    dropped_.insert(parameter);
    tools_.refused_parameters[{profile_->endpoint, model_}].insert(parameter);
    base::Log(base::Level::kWarning, "parameter_dropped",
              {{"request_id", request_.request_id}, {"model", model_}, {"parameter", parameter}});
    co_return std::nullopt;
  }
  Failure last = MakeFailure(failure.code, std::move(failure.message));
  const std::optional<base::Micros> asked = RetryAfter(answer, base::WallMicros());
  if (!failure.retry) {
    if (asked) last.retry_after_ms = *asked / base::kMicrosPerMilli;
    co_return Verdict(std::move(last));
  }
  const base::Micros wanted = asked.value_or(Backoff(static_cast<int>(attempt_) + 1, RandomFraction()));
  co_return co_await PauseBeforeNext(wanted, asked.has_value(), std::move(last));
}

asio::awaitable<std::optional<Exchange::Verdict>> Exchange::PauseBeforeNext(base::Micros wanted, bool asked_for,
                                                                            Failure last) {
  if (asked_for) last.retry_after_ms = wanted / base::kMicrosPerMilli;
  if (attempt_ >= tools_.config.worker.max_attempts || base::MonoMicros() + wanted >= deadline_) {
    co_return Verdict(std::move(last));
  }
  const Result<void> ended = co_await tools_.store.CallEnded(claimed_.id);
  if (!ended) co_return Verdict(std::move(last));
  co_await Sleep(wanted);
  co_return std::nullopt;
}

}  // namespace strongroom::worker
