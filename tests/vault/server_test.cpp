#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/vault/socket_house.h"
#include "vault/unix_socket.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

Bytes Text(std::string_view text) { return Bytes(text.begin(), text.end()); }

bool StillServes(const SocketHouse& house) {
  const auto answer = AskOnce(house.options(), Operation{kEcho}, Text("here"), 5 * base::kMicrosPerSecond);
  return answer && answer->body == Text("here");
}

}  // namespace

TEST_CASE("the socket is 0660 and answers") {
  SocketHouse house;
  struct stat found {};
  REQUIRE(stat(house.path().c_str(), &found) == 0);
  REQUIRE((found.st_mode & 07777) == 0660);
  REQUIRE(StillServes(house));
}

TEST_CASE("a stranger is closed without a byte, and counted once a period") {
  ServerLimits limits;
  limits.stall_ms = 40;
  limits.strangers_every_ms = 100;
  SocketHouse house(limits, 4'000'000, {Role::kWorker});
  for (int i = 0; i < 20; ++i) {
    RawPeer peer(house);
    REQUIRE(peer.Closed());
  }
  REQUIRE(Eventually([&] { return house.handler().strangers == 20; }));
  REQUIRE(house.handler().stranger_records < 10);
  REQUIRE(house.handler().handled == 0);
  const auto answer = AskOnce(house.options(), Operation{kEcho}, {}, base::kMicrosPerSecond);
  REQUIRE(!answer);
  REQUIRE(answer.error().code() == Code::kUnavailable);
}

TEST_CASE("a uid has no more connections than its cap, and gets room again") {
  ServerLimits limits;
  limits.connections_per_uid = 3;
  SocketHouse house(limits);
  {
    RawPeer one(house), two(house), three(house);
    RawPeer four(house);
    REQUIRE(four.Closed());
  }
  REQUIRE(Eventually([&] { return StillServes(house); }));
}

TEST_CASE("rubbish closes its own connection and no other") {
  SocketHouse house;
  RawPeer bystander(house);
  Bytes long_body = RawFrame(kEcho, 1, "");
  long_body[0] = 0x7f;
  Bytes long_request = RawFrame(kEcho, 1, "");
  long_request[1] = 0x02;  // 128 KiB: an answer may be that long, a request may not
  Bytes long_secret = RawFrame(kEcho, 1, "");
  long_secret[4] = 0xff;
  Bytes other_version = RawFrame(kEcho, 1, "");
  other_version[6] = 2;
  for (const Bytes& bytes : {long_body, long_request, long_secret, other_version, Bytes(64, 0xff), Text("GET / HTTP/1.1\r\n\r\n")}) {
    RawPeer peer(house);
    REQUIRE(peer.Send(bytes));
    REQUIRE(peer.Closed());
  }
  REQUIRE(house.handler().handled == 0);
  REQUIRE(bystander.Send(RawFrame(kEcho, 9, "x")));
  REQUIRE(!bystander.Closed());
  REQUIRE(StillServes(house));
}

TEST_CASE("a frame left half-sent is closed after the stall limit, whatever trickles in") {
  ServerLimits limits;
  limits.stall_ms = 200;
  SocketHouse house(limits);
  RawPeer peer(house);
  const Bytes frame = RawFrame(kEcho, 1, std::string(100, 'x'));
  REQUIRE(peer.Send(ByteView(frame).first(40)));
  REQUIRE(peer.Closed());
  RawPeer dropped(house);
  REQUIRE(dropped.Send(ByteView(frame).first(7)));
  REQUIRE(StillServes(house));
}

TEST_CASE("an idle connection is not a stalled one") {
  ServerLimits limits;
  limits.stall_ms = 30;
  SocketHouse house(limits);
  RawPeer idle(house);
  RawPeer stalled(house);
  REQUIRE(stalled.Send(Bytes(3, 0)));
  REQUIRE(stalled.Closed());  // so the limit has passed for both
  REQUIRE(idle.Send(RawFrame(kEcho, 1, "x")));
  REQUIRE(!idle.Closed());
}

