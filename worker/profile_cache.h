// ProfileCache: profiles and the rate card, as vaultd gave them, until the vault's epoch moves.
#pragma once

#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "vault/client.h"
#include "worker/profile.h"

namespace strongroom::worker {

// ProfileCache belongs to one event loop. It forgets everything on each epoch notice and whenever vaultd was away.
class ProfileCache {
 public:
  explicit ProfileCache(vault::Client& client);

  // Find asks vaultd at most once an epoch; it waits for a vaultd that is away until `deadline` (MonoMicros). Errors are
  // vaultd's refusals (kProfileUnknown …), kDeadlineExceeded and kPermissionDenied. Never null.
  asio::awaitable<Result<std::shared_ptr<const Profile>>> Find(const std::string& profile_ref, base::Micros deadline);

  using Rates = std::vector<vault::Rate>;
  asio::awaitable<Result<std::shared_ptr<const Rates>>> FindRates(base::Micros deadline);

  // OnForget is called behind each Forget: profiles and keys may be others now.
  void OnForget(std::function<void()> handler) { on_forget_ = std::move(handler); }

  // generation moves with each Forget.
  std::int64_t generation() const { return generation_; }

  // Forget drops everything: on SIGHUP, and where an answer shows that a profile is stale.
  void Forget();

 private:
  vault::Client& client_;
  std::map<std::string, std::shared_ptr<const Profile>, std::less<>> profiles_;
  std::shared_ptr<const Rates> rates_;
  std::function<void()> on_forget_;
  std::int64_t generation_ = 0;  // moves with Forget, so that an answer asked for before it is not kept after it
};

// IsCeiling is true of a refusal for having asked too often, or for too many keys, within a minute.
bool IsCeiling(const Error& error);

// NextBody makes the body of the next ask; nullopt ends the asking.
using NextBody = std::function<std::optional<Bytes>()>;

// AskPatiently is Client::Ask, asked again while vaultd is away, busy or at a ceiling, until `deadline`; each time with a
// body of its own, so that an ask that must not be repeated is another one. Past the deadline the error is the last
// reason vaultd gave, kDeadlineExceeded where it gave none.
asio::awaitable<Result<vault::Answer>> AskPatiently(vault::Client& client, vault::Operation operation, NextBody next,
                                                    base::Micros deadline);

}  // namespace strongroom::worker
