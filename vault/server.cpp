#include "vault/server.h"

#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/process.h"
#include "vault/connection.h"
#include "vault/unix_socket.h"

namespace strongroom::vault {
namespace {

using std::chrono::milliseconds;
// How long a uid's name and roles are remembered: a storm of connections must not become one of database lookups.
constexpr base::Micros kRolesKept = 5 * base::kMicrosPerSecond;
constexpr std::size_t kMostUidsKept = 1024;
constexpr milliseconds kAcceptPause{100};  // after descriptors ran out
constexpr int kAcceptsATurn = 16;
constexpr milliseconds kInspectEvery{1000}, kDrainEvery{20};

struct Known {
  std::string name;
  std::uint8_t roles = 0;
  base::Micros until = 0;
};

}  // namespace

struct Server::State {
  State(std::string its_path, RolePolicy its_roles, const ServerLimits& limits, RequestHandler& handler)
      : path(std::move(its_path)), roles(std::move(its_roles)), floor(handler, limits) {}

  void Begin();
  void AcceptSoon();
  void AcceptSome();
  void Admit(base::UniqueFd fd);
  Peer Name(const Credentials& credentials);
  void Stranger(const Peer& peer);
  void TellStrangers(base::Micros now);
  void TooMany(const Peer& peer);
  void Deliver(std::vector<Mailbox::Item> items, std::optional<std::int64_t> epoch);
  void InspectLater();
  void Inspect();
  void Drain();
  void ForgetSoon();
  void Forget();

