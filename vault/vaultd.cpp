#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <sstream>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "vault/arena.h"
#include "vault/exposure.h"
#include "vault/house_user.h"
#include "vault/server.h"
#include "vault/token_thread.h"

namespace strongroom::vault {
namespace {

// ServiceHandler gives the Service to the server.
class ServiceHandler final : public RequestHandler {
 public:
  explicit ServiceHandler(Service& service) : service_(service) {}
  void Handle(const Peer& peer, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret,
              Done done) override {
    service_.Handle(peer, operation, std::move(body), std::move(secret), std::move(done));
  }
  void RecordStrangers(std::int64_t count, const Peer& latest) override { service_.RecordStrangers(count, latest); }
  void OnEpoch(std::function<void(std::int64_t)> handler) override { service_.OnEpoch(std::move(handler)); }
  std::int64_t epoch() const override { return service_.epoch(); }

 private:
  Service& service_;
};

int Refuse(const std::string& problem) {
  std::fprintf(stderr, "vaultd: %s\n", problem.c_str());
  return 1;
}

void ReloadRoles(const std::string& home, Server& server) {
  const auto config = base::LoadConfig(home);
  if (!config) {
    return base::Log(base::Level::kError, "roles_kept", {{"why", config.error().text}});
  }
  auto roles = RolePolicy::Resolve(*config);
  if (!roles) return base::Log(base::Level::kError, "roles_kept", {{"why", roles.error().text}});
  server.SetRoles(std::move(*roles));
  base::Log(base::Level::kInfo, "roles_loaded");
}

std::string Octal(unsigned mode) {
  std::ostringstream text;
  text << std::oct << std::setw(4) << std::setfill('0') << mode;
  return text.str();
}

// It serves all the same: what others could read of it by now is not made unread by stopping.
void WarnOfExposed(const base::Config& config) {
  for (const Exposed& exposed : FindExposed(config)) {
    base::Log(base::Level::kWarning, "others_may_open",
              {{"path", exposed.path}, {"mode", Octal(exposed.mode)}, {"wanted", Octal(exposed.wanted)}});
  }
}

void Serve(const base::Config& config, Server& server, Service& service) {
  server.OnSignal({SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number == SIGHUP) return ReloadRoles(config.home, server);
    base::Log(base::Level::kInfo, "vaultd_stopping", {{"signal", number}});
    server.Stop();
    service.Hurry();  // it is answered while the server still answers
  });
  base::Log(base::Level::kInfo, "vaultd_start",
            {{"socket", config.vault.socket},
             {"epoch", service.epoch()},
             {"protection", ProtectionName(Arena::Process().protection())},
             {"single_user", config.vault.single_user}});
  WarnOfExposed(config);
  server.Run();
}

}  // namespace

namespace {

int ServeHome(const base::Config& config, const ServerLimits& limits) {
  if (const std::string problem = WrongUser(config, "vaultd"); !problem.empty()) return Refuse(problem);
  const auto lock = base::LockFile(config.home + "/vaultd.lock");
  if (!lock && lock.error().code() == Code::kAlreadyExists) {
    return Refuse("another vaultd serves " + config.home + "; stop that one first");
  }
  if (!lock) return Refuse(config.home + "/vaultd.lock: " + lock.error().Message());
  auto roles = RolePolicy::Resolve(config);
  if (!roles) return Refuse(roles.error().text);
  if (const auto log = base::OpenLog(config.log.destination, "vaultd"); !log) {
    return Refuse(config.log.destination + ": " + log.error().Message());
  }
  auto service = Service::Open(config);
  if (!service) return Refuse(service.error().text);
  ServiceHandler handler(**service);
  auto server = Server::Listen(config.vault.socket, std::move(*roles), limits, handler);
  if (!server) return Refuse(config.vault.socket + ": " + server.error().Message());
  Serve(config, **server, **service);
  server->reset();   // first, so that a client sees vaultd gone and not hanging
  service->reset();  // records the stop
  base::Log(base::Level::kInfo, "vaultd_stop");
  return 0;
}

}  // namespace

// A thread that is still in a PKCS#11 module, which never answered, uses what exit would take away from under it.
int RunVaultd(const base::Config& config, const ServerLimits& limits) {
  const int code = ServeHome(config, limits);
  if (!Cipher::TokenThread::Unanswered()) return code;
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace strongroom::vault
