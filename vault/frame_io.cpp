#include "vault/frame_io.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace strongroom::vault {

static_assert(kMostSecretBytes == SecretValue::kMostBytes);

namespace {

// ReadOnce returns the bytes read, 0 where the socket is empty for now; kUnavailable at the end of the stream.
Result<std::size_t> ReadOnce(int fd, iovec* parts, int count) {
  for (;;) {
    const ssize_t got = readv(fd, parts, count);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return Fail(Code::kUnavailable, "the connection was closed by the other side");
    if (errno == EAGAIN) return std::size_t{0};
    if (errno != EINTR) return Fail(Code::kUnavailable, "the connection failed; errno", errno);
  }
}

// Part appends the unread rest of a buffer, after `skip` bytes of it, to a list of parts.
void Part(std::array<iovec, 3>& parts, int& count, std::span<std::uint8_t> buffer, std::size_t skip) {
  if (skip >= buffer.size()) return;
  parts[static_cast<std::size_t>(count++)] = iovec{buffer.data() + skip, buffer.size() - skip};
}

}  // namespace

Result<std::optional<Frame>> FrameIo::Read(int fd) {
  const bool had_header = header_got_ == kFrameHeaderBytes;
  if (!had_header) {
    TRY_ASSIGN(const bool header_whole, ReadHeader(fd));
    if (!header_whole) return std::nullopt;
  }
  if (!reading_) TRY(BeginBody());
  TRY_ASSIGN(const bool whole, ReadBody(fd));
  if (!whole) return std::nullopt;
  return FinishFrame();
}

Result<bool> FrameIo::ReadHeader(int fd) {
  if (drained_) {
    drained_ = false;
    return false;
  }
  iovec part{header_bytes_.data() + header_got_, kFrameHeaderBytes - header_got_};
  TRY_ASSIGN(const std::size_t got, ReadOnce(fd, &part, 1));
  header_got_ += got;
  return header_got_ == kFrameHeaderBytes;
}

Result<void> FrameIo::BeginBody() {
  TRY_ASSIGN(header_, DecodeHeader(header_bytes_));
  if (header_.body_length > most_body_) return Fail(Code::kCorrupt, "a frame's body is too long", header_.body_length);
  // By the header alone: a peer that may send no secret must not hold a slot of the arena while it thinks.
  if (header_.secret_length > most_secret_) {
    return Fail(Code::kPermissionDenied, "a frame brings a secret its peer may not send", header_.secret_length);
  }
  std::optional<SecretValue> secret;
  if (header_.secret_length > 0) {
    TRY_ASSIGN(secret, SecretValue::Allocate(header_.secret_length));
  }
  reading_.emplace(header_.kind, header_.call, Bytes(header_.body_length), std::move(secret));
  body_got_ = 0;
  return {};
}

Result<bool> FrameIo::ReadBody(int fd) {
  const std::size_t body = reading_->body.size();
  const std::size_t total = body + header_.secret_length;
  while (body_got_ < total) {
    if (drained_) {
      drained_ = false;
      return false;
    }
    std::array<iovec, 3> parts{};
    int count = 0;
    Part(parts, count, reading_->body, body_got_);
    if (reading_->secret) {
      Part(parts, count, reading_->secret->Bytes(SecretAccess()), body_got_ > body ? body_got_ - body : 0);
    }
    // The next header comes along for free; it is public, and no byte after it is taken.
    Part(parts, count, next_header_, 0);
    TRY_ASSIGN(const std::size_t got, ReadOnce(fd, parts.data(), count));
    if (got == 0) return false;
    const std::size_t rest = total - body_got_;
    body_got_ += std::min(got, rest);
    next_got_ = got > rest ? got - rest : 0;
    drained_ = got < rest + kFrameHeaderBytes;
  }
  return true;
}

Frame FrameIo::FinishFrame() {
  if (reading_->secret) ClearRegisters();
  Frame frame = std::move(*reading_);
  reading_.reset();
  header_bytes_ = next_header_;
  header_got_ = std::exchange(next_got_, 0);
  return frame;
}

void FrameIo::Queue(Frame frame) {
  CHECK(frame.body.size() <= kMostBodyBytes);
  queue_.push_back(std::move(frame));
}

Result<bool> FrameIo::Write(int fd) {
  while (!queue_.empty()) {
    bool secrets = false;
    const auto sent = Gather(fd, secrets);
    if (secrets) ClearRegisters();
    if (!sent) return std::unexpected(sent.error());
    if (*sent == 0) return false;
    Sent(*sent);
  }
  return true;
}

// Gather hands up to kMostGathered frames to the kernel in one call and returns the bytes it took, 0 for none.
Result<std::size_t> FrameIo::Gather(int fd, bool& secrets) {
  std::array<HeaderBytes, kMostGathered> headers;
  std::array<iovec, kMostGathered * 3> parts;
  std::size_t count = 0;
  std::size_t skip = front_sent_;
  const auto add = [&](std::uint8_t* bytes, std::size_t size) {
    const std::size_t skipped = std::min(skip, size);
    skip -= skipped;
    if (size > skipped) parts[count++] = iovec{bytes + skipped, size - skipped};
  };
  for (std::size_t i = 0; i < std::min(queue_.size(), kMostGathered); ++i) {
    Frame& frame = queue_[i];
    FrameHeader header;
    header.body_length = static_cast<std::uint32_t>(frame.body.size());
    header.secret_length = frame.secret ? static_cast<std::uint16_t>(frame.secret->size()) : std::uint16_t{0};
    header.kind = frame.kind;
    header.call = frame.call;
    headers[i] = EncodeHeader(header);
    add(headers[i].data(), kFrameHeaderBytes);
    add(frame.body.data(), frame.body.size());
    if (frame.secret) {
      const std::span<std::uint8_t> bytes = frame.secret->Bytes(SecretAccess());
      add(bytes.data(), bytes.size());
      secrets = true;
    }
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  for (;;) {
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN) return std::size_t{0};
    if (errno != EINTR) return Fail(Code::kUnavailable, "the connection failed; errno", errno);
  }
}

void FrameIo::Sent(std::size_t bytes) {
  front_sent_ += bytes;
  while (!queue_.empty()) {
    const Frame& front = queue_.front();
    const std::size_t size = kFrameHeaderBytes + front.body.size() + (front.secret ? front.secret->size() : 0);
    if (front_sent_ < size) return;
    front_sent_ -= size;
    queue_.pop_front();  // wipes its secret
    ++written_;
  }
}

std::uint64_t FrameIo::FirstUnsent() const {
  const std::size_t first = front_sent_ > 0 ? 1 : 0;
  return first < queue_.size() ? queue_[first].call : UINT64_MAX;
}

void FrameIo::Drop(std::uint64_t call) {
  const auto begin = queue_.begin() + (front_sent_ > 0 ? 1 : 0);
  const auto found = std::find_if(begin, queue_.end(), [call](const Frame& frame) { return frame.call == call; });
  if (found != queue_.end()) queue_.erase(found);
}

void FrameIo::Restart() {
  header_got_ = next_got_ = body_got_ = 0;
  drained_ = false;
  reading_.reset();
  if (front_sent_ > 0) queue_.pop_front();
  front_sent_ = 0;
}

void FrameIo::Clear() {
  Restart();
  queue_.clear();
}

}  // namespace strongroom::vault
