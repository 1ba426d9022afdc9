// Server: vaultd's socket. It names peers by the kernel's word, gives each uid a fair turn and a cap, and carries
// frames to and from the Service.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "vault/service.h"

namespace strongroom::vault {

// ServerLimits: how much one peer or uid may have at once. Past a cap on requests vaultd stops reading from that
// connection, or from that uid's, until answers have gone out; past a cap on connections it closes the new one.
struct ServerLimits {
  std::size_t requests_per_uid = 1024;
  std::size_t requests_per_connection = 512;
  std::size_t connections_per_uid = 64;
  std::size_t connections = 256;
  // A peer whose frame does not arrive whole in this time, or that does not take a whole write (up to 16 answers) in it,
  // is closed; progress byte by byte does not help.
  std::int64_t stall_ms = 10'000;
  // How often peers without a role are counted into one record.
  std::int64_t strangers_every_ms = 60'000;
  // How long Run goes on answering what was read before it was told to stop.
  std::int64_t drain_ms = 10'000;
};

// RolePolicy says which roles a uid has, from [roles] of strongroom.toml.
class RolePolicy {
 public:
  // Resolve looks every name up. A name that does not exist is refused, by name; so is a uid that is admin and worker
  // while single_user is false.
  static std::expected<RolePolicy, VaultProblem> Resolve(const base::Config& config);
  // RolesOf is a set of Role bits, 0 for a stranger. It asks the system's user database where [roles] names a group. A
  // uid that groups make admin and worker has no role at all while single_user is false.
  std::uint8_t RolesOf(uid_t uid, gid_t gid) const;

 private:
  struct Member {
    Role role;
    bool is_group;
    std::uint32_t id;
  };
  std::vector<Member> members_;
  bool single_user_ = false;
};

// RequestHandler is what the server carries frames to; the Service behind it. Its calls are Service's, word for word.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual void Handle(const Peer& peer, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret,
                      Done done) = 0;
  virtual void RecordStrangers(std::int64_t count, const Peer& latest) = 0;
  virtual void OnEpoch(std::function<void(std::int64_t)> handler) = 0;
  virtual std::int64_t epoch() const = 0;
};

// Server serves one socket on the thread that calls Run. An answer may come on any thread, also after the server is
// gone: it is then dropped. A connection's peer stays valid until the last of its requests was answered.
class Server {
 public:
  // Listen puts the socket in its place (ListenAt's errors and conditions). `handler` outlives the server.
  static Result<std::unique_ptr<Server>> Listen(const std::string& path, RolePolicy roles, const ServerLimits& limits,
                                                RequestHandler& handler);
  // The destructor closes every connection and removes the socket.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Run serves until Stop, then stops reading, answers what was read (at most drain_ms) and returns.
  void Run();
  // Stop may be called from any thread.
  void Stop();
  // SetRoles takes a new policy, from Run's thread: peers that lose their last role are closed.
  void SetRoles(RolePolicy roles);
  // OnSignal calls `act` on Run's thread for each of these signals.
  void OnSignal(std::initializer_list<int> signals, std::function<void(int)> act);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// RunVaultd serves HOME until SIGTERM or SIGINT, then finishes what is in flight, records the stop and returns 0. SIGHUP
// reads [roles] again; a configuration that does not load leaves the old one in force. It refuses a second vaultd on the
// home (lock) and any uid but vault.user, replaces a stale socket, and creates the socket 0660. On a problem it prints
// one line and returns 1.
int RunVaultd(const base::Config& config, const ServerLimits& limits);

}  // namespace strongroom::vault
