// A non-blocking connection, with TLS or without, that never waits by itself: the server waits for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "provider-sim/certificates.h"

struct ssl_ctx_st;
struct ssl_st;

namespace strongroom::sim {

struct TlsFreer {
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* tls) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsFreer>;

// MakeTlsContext serves TLS 1.2 and 1.3 and offers http/1.1 alone. kInvalidArgument where a file does not
// load.
Result<TlsContext> MakeTlsContext(const CertificatePaths& paths);

// Progress is what one step achieved: bytes moved, or what to wait for, or that the connection is over.
struct Progress {
  enum class State : std::uint8_t { kDone, kWantRead, kWantWrite, kEnd };
  State state = State::kEnd;
  std::size_t bytes = 0;
};

// Stream works on a non-blocking descriptor that it does not own.
class Stream {
 public:
  // A null context means plain text.
  Stream(int fd, ssl_ctx_st* context);

  Progress Handshake();
  Progress Read(std::span<char> into);
  Progress Write(std::string_view bytes);
  // HasBuffered is true where Read may succeed though the descriptor has nothing new.
  bool HasBuffered() const;
  // FinishWriting tells the peer that no more comes (close_notify, FIN).
  void FinishWriting();

 private:
  Progress FromTls(int result) const;

  int fd_;
  std::unique_ptr<ssl_st, TlsFreer> tls_;
};

}  // namespace strongroom::sim
