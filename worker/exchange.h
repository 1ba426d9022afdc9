// Exchange: one request's life, from its claim to what must be settled. It reads top to bottom in one coroutine.
#pragma once

#include <asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "vault/client.h"
#include "worker/contract.h"
#include "worker/key_watch.h"
#include "worker/profile_cache.h"
#include "worker/provider/provider.h"
#include "worker/quota_watch.h"
#include "worker/queue/work_store.h"
#include "worker/transport.h"

namespace strongroom::worker {

// Tools is what every exchange of a worker shares; it outlives them all.
struct Tools {
  WorkStore& store;
  vault::Client& client;
  ProfileCache& profiles;
  Transport& transport;
  KeyWatch& watch;
  QuotaWatch& quota;
  const base::Config& config;
  // Parameters that a model at an endpoint is known to refuse, learnt from its 400s. By endpoint: what one customer's own
  // server refuses says nothing of another's.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> refused_parameters;
};

// Exchange serves one claimed message and settles it, whatever happens. It owns all it needs but the tools.
class Exchange {
 public:
  Exchange(Tools& tools, Claimed claimed);
  // Run ends with the message settled, dropped, or its lease lost.
  asio::awaitable<void> Run();

 private:
  using Verdict = std::variant<Success, Failure>;
  enum class Step : std::uint8_t { kGoOn, kEnded };

  asio::awaitable<void> Serve();
  asio::awaitable<std::optional<Failure>> Prepare();
  asio::awaitable<std::optional<Failure>> LoadPrompt();
  asio::awaitable<Step> BeginCall();
  // Admit makes this message the one under its request_id, or ends the exchange as what that id already is.
  asio::awaitable<Step> Admit();
  asio::awaitable<Step> Obey(Admission admission);
  asio::awaitable<void> LeaveToFirst(Admission admission);
  asio::awaitable<void> RefuseUncalled(Failure failure);
  // Hold leaves the message in the queue until its key goes on, where nothing was sent for it.
  asio::awaitable<void> Hold();
  bool MayHold() const { return noticed_in_ && claimed_.attempts == 0 && attempt_ <= 1 && asks_ <= 1; }
  void TellOfKey(const HttpAnswer& answer) const;
  // CheckQuota refuses a request of a profile that has spent its month's tokens; QuotaSpent tells vaultd where it has.
  asio::awaitable<std::optional<Failure>> CheckQuota();
  asio::awaitable<bool> QuotaSpent();
  Failure OverQuota(base::Micros until) const;
  asio::awaitable<std::expected<KeyToSend, Failure>> ResolveKey();
  std::optional<Bytes> NextAsk();
  // AskNumber is that of the last ask for a key (vault/PROTOCOL.md, ResolveRequest.attempt).
  std::int64_t AskNumber() const;
  // CallOnce makes one attempt; nullopt means "again", after whatever pause it has taken.
  asio::awaitable<std::optional<Verdict>> CallOnce();
  asio::awaitable<std::optional<Verdict>> Judge(std::expected<HttpAnswer, TransportFailure> answer);
  asio::awaitable<std::optional<Verdict>> AfterFailure(const HttpAnswer& answer, CallFailure failure);
  asio::awaitable<std::optional<Verdict>> PauseBeforeNext(base::Micros wanted, bool asked_for, Failure last);
  asio::awaitable<void> Finish(Verdict verdict);
  // FinishFailed is Finish with a failure, made outside the co_await expression (g++ 12 destroys aggregates there twice).
  asio::awaitable<void> FinishFailed(ErrorCode code, std::string message);
  asio::awaitable<void> SettleBroken(BrokenRequest broken);
  asio::awaitable<void> SettleFully(Settlement settlement);

  Failure MakeFailure(ErrorCode code, std::string message) const;
  Failure OfRefusal(const Error& error) const;
  Settlement MakeSettlement(const Verdict& verdict);
  Usage MakeUsage(const Verdict& verdict);
  void LogEnd(const Verdict& verdict) const;

  Tools& tools_;
  Claimed claimed_;
  Request request_;
  Identity identity_;
  std::string prompt_;
  std::shared_ptr<const Profile> profile_;
  std::shared_ptr<const ProfileCache::Rates> rates_;
  const Provider* provider_ = nullptr;
  std::string model_;
  std::optional<std::string> key_ref_;
  bool key_watched_ = false;  // vaultd wants to hear of its successes too
  std::optional<std::int64_t> noticed_in_;  // of the profiles, when vaultd said that it is suspended because its provider refuses it
  std::set<std::string> dropped_;      // by this exchange's own resends
  std::vector<std::string> left_out_;  // what was set but not sent in the last call: the reply's `dropped`
  std::int64_t attempt_ = 0;       // the number of the call under way, or of the last one
  std::int64_t asks_ = 0;          // for a key, under this claim
  base::Micros deadline_ = 0;       // MonoMicros
  base::Micros deadline_wall_ = 0;  // the same moment, as the row keeps it
  base::Micros begun_ = 0;          // MonoMicros at the start of this exchange
};

}  // namespace strongroom::worker
