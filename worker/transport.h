// Transport: the only room with libcurl. It sends calls over HTTP/1.1 keep-alive connections, many at once on
// one thread.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "vault/origin.h"
#include "vault/secret.h"
#include "worker/provider/provider.h"

namespace strongroom::worker {

// TransportFailure is why there is no answer. Only kConnect is certain not to have reached the provider.
enum class TransportFailure : std::uint8_t {
  kConnect,   // no connection, or no verified TLS session: nothing was sent
  kTimeout,   // the deadline passed
  kLost,      // the connection ended after the request may have been sent
  kTooLarge,  // the answer outgrew kMostAnswerBytes
  kSplice,    // the key could not be placed safely: nothing was sent
  kInternal,
};
std::string_view TransportFailureText(TransportFailure failure);

// KeyToSend is a key and the only origin it may travel to.
struct KeyToSend {
  KeyToSend(vault::SecretValue secret, vault::Origin key_origin)
      : key(std::move(secret)), origin(std::move(key_origin)) {}
  vault::SecretValue key;
  vault::Origin origin;
};

struct TransportOptions {
  std::string ca_file;  // a private CA beside the system's; never trusted for the built-in providers' hosts
  std::size_t connections = 256;  // kept open at most
};

// CheckTransport says whether a Transport could work with these options: kInvalidArgument where ca_file
// cannot be read or holds no certificate. With options that fail it, every Send fails with kInternal.
Result<void> CheckTransport(const TransportOptions& options);

// A connection that has been idle for longer is not used again: below the idle timeouts of providers and their
// load balancers, which begin at 60 s.
inline constexpr base::Micros kMostIdle = 50 * base::kMicrosPerSecond;

struct TransportCounts {
  std::int64_t calls = 0;
  std::int64_t new_connections = 0;
};

// Transport belongs to one executor (one thread) and is used from it alone. Destroying it ends what is in
// flight: those Sends return kLost or kInternal when the executor runs on.
class Transport {
 public:
  Transport(asio::any_io_executor executor, TransportOptions options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Send makes one attempt; there is no redirect, no proxy and no second send inside. A call with a key
  // header needs `key`, an https URL of exactly its origin, and fails with kSplice otherwise; so does a key
  // without a key header. `deadline` is MonoMicros. A coroutine that is cancelled or destroyed takes its
  // transfer with it.
  asio::awaitable<std::expected<HttpAnswer, TransportFailure>> Send(HttpCall call,
                                                                    std::optional<KeyToSend> key,
                                                                    base::Micros deadline);
  TransportCounts counts() const;
  // Rest closes all connections and gives back their memory where nothing has been in flight for `after`. A
  // provider has ended them by then, or is about to.
  void Rest(base::Micros after = kMostIdle);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace strongroom::worker