TEST_CASE("a peer that does not read its answers is closed, and its answers are bounded") {
  ServerLimits limits;
  limits.stall_ms = 200;
  limits.requests_per_connection = 8;
  SocketHouse house(limits);
  RawPeer slow(house);
  for (int i = 0; i < 64; ++i) {
    if (!slow.Send(RawFrame(kLong, 1, ""))) break;
  }
  REQUIRE(Eventually([&] {
    const Bytes one = RawFrame(kLong, 1, "");
    return send(slow.fd(), one.data(), one.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  }));
  // 8 waiting, 16 in one write, and what the kernel's buffer took.
  REQUIRE(house.handler().handled <= 8 + 16 + 8);
  REQUIRE(StillServes(house));
}

TEST_CASE("a peer that takes its answers byte by byte is closed: keys lie open meanwhile") {
  ServerLimits limits;
  limits.stall_ms = 200;
  SocketHouse house(limits);
  RawPeer slow(house);
  for (std::uint64_t call = 1; call <= 8; ++call) REQUIRE(slow.Send(RawFrame(kLong, call, "")));
  std::uint8_t few[256];
  // 2 MiB at 256 bytes a look: it never stands still for 200 ms, and never ends in time either.
  std::size_t taken = 0;
  base::Micros next = 0;
  const bool closed = Eventually([&] {
    if (base::MonoMicros() < next) return false;
    next = base::MonoMicros() + 10 * base::kMicrosPerMilli;
    const ssize_t got = recv(slow.fd(), few, sizeof few, MSG_DONTWAIT);
    if (got > 0) taken += static_cast<std::size_t>(got);
    const Bytes one = RawFrame(kEcho, 1, "");
    return send(slow.fd(), one.data(), one.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  });
  REQUIRE(closed);
  REQUIRE(taken < 8 * (std::size_t{256} << 10));
}

TEST_CASE("past a connection's cap nothing more is read, and reading goes on after the answers") {
  ServerLimits limits;
  limits.requests_per_connection = 4;
  SocketHouse house(limits);
  RawPeer peer(house);
  for (std::uint64_t call = 1; call <= 20; ++call) REQUIRE(peer.Send(RawFrame(kHold, call, "")));
  REQUIRE(Eventually([&] { return house.handler().handled == 4; }));
  REQUIRE(StillServes(house));  // the cap is the connection's
  REQUIRE(house.handler().handled == 5);
  house.handler().LetGo();
  REQUIRE(Eventually([&] { return house.handler().handled == 21; }));
}

TEST_CASE("past a uid's cap its other connections wait too, and each gets its turn") {
  ServerLimits limits;
  limits.requests_per_uid = 2;
  SocketHouse house(limits);
  RawPeer first(house), second(house), third(house), idle(house);
  for (std::uint64_t call = 1; call <= 5; ++call) REQUIRE(first.Send(RawFrame(kHold, call, "")));
  REQUIRE(Eventually([&] { return house.handler().handled == 2; }));
  REQUIRE(second.Send(RawFrame(kHold, 1, "")));
  REQUIRE(third.Send(RawFrame(kHold, 1, "")));
  REQUIRE(house.handler().held() == 2);
  house.handler().LetGo();
  REQUIRE(Eventually([&] { return house.handler().handled == 7; }));
  REQUIRE(StillServes(house));
}

TEST_CASE("requests of a peer that left still count against its uid, and their keys are never opened") {
  ServerLimits limits;
  limits.requests_per_uid = 3;
  SocketHouse house(limits);
  {
    RawPeer peer(house);
    for (std::uint64_t call = 1; call <= 3; ++call) REQUIRE(peer.Send(RawFrame(kHold, call, "")));
    REQUIRE(Eventually([&] { return house.handler().handled == 3; }));
  }
  RawPeer next(house);
  REQUIRE(next.Send(RawFrame(kEcho, 1, "")));
  REQUIRE(house.handler().handled == 3);
  house.handler().LetGo();
  REQUIRE(Eventually([&] { return house.handler().handled == 4; }));
  REQUIRE(house.handler().opened == 0);
}

TEST_CASE("a key comes in exactly, and from admins only") {
  const std::string key = "sk-" + std::string(300, 'k');
  {
    SocketHouse house;
    const auto answer = AskOnce(house.options(), Operation{kTakeKey}, Text("b"), base::kMicrosPerSecond * 5,
                                SecretProbe::Of(key));
    REQUIRE(answer);
    REQUIRE(house.handler().TakenKey() == Text(key));
  }
  SocketHouse house({}, geteuid(), {Role::kWorker});
  const auto answer = AskOnce(house.options(), Operation{kTakeKey}, Text("b"), base::kMicrosPerSecond * 5,
                              SecretProbe::Of(key));
  REQUIRE(!answer);
  // The handler hears of it, to record the refusal, but gets no key.
  REQUIRE(Eventually([&] { return house.handler().handled == 1; }));
  REQUIRE(house.handler().TakenKey().empty());
}

TEST_CASE("a key's header alone closes a peer that is no admin") {
  SocketHouse house({}, geteuid(), {Role::kWorker});
  RawPeer peer(house);
  FrameHeader header;
  header.body_length = 1;
  header.secret_length = 20;
  header.kind = kTakeKey;
  REQUIRE(peer.Send(EncodeHeader(header)));
  REQUIRE(peer.Closed());  // long before the stall limit
  REQUIRE(house.handler().handled == 1);
}

TEST_CASE("new roles reach connections that stand") {
  SocketHouse house;
  RawPeer peer(house);
  REQUIRE(peer.Send(RawFrame(kEcho, 1, "")));
  REQUIRE(Eventually([&] { return house.handler().handled == 1; }));
  house.server().OnSignal({SIGUSR1}, [&](int) { house.server().SetRoles(PolicyFor(4'000'000, {Role::kAdmin})); });
  kill(getpid(), SIGUSR1);
  std::uint8_t answer[64];
  REQUIRE(Eventually([&] { return recv(peer.fd(), answer, sizeof answer, MSG_DONTWAIT) == 0; }));
  REQUIRE(Eventually([&] { return RawPeer(house).Closed(); }));
}

TEST_CASE("stopping answers what was read, and removes the socket") {
  SocketHouse house;
  RawPeer peer(house);
  REQUIRE(peer.Send(RawFrame(kHold, 77, "last")));
  REQUIRE(Eventually([&] { return house.handler().held() == 1; }));
  house.server().Stop();
  REQUIRE(Eventually([&] { return !std::filesystem::exists(house.path()); }));
  house.handler().LetGo();
  house.StopServer();
  Bytes answer(20);
  REQUIRE(recv(peer.fd(), answer.data(), answer.size(), 0) == 20);
  REQUIRE(answer == RawFrame(kAnswerDone, 77, "last"));
}

TEST_CASE("a request that is never answered does not keep the server from stopping") {
  ServerLimits limits;
  limits.drain_ms = 50;
  SocketHouse house(limits);
  RawPeer peer(house);
  REQUIRE(peer.Send(RawFrame(kHold, 1, "")));
  REQUIRE(Eventually([&] { return house.handler().held() == 1; }));
  house.StopServer();
  house.handler().LetGo();  // an answer for a server that is gone
  REQUIRE(peer.Closed());
}

TEST_CASE("a stale socket is replaced, anything else is left alone") {
  std::string name = (std::filesystem::temp_directory_path() / "vault-socket-XXXXXX").string();
  const std::string directory = mkdtemp(name.data());
  const std::string path = directory + "/s";
  { const auto stale = ListenAt(path); REQUIRE(stale); }
  REQUIRE(std::filesystem::exists(path));
  REQUIRE(ListenAt(path));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  REQUIRE(ListenAt(path).error().code() == Code::kAlreadyExists);
  REQUIRE(ListenAt(directory + "/" + std::string(120, 'x')).error().code() == Code::kInvalidArgument);
  REQUIRE(ListenAt(directory + "/no/such").error().code() == Code::kUnavailable);
  std::filesystem::remove_all(directory);
}

TEST_CASE("roles come from users, uids and groups, admin and worker in one hand are refused") {
  base::Config config;
  config.roles.admin = {"root"};
  config.roles.worker = {"4000001", "@0"};
  config.roles.auditor = {"4000002"};
  const auto policy = RolePolicy::Resolve(config);
  REQUIRE(policy);
  const auto bits = [&](uid_t uid, gid_t gid) { return int{policy->RolesOf(uid, gid)}; };
  REQUIRE(bits(4000001, 4000001) == 2);
  REQUIRE(bits(4000002, 4000002) == 4);
  REQUIRE(bits(4000003, 4000003) == 0);
  REQUIRE(bits(4000003, 0) == 2);
  REQUIRE(bits(0, 0) == 0);  // admin by name, worker by group
  config.vault.single_user = true;
  REQUIRE(RolePolicy::Resolve(config)->RolesOf(0, 0) == 3);
  config.vault.single_user = false;
  config.roles.worker = {"0"};
  REQUIRE(RolePolicy::Resolve(config).error().text.find("root is admin and worker") != std::string::npos);
  config.roles.worker = {"no-such-user-here"};
  REQUIRE(RolePolicy::Resolve(config).error().text.find("\"no-such-user-here\"") != std::string::npos);
}

}  // namespace strongroom::vault
