#include "vault/spent_numbers.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::vault {

static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t) && crypto_shorthash_KEYBYTES == 16);

SpentNumbers::SpentNumbers() { randombytes_buf(key_.data(), key_.size()); }

std::uint64_t SpentNumbers::Number(std::string_view customer, std::string_view request_id, std::int64_t attempt) const {
  base::ByteWriter bytes;
  bytes.Field(customer);
  bytes.Field(request_id);
  bytes.I64(attempt);
  const Bytes message = bytes.Take();
  std::uint64_t number = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&number), message.data(), message.size(), key_.data());
  return number == 0 ? 1 : number;
}

void SpentNumbers::Add(std::uint64_t number) {
  if (young_.full()) Turn();
  young_.Add(number);
}

void SpentNumbers::Turn() {
  std::swap(young_, old_);
  young_.Clear();
}

void SpentNumbers::Remove(std::uint64_t number) {
  young_.Remove(number);
  old_.Remove(number);
}

// Find is the slot that holds the number, or the empty one where it belongs.
std::size_t SpentNumbers::Table::Find(std::uint64_t number) const {
  std::size_t slot = Home(number);
  while (slots_[slot] != 0 && slots_[slot] != number) slot = Next(slot);
  return slot;
}

void SpentNumbers::Table::Add(std::uint64_t number) {
  const std::size_t slot = Find(number);
  if (slots_[slot] == number) return;
  CHECK(!full());
  slots_[slot] = number;
  ++size_;
}

// What stands behind the gap and was pushed past it moves up, or a search would end at the gap.
void SpentNumbers::Table::Remove(std::uint64_t number) {
  std::size_t gap = Find(number);
  if (slots_[gap] != number) return;
  --size_;
  for (std::size_t slot = Next(gap); slots_[slot] != 0; slot = Next(slot)) {
    const std::size_t pushed = (slot - Home(slots_[slot])) & (2 * kLeastKept - 1);
    const std::size_t behind = (slot - gap) & (2 * kLeastKept - 1);
    if (pushed < behind) continue;
    slots_[gap] = slots_[slot];
    gap = slot;
  }
  slots_[gap] = 0;
}

void SpentNumbers::Table::Clear() {
  std::fill(slots_.begin(), slots_.end(), 0);
  size_ = 0;
}

}  // namespace strongroom::vault
