// A vaultd without a vault: the real server on a real socket, in a thread of its own, with a scripted handler behind it.
#pragma once

#include <unistd.h>

#include <asio/awaitable.hpp>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "tests/vault/eventually.h"
#include "tests/vault/secret_probe.h"
#include "vault/client.h"
#include "vault/server.h"

namespace strongroom::vault {

// What the scripted handler does with an operation number.
inline constexpr std::uint8_t kEcho = 1;       // answers the body, on the server's thread
inline constexpr std::uint8_t kRelease = 4;    // answers the body, and the body as a secret, from another thread
inline constexpr std::uint8_t kTakeKey = 12;   // keeps the secret, echoes the body
inline constexpr std::uint8_t kHold = 50;      // answers only after LetGo
inline constexpr std::uint8_t kEchoLater = 51; // answers the body from another thread
inline constexpr std::uint8_t kRefuse = 52;    // KEY_REVOKED
inline constexpr std::uint8_t kWontOpen = 53;  // done, but the key does not open
inline constexpr std::uint8_t kLong = 54;      // answers 256 KiB

class ScriptedHandler final : public RequestHandler {
 public:
  ScriptedHandler();
  ~ScriptedHandler() override;
  void Handle(const Peer& peer, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret,
              Done done) override;
  void RecordStrangers(std::int64_t count, const Peer& latest) override;
  void OnEpoch(std::function<void(std::int64_t)> handler) override;
  std::int64_t epoch() const override { return 0; }

  void MoveEpoch(std::int64_t epoch);
  // LetGo answers what is held, and holds nothing from then on.
  void LetGo();
  std::size_t held();
  Bytes TakenKey();

  std::atomic<int> handled{0}, strangers{0}, stranger_records{0}, opened{0};

 private:
  void AnswerLater();

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> later_;
  std::vector<std::function<void()>> held_;
  std::function<void(std::int64_t)> on_epoch_;
  Bytes taken_key_;
  bool stopping_ = false, holding_ = true;
  std::thread thread_;
};

// SocketHouse is a temporary directory with a server in it. `uid` is the only user with roles.
class SocketHouse {
 public:
  explicit SocketHouse(ServerLimits limits = {}, uid_t uid = geteuid(), std::vector<Role> roles = {Role::kAdmin, Role::kWorker});
  ~SocketHouse();

  void StartServer();
  void StopServer();
  std::string path() const { return directory_ + "/vaultd.sock"; }
  ClientOptions options() const;
  ScriptedHandler& handler() { return handler_; }
  Server& server() { return *server_; }

 private:
  std::string directory_;
  ServerLimits limits_;
  uid_t uid_;
  std::vector<Role> roles_;
  ScriptedHandler handler_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

RolePolicy PolicyFor(uid_t uid, const std::vector<Role>& roles);
base::Micros In(std::int64_t millis);
// WithClient runs `act` to its end on an event loop of its own.
void WithClient(const ClientOptions& options, std::function<asio::awaitable<void>(Client&)> act);

// RawPeer speaks to the socket byte by byte.
class RawPeer {
 public:
  explicit RawPeer(const SocketHouse& house);
  bool Send(ByteView bytes);
  // Closed is true once the other side has closed without a further byte; false where a byte came, or after 10 s.
  bool Closed();
  int fd() const { return fd_.get(); }

 private:
  base::UniqueFd fd_;
};
Bytes RawFrame(std::uint8_t kind, std::uint64_t call, std::string_view body);

}  // namespace strongroom::vault
