#include "vault/mailbox.h"

#include <asio/post.hpp>
#include <utility>

namespace strongroom::vault {

Mailbox::Mailbox(asio::any_io_executor executor, Deliver deliver)
    : executor_(std::move(executor)), deliver_(std::move(deliver)) {}

void Mailbox::Put(Item item) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  items_.push_back(std::move(item));
  Wake();
}

void Mailbox::PutEpoch(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  epoch_ = epoch;
  Wake();
}

// Wake is called with the lock held, so that Close cannot take the executor away in between.
void Mailbox::Wake() {
  if (std::exchange(awake_, true)) return;
  asio::post(executor_, [self = shared_from_this()] { self->Empty(); });
}

void Mailbox::Empty() {
  std::vector<Item> items;
  std::optional<std::int64_t> epoch;
  {
    const std::lock_guard lock(mutex_);
    awake_ = false;
    if (closed_) return;
    items.swap(items_);
    epoch = std::exchange(epoch_, std::nullopt);
  }
  deliver_(std::move(items), epoch);
}

void Mailbox::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  executor_ = asio::any_io_executor();
  items_.clear();
}

}  // namespace strongroom::vault
