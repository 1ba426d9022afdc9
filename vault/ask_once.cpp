// AskOnce: one question on a connection of its own, without an event loop.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "vault/client.h"
#include "vault/frame_io.h"
#include "vault/lease.h"
#include "vault/unix_socket.h"

namespace strongroom::vault {
namespace {

Result<void> WaitUntil(int fd, short events, base::Micros deadline) {
  for (;;) {
    const base::Micros left = deadline - base::MonoMicros();
    if (left <= 0) return Fail(Code::kDeadlineExceeded, "no answer from vaultd in time: is it overloaded?");
    pollfd entry{fd, events, 0};
    const auto millis = static_cast<int>(std::min<base::Micros>(left / base::kMicrosPerMilli + 1, 60'000));
    const int ready = poll(&entry, 1, millis);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Fail(Code::kUnavailable, "cannot wait for vaultd; errno", errno);
  }
}

// NextFrame waits for one whole frame.
Result<Frame> NextFrame(FrameIo& io, int fd, base::Micros deadline) {
  for (;;) {
    auto frame = io.Read(fd);
    if (!frame && frame.error().code() == Code::kUnavailable) {
      return Fail(Code::kUnavailable,
                  "vaultd closed the connection without an answer: it is stopping or has died (start it, and ask again), or [roles] in "
                  "strongroom.toml gives your user none");
    }
    if (!frame) return std::unexpected(frame.error());
    if (*frame) return std::move(**frame);
    TRY(WaitUntil(fd, POLLIN, deadline));
  }
}

}  // namespace

Result<Answer> AskOnce(const ClientOptions& options, Operation operation, Bytes body, base::Micros patience,
                       std::optional<SecretValue> secret) {
  if (body.size() > kMostRequestBytes) return Fail(Code::kInvalidArgument, "the request is too long for vaultd");
  const base::Micros asked = base::MonoMicros(), deadline = asked + patience;
  TRY_ASSIGN(const base::UniqueFd fd, ConnectTo(options.socket_path, options.server_uid));
  FrameIo io(kMostBodyBytes);
  constexpr std::uint64_t kCall = 1;
  io.Queue(Frame(static_cast<std::uint8_t>(operation), kCall, std::move(body), std::move(secret)));
  for (;;) {
    const auto written = io.Write(fd.get());
    if (!written || *written) break;  // a peer that closed may have answered first: read
    TRY(WaitUntil(fd.get(), POLLOUT, deadline));
  }
  for (;;) {
    TRY_ASSIGN(Frame frame, NextFrame(io, fd.get(), deadline));
    if (frame.call != kCall) continue;  // an epoch notice
    if (frame.kind == kAnswerRefused) return std::unexpected(DecodeRefusal(frame.body));
    if (frame.secret && base::MonoMicros() - asked >= Lease::kLength) return LateKey();
    if (frame.kind != kAnswerDone) return Fail(Code::kCorrupt, "vaultd sent an answer of an unknown kind");
    return Answer(std::move(frame.body), std::move(frame.secret));
  }
}

}  // namespace strongroom::vault
