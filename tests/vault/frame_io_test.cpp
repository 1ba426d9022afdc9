#include "vault/frame_io.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/files.h"
#include "tests/vault/secret_probe.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

struct Pair {
  explicit Pair(int buffer = 0) {
    std::array<int, 2> fds{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
    near = base::UniqueFd(fds[0]);
    far = base::UniqueFd(fds[1]);
    if (buffer > 0) setsockopt(near.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  base::UniqueFd near, far;
};

Bytes Pattern(std::size_t size, std::size_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + seed);
  return bytes;
}

Frame Make(std::uint64_t call, std::size_t body, std::size_t secret) {
  std::optional<SecretValue> value;
  if (secret > 0) value = SecretProbe::Of(Pattern(secret, call + 1));
  return Frame(static_cast<std::uint8_t>(call % 200), call, Pattern(body, call), std::move(value));
}

void RequireSame(const Frame& frame, std::uint64_t call, std::size_t body, std::size_t secret) {
  REQUIRE(frame.call == call);
  REQUIRE(frame.kind == call % 200);
  REQUIRE(frame.body == Pattern(body, call));
  REQUIRE(frame.secret.has_value() == (secret > 0));
  if (secret > 0) REQUIRE(SecretProbe::Copy(frame.secret->View()) == Pattern(secret, call + 1));
}

constexpr std::array<std::size_t, 6> kBodies = {0, 1, 16, 300, 5000, 70'000};
constexpr std::array<std::size_t, 6> kSecrets = {0, 1, 100, 256, 257, 2048};

}  // namespace

TEST_CASE("frames of every size cross whole, through a small buffer too") {
  for (const int buffer : {0, 4096}) {
    Pair pair(buffer);
    FrameIo out(kMostBodyBytes), in(kMostBodyBytes);
    std::uint64_t call = 0, got = 0;
    for (const std::size_t body : kBodies) {
      for (const std::size_t secret : kSecrets) out.Queue(Make(call++, body, secret));
    }
    while (got < call) {
      REQUIRE(out.Write(pair.near.get()).has_value());
      auto frame = in.Read(pair.far.get());
      REQUIRE(frame.has_value());
      if (!*frame) continue;
      RequireSame(**frame, got, kBodies[got / 6], kSecrets[got % 6]);
      ++got;
    }
    REQUIRE(out.queued() == 0);
    REQUIRE(out.written() == call);
    REQUIRE(!in.half_read());
  }
}

TEST_CASE("a frame that comes byte by byte is the same frame") {
  Pair source, target;
  FrameIo out(kMostBodyBytes), in(kMostBodyBytes);
  for (std::uint64_t call = 0; call < 3; ++call) out.Queue(Make(call, 40, 33));
  REQUIRE(out.Write(source.near.get()).value());
  std::uint64_t got = 0;
  std::uint8_t byte = 0;
  while (recv(source.far.get(), &byte, 1, 0) == 1) {
    REQUIRE(send(target.near.get(), &byte, 1, 0) == 1);
    for (int again = 0; again < 2; ++again) {  // reading an empty socket changes nothing
      auto frame = in.Read(target.far.get());
      REQUIRE(frame.has_value());
      if (*frame) RequireSame(**frame, got++, 40, 33);
    }
  }
  REQUIRE(got == 3);
}

TEST_CASE("the end of the stream and foreign bytes are told apart") {
  FrameIo in(100);
  {
    Pair pair;
    pair.near.Reset();
    REQUIRE(in.Read(pair.far.get()).error().code() == Code::kUnavailable);
  }
  Pair pair;
  FrameIo out(kMostBodyBytes);
  out.Queue(Make(1, 101, 0));
  REQUIRE(out.Write(pair.near.get()).value());
  FrameIo narrow(100);
  REQUIRE(narrow.Read(pair.far.get()).error().code() == Code::kCorrupt);
  pair.far.Reset();
  out.Queue(Make(2, 1, 1));
  REQUIRE(out.Write(pair.near.get()).error().code() == Code::kUnavailable);
}

TEST_CASE("a secret longer than the peer may send is refused by its header, before a slot is taken") {
  Pair pair;
  FrameHeader header;
  header.body_length = 4;
  header.secret_length = 20;
  const auto bytes = EncodeHeader(header);
  REQUIRE(write(pair.near.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  FrameIo in(100);
  in.set_most_secret(0);
  REQUIRE(in.Read(pair.far.get()).error().code() == Code::kPermissionDenied);
}

TEST_CASE("a new connection keeps what was not sent and forgets what was cut") {
  Pair pair(4096);
  FrameIo out(kMostBodyBytes);
  for (std::uint64_t call = 5; call < 8; ++call) out.Queue(Make(call, 500'000, 10));
  REQUIRE(out.FirstUnsent() == 5);
  REQUIRE(!out.Write(pair.near.get()).value());
  REQUIRE(out.FirstUnsent() == 6);
  out.Drop(5);  // begun: it stays
  REQUIRE(out.queued() == 3);
  out.Drop(7);
  REQUIRE(out.queued() == 2);
  out.Restart();
  REQUIRE(out.queued() == 1);
  REQUIRE(out.FirstUnsent() == 6);
  out.Clear();
  REQUIRE(out.FirstUnsent() == UINT64_MAX);
}

}  // namespace strongroom::vault
