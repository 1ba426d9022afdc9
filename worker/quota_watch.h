// QuotaWatch tells vaultd that a profile has spent its month's tokens. vaultd decides (vault/quota_acts.cpp); its epoch then moves, and every worker asks
// for the profile anew.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "vault/client.h"

namespace strongroom::worker {

class QuotaWatch {
 public:
  // All belongs to one event loop; the client outlives it.
  QuotaWatch(asio::any_io_executor executor, vault::Client& client) : executor_(std::move(executor)), client_(client) {}

  // Tell goes on by itself: nobody waits for it. Of one profile as it was read in one `generation` (worker/profile_cache.h) vaultd is told once a
  // minute at most: all calls under way find the quota spent.
  void Tell(vault::ReportQuotaRequest request, std::int64_t generation);

 private:
  struct Told {
    std::int64_t generation = -1;
    base::Micros at = 0;  // MonoMicros
  };
  asio::awaitable<void> Report(vault::ReportQuotaRequest request);

  asio::any_io_executor executor_;
  vault::Client& client_;
  std::map<std::string, Told, std::less<>> told_;  // by PROFILE_REF: no more than there are profiles with a quota
};

}  // namespace strongroom::worker
