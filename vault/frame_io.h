// FrameIo: frames over a Unix socket. It is the one place where a secret's bytes meet the kernel: they are read straight
// into a SecretValue and written straight out of one, and never pass through a buffer in between.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/protocol.h"
#include "vault/secret.h"

namespace strongroom::vault {

// Frame is one frame, outside its bytes on the wire.
struct Frame {
  Frame(std::uint8_t frame_kind, std::uint64_t frame_call, Bytes frame_body, std::optional<SecretValue> frame_secret)
      : kind(frame_kind), call(frame_call), body(std::move(frame_body)), secret(std::move(frame_secret)) {}
  std::uint8_t kind;
  std::uint64_t call;
  Bytes body;
  std::optional<SecretValue> secret;
};

// FrameIo keeps what is half-read and not yet written of one non-blocking socket, which it does not own.
class FrameIo {
 public:
  // How many frames one write gathers at most.
  static constexpr std::size_t kMostGathered = 16;

  // `most_body` is the longest body taken from the peer.
  explicit FrameIo(std::uint32_t most_body) : most_body_(most_body) {}
  // set_most_secret limits the secrets taken from the peer from the next frame on; kMostSecretBytes at first.
  void set_most_secret(std::size_t most) { most_secret_ = most; }

  // Read returns the next whole frame, or nullopt where the socket has no more for now. Reads are exact: nothing but
  // the 16 bytes of a following header is ever read ahead. kUnavailable where the peer is gone; kCorrupt where it
  // speaks something else; kPermissionDenied where its header announces a secret longer than this peer may send (no slot
  // was taken for it); kResourceExhausted where the arena has no slot for a secret just now: call again later.
  Result<std::optional<Frame>> Read(int fd);
  // half_read is true while a frame has begun to arrive and is not whole.
  bool half_read() const { return header_got_ > 0; }

  // Queue adds a frame to what is to be written.
  void Queue(Frame frame);
  // Write writes what is queued, several frames a system call, and wipes each secret as soon as it is out. True: all is
  // written; false: the socket takes no more for now; kUnavailable: the peer is gone.
  Result<bool> Write(int fd);
  std::size_t queued() const { return queue_.size(); }
  // written counts the frames that were written whole.
  std::uint64_t written() const { return written_; }

  // FirstUnsent is the call of the first queued frame of which no byte was written; UINT64_MAX where there is none.
  std::uint64_t FirstUnsent() const;
  // Drop forgets the queued frame of a call, if no byte of it was written.
  void Drop(std::uint64_t call);
  // Restart readies for a new connection: the half-read and the half-written frame are forgotten.
  void Restart();
  // Clear is Restart, and forgets every queued frame too.
  void Clear();

 private:
  using HeaderBytes = std::array<std::uint8_t, kFrameHeaderBytes>;

  Result<bool> ReadHeader(int fd);
  Result<void> BeginBody();
  Result<bool> ReadBody(int fd);
  Frame FinishFrame();
  Result<std::size_t> Gather(int fd, bool& secrets);
  void Sent(std::size_t bytes);

  std::uint32_t most_body_;
  std::size_t most_secret_ = kMostSecretBytes;
  HeaderBytes header_bytes_{};
  std::size_t header_got_ = 0;
  HeaderBytes next_header_{};
  std::size_t next_got_ = 0;
  bool drained_ = false;  // the last read took less than was asked for: the socket is empty
  FrameHeader header_;
  std::optional<Frame> reading_;
  std::size_t body_got_ = 0;  // of body and secret together

  std::deque<Frame> queue_;
  std::size_t front_sent_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace strongroom::vault
