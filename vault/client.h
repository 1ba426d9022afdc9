// Client: how worker, keytool and auditlog speak to vaultd. Asynchronous; pipelines; reconnects by itself.
#pragma once

#include <sys/types.h>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"
#include "vault/protocol.h"
#include "vault/secret.h"

namespace strongroom::vault {

// ClientOptions: `server_uid` is the only uid that vaultd may run as; nothing is sent to a socket of another owner.
struct ClientOptions {
  std::string socket_path;
  uid_t server_uid = 0;
};

// ClientOptionsFrom takes the socket and vaultd's user from strongroom.toml; kNotFound where there is no such user.
Result<ClientOptions> ClientOptionsFrom(const base::Config& config);

// Answer is what came back: the body's fields, and the secret where the operation has one.
struct Answer {
  Answer(Bytes answer_body, std::optional<SecretValue> answer_secret)
      : body(std::move(answer_body)), secret(std::move(answer_secret)) {}
  Bytes body;
  std::optional<SecretValue> secret;
};

// Client lives on one executor, which runs on one thread, and is used from there alone. It connects at the first Ask or
// Connected, and keeps the executor busy from then until Close. It must not outlive the executor's context.
class Client {
 public:
  Client(asio::any_io_executor executor, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Ask sends one request and waits for its answer until `deadline` (MonoMicros). While vaultd is away it keeps trying
  // to connect; a request whose connection is lost after it was sent ends in kUnavailable and is not sent again by
  // itself: the caller knows whether asking twice is harmless. Other errors: kDeadlineExceeded; kPermissionDenied where
  // the socket belongs to somebody else; a Refusal's own (RefusalOf).
  asio::awaitable<Result<Answer>> Ask(Operation operation, Bytes body, base::Micros deadline,
                                      std::optional<SecretValue> secret = std::nullopt);

  // Connected waits until the connection stands, or kDeadlineExceeded / kPermissionDenied.
  asio::awaitable<Result<void>> Connected(base::Micros deadline);

  // OnEpoch is called with each epoch notice from vaultd, and with −1 whenever the connection was lost: what was cached
  // may then be stale.
  void OnEpoch(std::function<void(std::int64_t)> handler);

  // Close ends the connection and every waiting call (kUnavailable).
  void Close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// LateKey is the error where a key came later than one may be used (vault/lease.h): it is wiped, and may be asked for again.
std::unexpected<Error> LateKey();

// AskOnce connects, asks, and returns the answer: the blocking way, for command lines. It does not wait for a vaultd
// that is away: kUnavailable names the socket's errno at once.
Result<Answer> AskOnce(const ClientOptions& options, Operation operation, Bytes body, base::Micros patience,
                       std::optional<SecretValue> secret = std::nullopt);

}  // namespace strongroom::vault
