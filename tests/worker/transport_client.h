// One event loop and one Transport, driven to the end of each call.
#pragma once

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/vault/secret_probe.h"
#include "worker/transport.h"

namespace strongroom::worker::test {

using Sent = std::expected<HttpAnswer, TransportFailure>;

inline HttpCall Post(const std::string& url, KeyHeader header, std::string body = "{}") {
  HttpCall call;
  call.method = "POST";
  call.url = url;
  call.headers = {"content-type: application/json"};
  call.key_header = header;
  call.body = std::move(body);
  return call;
}

inline HttpCall Get(const std::string& url) {
  HttpCall call;
  call.method = "GET";
  call.url = url;
  return call;
}

class Client {
 public:
  explicit Client(TransportOptions options)
      : transport(std::make_unique<Transport>(io.get_executor(), std::move(options))) {}

  static std::optional<KeyToSend> Key(const std::string& key, const std::string& url) {
    return KeyToSend(vault::SecretProbe::Of(key), *vault::Origin::OfEndpoint(url));
  }

  // Begin starts a call; its result is there once `io` has run.
  std::shared_ptr<std::optional<Sent>> Begin(HttpCall call, std::optional<KeyToSend> key = std::nullopt,
                                             base::Micros within = 10 * base::kMicrosPerSecond) {
    auto result = std::make_shared<std::optional<Sent>>();
    asio::co_spawn(io, transport->Send(std::move(call), std::move(key), base::MonoMicros() + within),
                   [result](std::exception_ptr broken, Sent sent) {
                     if (!broken) *result = std::move(sent);
                   });
    return result;
  }
  // Send makes one call to its end, and to the end of the loop: nothing may be left to wait for.
  Sent Send(HttpCall call, std::optional<KeyToSend> key = std::nullopt,
            base::Micros within = 10 * base::kMicrosPerSecond) {
    const auto result = Begin(std::move(call), std::move(key), within);
    io.restart();
    io.run();
    return result->has_value() ? **result : Sent(std::unexpected(TransportFailure::kInternal));
  }
  Sent SendKey(const std::string& url, KeyHeader header, const std::string& key,
               const std::string& body = "{}", base::Micros within = 10 * base::kMicrosPerSecond) {
    return Send(Post(url + "/v1/messages", header, body), Key(key, url), within);
  }

  asio::io_context io{1};
  std::unique_ptr<Transport> transport;
};

}  // namespace strongroom::worker::test
