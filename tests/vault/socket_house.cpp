#include "tests/vault/socket_house.h"

#include <poll.h>
#include <sys/socket.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>

#include "vault/unix_socket.h"

namespace strongroom::vault {

ScriptedHandler::ScriptedHandler() : thread_([this] { AnswerLater(); }) {}

ScriptedHandler::~ScriptedHandler() {
  LetGo();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_all();
  thread_.join();
}

void ScriptedHandler::AnswerLater() {
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [this] { return stopping_ || !later_.empty(); });
    if (later_.empty()) return;
    std::deque<std::function<void()>> group;
    group.swap(later_);
    lock.unlock();
    for (const auto& answer : group) answer();
    lock.lock();
  }
}

void ScriptedHandler::Handle(const Peer&, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret,
                             Done done) {
  ++handled;
  const std::lock_guard lock(mutex_);
  const auto later = [&](std::function<void()> answer) {
    later_.push_back(std::move(answer));
    if (later_.size() == 1) more_.notify_all();
  };
  if (operation == kEcho) return done(Reply(std::move(body)));
  if (operation == kLong) return done(Reply(Bytes(256 << 10, 7)));
  if (operation == kRefuse) return done(std::unexpected(RefusalError(Refusal::kKeyRevoked)));
  if (operation == kTakeKey && secret) {
    taken_key_ = SecretProbe::Copy(secret->View());
    return done(Reply(std::move(body)));
  }
  if (operation == kHold && holding_) {
    held_.push_back([done, body] { done(Reply(body)); });
    return;
  }
  if (operation == kHold || operation == kEchoLater) return later([done, body] { done(Reply(body)); });
  if (operation == kRelease || operation == kWontOpen) {
    return later([this, done, body, operation] {
      Reply reply(body);
      reply.open_secret = [this, body, operation]() -> Result<SecretValue> {
        ++opened;
        if (operation == kWontOpen) return std::unexpected(RefusalError(Refusal::kKeyTampered));
        return SecretProbe::Of(body);
      };
      done(std::move(reply));
    });
  }
  done(std::unexpected(RefusalError(Refusal::kUnknownOperation)));
}

void ScriptedHandler::RecordStrangers(std::int64_t count, const Peer&) {
  strangers += static_cast<int>(count);
  ++stranger_records;
}

void ScriptedHandler::OnEpoch(std::function<void(std::int64_t)> handler) {
  const std::lock_guard lock(mutex_);
  on_epoch_ = std::move(handler);
}

void ScriptedHandler::MoveEpoch(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  on_epoch_(epoch);
}

void ScriptedHandler::LetGo() {
  const std::lock_guard lock(mutex_);
  holding_ = false;
  for (auto& answer : held_) later_.push_back(std::move(answer));
  held_.clear();
  more_.notify_all();
}

std::size_t ScriptedHandler::held() {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

Bytes ScriptedHandler::TakenKey() {
  const std::lock_guard lock(mutex_);
  return taken_key_;
}

RolePolicy PolicyFor(uid_t uid, const std::vector<Role>& roles) {
  base::Config config;
  config.vault.single_user = true;
  for (const Role role : roles) {
    auto& list = role == Role::kAdmin    ? config.roles.admin
                 : role == Role::kWorker ? config.roles.worker
                                         : config.roles.auditor;
    list.push_back(std::to_string(uid));
  }
  return RolePolicy::Resolve(config).value();
}

SocketHouse::SocketHouse(ServerLimits limits, uid_t uid, std::vector<Role> roles)
    : limits_(limits), uid_(uid), roles_(std::move(roles)) {
  std::string name = (std::filesystem::temp_directory_path() / "vault-socket-XXXXXX").string();
  directory_ = mkdtemp(name.data());
  StartServer();
}

SocketHouse::~SocketHouse() {
  handler_.LetGo();
  StopServer();
  std::filesystem::remove_all(directory_);
}

void SocketHouse::StartServer() {
  server_ = std::move(Server::Listen(path(), PolicyFor(uid_, roles_), limits_, handler_).value());
  thread_ = std::thread([this] { server_->Run(); });
}

void SocketHouse::StopServer() {
  if (!server_) return;
  server_->Stop();
  thread_.join();
  server_.reset();
}

ClientOptions SocketHouse::options() const {
  ClientOptions options;
  options.socket_path = path();
  options.server_uid = geteuid();
  return options;
}

base::Micros In(std::int64_t millis) { return base::MonoMicros() + millis * base::kMicrosPerMilli; }

void WithClient(const ClientOptions& options, std::function<asio::awaitable<void>(Client&)> act) {
  asio::io_context context(1);
  Client client(context.get_executor(), options);
  std::exception_ptr failure;
  const auto run = [&]() -> asio::awaitable<void> {
    try {
      co_await act(client);
    } catch (...) {
      failure = std::current_exception();
    }
    client.Close();
  };
  asio::co_spawn(context, run(), asio::detached);
  context.run();
  if (failure) std::rethrow_exception(failure);
}

RawPeer::RawPeer(const SocketHouse& house) : fd_(std::move(ConnectTo(house.path(), geteuid()).value())) {}

bool RawPeer::Send(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    pollfd entry{fd_.get(), POLLOUT, 0};
    if (errno != EAGAIN || poll(&entry, 1, 10'000) != 1) return false;
  }
  return true;
}

bool RawPeer::Closed() {
  pollfd entry{fd_.get(), POLLIN, 0};
  if (poll(&entry, 1, 10'000) != 1) return false;
  std::uint8_t byte = 0;
  return recv(fd_.get(), &byte, 1, 0) <= 0;
}

Bytes RawFrame(std::uint8_t kind, std::uint64_t call, std::string_view body) {
  FrameHeader header;
  header.body_length = static_cast<std::uint32_t>(body.size());
  header.kind = kind;
  header.call = call;
  return base::ByteWriter().Raw(EncodeHeader(header)).Raw(base::AsBytes(body)).Take();
}

}  // namespace strongroom::vault
