// Mailbox: how answers come from the handler's threads to the server's own. A group commit answers hundreds of requests
// at once; they arrive together, with one wake-up.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "vault/service.h"

namespace strongroom::vault {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  struct Item {
    Item(std::uint64_t its_connection, std::uint64_t its_call, Result<Reply>&& its_reply)
        : connection(its_connection), call(its_call), reply(std::move(its_reply)) {}
    std::uint64_t connection;
    std::uint64_t call;
    Result<Reply> reply;
  };
  // Deliver gets what came since the last time, on the executor; of several epochs the latest.
  using Deliver = std::function<void(std::vector<Item> items, std::optional<std::int64_t> epoch)>;

  Mailbox(asio::any_io_executor executor, Deliver deliver);

  // Put and PutEpoch may be called from any thread, also after Close: what comes then is dropped.
  void Put(Item item);
  void PutEpoch(std::int64_t epoch);
  // Close forgets the executor; afterwards nothing is delivered.
  void Close();

 private:
  void Wake();
  void Empty();

  std::mutex mutex_;
  asio::any_io_executor executor_;
  Deliver deliver_;
  std::vector<Item> items_;
  std::optional<std::int64_t> epoch_;
  bool awake_ = false, closed_ = false;
};

}  // namespace strongroom::vault
