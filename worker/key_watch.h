// KeyWatch tells vaultd which keys providers refuse, and probes one where vaultd wants it: only what the probe is answered decides
// (vault/suspects.h). It waits before a probe as long as vaultd says.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "vault/client.h"
#include "worker/transport.h"

namespace strongroom::worker {

class KeyWatch {
 public:
  // Call is one that the provider has answered: customer, request_id and attempt are what its key was resolved for. `endpoint` and
  // `api_version` are the profile's: what a probe is sent by.
  struct Call {
    std::string key_ref, customer, request_id;
    std::int64_t attempt = 0;
    std::string endpoint, api_version;
    std::int64_t status = 0;  // HTTP
  };

  // All belongs to one event loop; client and transport outlive it.
  KeyWatch(asio::any_io_executor executor, vault::Client& client, Transport& transport)
      : executor_(std::move(executor)), client_(client), transport_(transport) {}

  // Tell reports the call, and goes on by itself: nobody waits for it. A vaultd that is away is not told.
  void Tell(Call call);

 private:
  asio::awaitable<void> Report(Call call);
  // Probe goes on for as long as vaultd wants it to.
  asio::awaitable<void> Probe(Call call, vault::ReportCallAnswer told);
  asio::awaitable<vault::ReportCallAnswer> ProbeOnce(const Call& call);

  asio::any_io_executor executor_;
  vault::Client& client_;
  Transport& transport_;
};

}  // namespace strongroom::worker
