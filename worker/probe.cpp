#include "worker/probe.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/log.h"
#include "vault/client.h"
#include "worker/splice.h"
#include "worker/transport.h"
#include "worker/worker.h"

namespace strongroom::worker {
namespace {

constexpr base::Micros kPatience = 20 * base::kMicrosPerSecond;
constexpr int kNotFound = 404;

std::string Sentence(const CallFailure& failure, int status) {
  if (failure.code == ErrorCode::kProviderAuth) return "the provider refused the key (HTTP " + std::to_string(status) + ")";
  return failure.message;
}

// Any 2xx proves the key; a 429 does too, for a provider counts only calls it has authenticated.
Finding ReadProbe(const Provider& provider, const HttpAnswer& answer) {
  Finding found;
  found.status = answer.status;
  if ((answer.status >= 200 && answer.status < 300) || answer.status == 429) {
    found.ok = true;
    found.message = "the provider took the key";
    return found;
  }
  const CallOutcome outcome = provider.ReadAnswer(answer);
  const auto* failure = std::get_if<CallFailure>(&outcome);
  found.message = failure == nullptr ? "the provider's answer could not be read" : Sentence(*failure, answer.status);
  return found;
}

}  // namespace

asio::awaitable<Finding> ProbeKey(vault::Client& client, Transport& transport, vault::Operation operation, std::string key_ref,
                                  ProbeRoute route, base::Micros deadline) {
  Finding found;
  Bytes body = vault::EncodeText(key_ref);
  Result<vault::Answer> answer = co_await client.Ask(operation, std::move(body), deadline);
  if (!answer) {
    found.message = answer.error().Message();
    co_return found;
  }
  found.opened = true;
  const Result<vault::ProbeAnswer> facts = vault::ProbeAnswer::Decode(answer->body);
  if (!facts || !answer->secret) {
    found.message = "the vault's answer could not be read";
    co_return found;
  }
  const Provider* provider = FindProvider(facts->provider);
  Result<vault::Origin> origin = vault::Origin::Parse(facts->origin);
  if (provider == nullptr || !origin) {
    found.message = "the key's provider or origin is unknown to this worker";
    co_return found;
  }
  // The key's ORIGIN decides where it goes; an endpoint may only add a path to it.
  const std::string& endpoint = route.endpoint.empty() ? facts->origin : route.endpoint;
  HttpCall call = route.model.empty() ? provider->HealthCheck(endpoint, route.api_version)
                                      : provider->ModelCheck(endpoint, route.api_version, route.model);
  KeyToSend key(std::move(*answer->secret), std::move(*origin));
  std::optional<KeyToSend> sent(std::move(key));
  std::expected<HttpAnswer, TransportFailure> got =
      co_await transport.Send(std::move(call), std::move(sent), deadline);
  if (!got) {
    found.message = TransportFailureText(got.error());
    co_return found;
  }
  found = ReadProbe(*provider, *got);
  found.opened = true;
  if (got->status == kNotFound && !route.model.empty()) found.message = "the provider takes the key, but it has no model " + route.model;
  // A provider that echoes a key must not leave it in freed memory.
  explicit_bzero(got->body.data(), got->body.size());
  co_return found;
}

int RunProbe(const base::Config& config, const std::string& key_ref, const ProbeRoute& route) {
  Finding found;
  const Result<void> live = Splice::SelfTest();
  const Result<vault::ClientOptions> options = vault::ClientOptionsFrom(config);
  TransportOptions transport_options;
  transport_options.ca_file = config.provider.ca_file;
  const Result<void> usable = CheckTransport(transport_options);
  if (!live || !options || !usable) {
    found.message = (!live ? live.error() : !options ? options.error() : usable.error()).Message();
  } else {
    asio::io_context io(1);
    Transport transport(io.get_executor(), transport_options);
    vault::Client client(io.get_executor(), *options);
    const base::Micros deadline = base::MonoMicros() + kPatience;
    auto run = [&]() -> asio::awaitable<void> {
      ProbeRoute way = route;
      found = co_await ProbeKey(client, transport, vault::Operation::kProbe, key_ref, std::move(way), deadline);
      client.Close();
      io.stop();
    };
    asio::co_spawn(io, run, asio::detached);
    io.run();
  }
  std::string line = std::string("{\"ok\":") + (found.ok ? "true" : "false") +
                     ",\"status\":" + std::to_string(found.status) + ",\"message\":";
  base::AppendJsonString(line, found.message);
  std::printf("%s}\n", line.c_str());
  return found.ok ? 0 : 1;
}

}  // namespace strongroom::worker
