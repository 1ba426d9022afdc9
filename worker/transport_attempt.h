// Attempt: one HTTP exchange on a curl handle, from the call's parts to its answer.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "worker/splice.h"
#include "worker/transport.h"
#include "worker/transport_easy.h"
#include "worker/transport_loop.h"

struct curl_slist;

namespace strongroom::worker {

// Attempt borrows everything it is given until it is gone. It takes its transfer out of the loop when it
// goes, so a coroutine that is dropped halfway leaves nothing behind.
class Attempt : public Transfer {
 public:
  // `splice` is null for a call without a key.
  Attempt(asio::any_io_executor executor, TransferLoop& loop, void* easy, const HttpCall& call,
          const Splice* splice, const Aim& aim);
  ~Attempt() override;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // Run sends and waits for the answer. Call it once.
  asio::awaitable<std::expected<HttpAnswer, TransportFailure>> Run(base::Micros deadline);
  std::int64_t new_connections() const { return new_connections_; }

  void OnEnd(int code) override;

 private:
  struct Signal;
  static std::size_t OnBody(char* bytes, std::size_t one, std::size_t count, void* attempt);
  static std::size_t OnHeader(char* bytes, std::size_t one, std::size_t count, void* attempt);
  static int OnRequest(void* attempt, char* ip, char* local_ip, int port, int local_port);

  bool Prepare();
  bool AddHeader(const std::string& line);
  bool Begin();
  asio::awaitable<void> Ended();
  void End();
  bool sent() const;
  bool IsWorthFreshConnection() const;
  TransportFailure Failure() const;
  void ReadHeader(std::string_view line);

  TransferLoop& loop_;
  void* easy_;
  const HttpCall& call_;
  const Splice* splice_;
  const Aim& aim_;
  std::unique_ptr<Signal> signal_;
  curl_slist* headers_ = nullptr;
  TransferLoop::Running running_;
  HttpAnswer answer_;
  base::Micros deadline_ = 0;
  std::int64_t new_connections_ = 0;
  int code_ = 0;  // CURLcode, or Transfer::kClosed
  bool started_ = false, ended_ = false, too_large_ = false;
};

}  // namespace strongroom::worker