  asio::io_context context{1};
  std::string path;
  RolePolicy roles;
  Floor floor;
  asio::posix::stream_descriptor listener{context};
  asio::steady_timer accept_timer{context}, inspect_timer{context}, drain_timer{context};
  asio::signal_set signals{context};
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections;
  std::map<uid_t, std::shared_ptr<UidUse>> uses;
  std::map<std::pair<uid_t, gid_t>, Known> known;
  std::uint64_t next_id = 1;
  std::size_t strangers = 0;
  bool forget_due = false;
  Peer latest_stranger;
  base::Micros strangers_due = 0, too_many_told = 0, drain_until = 0;
};

Result<std::unique_ptr<Server>> Server::Listen(const std::string& path, RolePolicy roles, const ServerLimits& limits,
                                               RequestHandler& handler) {
  TRY_ASSIGN(base::UniqueFd fd, ListenAt(path));
  auto state = std::make_unique<State>(path, std::move(roles), limits, handler);
  asio::error_code error;
  state->listener.assign(fd.get(), error);
  if (error) return Fail(Code::kUnavailable, "the event loop refuses the socket; errno", error.value());
  fd.Release();
  state->Begin();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  state_->floor.mailbox->Close();
  if (state_->listener.is_open()) unlink(state_->path.c_str());
  for (const auto& [id, connection] : state_->connections) connection->Close();
}

void Server::Run() { state_->context.run(); }

void Server::Stop() {
  asio::post(state_->context, [state = state_.get()] { state->Drain(); });
}

void Server::SetRoles(RolePolicy roles) {
  state_->roles = std::move(roles);
  state_->known.clear();
  for (const auto& [id, connection] : state_->connections) {
    const Peer& peer = connection->peer();
    connection->set_roles(state_->roles.RolesOf(peer.uid, peer.gid));
    if (peer.roles == 0) connection->Close();
  }
}

void Server::OnSignal(std::initializer_list<int> numbers, std::function<void(int)> act) {
  asio::error_code ignored;
  for (const int number : numbers) state_->signals.add(number, ignored);
  // Each delivery arms the next: the set hears one signal at a time.
  struct Armed {
    State* state;
    std::function<void(int)> act;
    void operator()(asio::error_code error, int number) {
      if (error) return;
      act(number);
      state->signals.async_wait(*this);
    }
  };
  state_->signals.async_wait(Armed{state_.get(), std::move(act)});
}

void Server::State::Begin() {
  floor.mailbox = std::make_shared<Mailbox>(
      context.get_executor(), [this](std::vector<Mailbox::Item> items, std::optional<std::int64_t> epoch) {
        Deliver(std::move(items), epoch);
      });
  floor.on_close = [this] { ForgetSoon(); };
  floor.handler.OnEpoch([mailbox = floor.mailbox](std::int64_t epoch) { mailbox->PutEpoch(epoch); });
  AcceptSoon();
  InspectLater();
}

void Server::State::AcceptSoon() {
  listener.async_wait(asio::posix::stream_descriptor::wait_read, [this](asio::error_code error) {
    if (!error) AcceptSome();
  });
}

void Server::State::AcceptSome() {
  for (int taken = 0; taken < kAcceptsATurn; ++taken) {
    Result<base::UniqueFd> fd = AcceptFrom(listener.native_handle());
    if (!fd) {
      base::LogError("accept_failed", fd.error());
      accept_timer.expires_after(kAcceptPause);
      accept_timer.async_wait([this](asio::error_code error) {
        if (!error && !floor.draining) AcceptSoon();
      });
      return;
    }
    if (!fd->valid()) break;
    Admit(std::move(*fd));
  }
  AcceptSoon();
}

void Server::State::Admit(base::UniqueFd fd) {
  const Result<Credentials> credentials = PeerCredentials(fd.get());
  if (!credentials) return;
  Peer peer = Name(*credentials);
  if (peer.roles == 0) return Stranger(peer);
  std::shared_ptr<UidUse>& use = uses[peer.uid];
  if (!use) use = std::make_shared<UidUse>();
  if (connections.size() >= floor.limits.connections || use->connections >= floor.limits.connections_per_uid) {
    return TooMany(peer);
  }
  const std::uint64_t id = next_id++;
  const auto connection = std::make_shared<Connection>(id, std::move(peer), use, floor);
  if (const auto started = connection->Start(context.get_executor(), std::move(fd)); !started) {
    return base::LogError("peer_refused", started.error());
  }
  connections.emplace(id, connection);
}

// Name says who the peer is and what it may do, from what is known of its uid or by looking it up.
Peer Server::State::Name(const Credentials& credentials) {
  const base::Micros now = base::MonoMicros();
  if (known.size() > kMostUidsKept) known.clear();
  Known& entry = known[{credentials.uid, credentials.gid}];
  if (entry.until <= now) {
    entry.name = base::UserName(credentials.uid);
    entry.roles = roles.RolesOf(credentials.uid, credentials.gid);
    entry.until = now + kRolesKept;
  }
  Peer peer;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.pid = credentials.pid;
  peer.pid_start = entry.roles == 0 && strangers > 0 ? 0 : base::PidStart(credentials.pid);
  peer.name = entry.name;
  peer.roles = entry.roles;
  return peer;
}

void Server::State::Stranger(const Peer& peer) {
  ++strangers;
  latest_stranger = peer;
  TellStrangers(base::MonoMicros());
}

// TellStrangers has one record and one log line made of all who came since the last: a flood of them must not fill
// the trail.
void Server::State::TellStrangers(base::Micros now) {
  if (strangers == 0 || now < strangers_due) return;
  strangers_due = now + floor.limits.strangers_every_ms * base::kMicrosPerMilli;
  const auto count = static_cast<std::int64_t>(std::exchange(strangers, 0));
  base::Log(base::Level::kWarning, "peer_refused",
            {{"peer", latest_stranger.name},
             {"uid", static_cast<std::int64_t>(latest_stranger.uid)},
             {"peer_pid", latest_stranger.pid},
             {"why", "its user has no role"},
             {"count", count}});
  floor.handler.RecordStrangers(count, latest_stranger);
}

void Server::State::TooMany(const Peer& peer) {
  const base::Micros now = base::MonoMicros();
  if (now - too_many_told < base::kMicrosPerSecond) return;
  too_many_told = now;
  base::Log(base::Level::kWarning, "peer_refused",
            {{"peer", peer.name},
             {"uid", static_cast<std::int64_t>(peer.uid)},
             {"why", "too many connections"},
             {"connections", static_cast<std::int64_t>(connections.size())}});
}

void Server::State::Deliver(std::vector<Mailbox::Item> items, std::optional<std::int64_t> epoch) {
  std::vector<std::shared_ptr<Connection>> touched;
  if (epoch) {
    for (const auto& [id, connection] : connections) {
      if (!connection->peer().Has(Role::kWorker)) continue;
      connection->Notice(*epoch);
      touched.push_back(connection);
    }
  }
  std::uint64_t last = 0;
  for (Mailbox::Item& item : items) {
    const auto found = connections.find(item.connection);
    CHECK(found != connections.end());  // it stays until all its requests are answered
    found->second->Answer(item.call, std::move(item.reply));
    if (std::exchange(last, item.connection) != item.connection) touched.push_back(found->second);
  }
  bool any_gone = false;
  for (const std::shared_ptr<Connection>& connection : touched) {
    connection->Flush();
    any_gone = any_gone || connection->gone();
  }
  if (any_gone) Forget();
}

void Server::State::InspectLater() {
  inspect_timer.expires_after(std::min(kInspectEvery, milliseconds(std::max<std::int64_t>(floor.limits.stall_ms / 4, 1))));
  inspect_timer.async_wait([this](asio::error_code error) {
    if (!error) Inspect();
  });
}

void Server::State::Inspect() {
  const base::Micros now = base::MonoMicros();
  for (const auto& [id, connection] : connections) connection->Inspect(now);
  TellStrangers(now);
  InspectLater();
}

// ForgetSoon leaves it to the next turn: whoever closed a connection may be in the midst of it.
void Server::State::ForgetSoon() {
  if (std::exchange(forget_due, true)) return;
  asio::post(context, [this] {
    forget_due = false;
    Forget();
  });
}

// Forget drops connections that are closed and have nothing with the handler, and the records of who uses nothing.
void Server::State::Forget() {
  std::erase_if(connections, [](const auto& entry) { return entry.second->gone(); });
  std::erase_if(uses, [](const auto& entry) { return entry.second.use_count() == 1; });
}

// Drain answers what was read, then ends Run.
void Server::State::Drain() {
  const base::Micros now = base::MonoMicros();
  if (!std::exchange(floor.draining, true)) {
    drain_until = now + floor.limits.drain_ms * base::kMicrosPerMilli;
    asio::error_code ignored;
    unlink(path.c_str());
    listener.close(ignored);
  }
  const bool busy = std::any_of(connections.begin(), connections.end(),
                                [](const auto& entry) { return entry.second->busy(); });
  if (!busy || now >= drain_until) {
    if (strangers > 0) TellStrangers(strangers_due);
    return context.stop();
  }
  drain_timer.expires_after(kDrainEvery);
  drain_timer.async_wait([this](asio::error_code error) {
    if (!error) Drain();
  });
}

}  // namespace strongroom::vault
