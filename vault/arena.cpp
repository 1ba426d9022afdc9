#include "vault/arena.h"

#include <sodium.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef STRONGROOM_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

namespace strongroom::vault {
namespace {

constexpr std::size_t kWantedBytes = 1 << 20;

std::atomic<Arena*> process_arena = nullptr;
std::mutex opening;                        // guards what is below, and the making of the above
std::span<std::uint8_t> scratch_ahead = {};  // mapped by Open, for Scratch

#ifndef STRONGROOM_SANITIZED
constexpr std::size_t kPage = 4096;
constexpr std::size_t kLeastBytes = 32 << 10;

// How much may be locked: all we want, or what RLIMIT_MEMLOCK leaves after raising it to its hard limit. Root tries
// for all in any case: whether the limit binds it depends on CAP_IPC_LOCK, and Make goes down from there.
std::size_t LockableBytes(std::size_t scratch) {
  rlimit limit{};
  if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return kWantedBytes;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_MEMLOCK, &raised) == 0) limit = raised;
  }
  const std::size_t left = limit.rlim_cur > scratch ? limit.rlim_cur - scratch : 0;
  return std::min<std::size_t>(left, kWantedBytes) / kPage * kPage;
}

std::uint8_t* MapMemfdSecret(std::size_t bytes) {
#ifdef SYS_memfd_secret
  const int fd = static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC));
  if (fd < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0) {
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (memory == MAP_FAILED) return nullptr;
  // A shared mapping would follow a fork: the child must not see it at all.
  if (madvise(memory, bytes, MADV_DONTFORK) != 0) {
    munmap(memory, bytes);
    return nullptr;
  }
  // Pages of a memfd come at first touch: take them all now, not when a key needs one and memory is short.
  std::memset(memory, 0, bytes);
  return static_cast<std::uint8_t*>(memory);
#else
  static_cast<void>(bytes);
  return nullptr;
#endif
}

std::uint8_t* MapLocked(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Each result is checked: an unlocked page would be swapped without a word.
  if (mlock(memory, bytes) != 0 || madvise(memory, bytes, MADV_DONTDUMP) != 0 ||
      madvise(memory, bytes, MADV_WIPEONFORK) != 0) {
    munmap(memory, bytes);
    return nullptr;
  }
  return static_cast<std::uint8_t*>(memory);
}
#endif

// MapScratch is empty where no such memory is to be had.
std::span<std::uint8_t> MapScratch(std::size_t bytes) {
#ifdef STRONGROOM_SANITIZED
  auto* const memory = static_cast<std::uint8_t*>(std::calloc(1, bytes));
#else
  bytes = (bytes + kPage - 1) / kPage * kPage;
  std::uint8_t* memory = MapMemfdSecret(bytes);
  if (memory == nullptr) memory = MapLocked(bytes);
#endif
  return memory == nullptr ? std::span<std::uint8_t>() : std::span(memory, bytes);
}

}  // namespace

// A quarter of the arena is large slots, the rest small ones; each free list is a stack of slot addresses.
struct Arena::State {
  std::mutex mutex;
  std::vector<std::uint8_t*> small, large;
  std::uint8_t* first_large = nullptr;
};

std::string_view ProtectionName(Protection protection) {
  switch (protection) {
    case Protection::kMemfdSecret: return "memfd_secret";
    case Protection::kMlock: return "mlock";
    case Protection::kNone: return "none (sanitizer build)";
  }
  return "none";
}

Arena::Arena(std::span<std::uint8_t> memory, Protection protection)
    : memory_(memory), protection_(protection), state_(new State) {
  const std::size_t large_bytes = memory.size() / 4 / kLargeSlot * kLargeSlot;
  const std::size_t small_bytes = memory.size() - large_bytes;
  state_->first_large = memory.data() + small_bytes;
  for (std::size_t at = small_bytes; at >= kSmallSlot; at -= kSmallSlot) {
    state_->small.push_back(memory.data() + at - kSmallSlot);
  }
  for (std::size_t at = memory.size(); at >= small_bytes + kLargeSlot; at -= kLargeSlot) {
    state_->large.push_back(memory.data() + at - kLargeSlot);
  }
}

Result<Arena*> Arena::Make(std::size_t scratch) {
#ifdef STRONGROOM_SANITIZED
  static_cast<void>(scratch);
  // AddressSanitizer cannot see inside mapped memory: one heap block, in which it is told what is in use.
  auto* memory = static_cast<std::uint8_t*>(std::calloc(1, kWantedBytes));
  CHECK(memory != nullptr);
  ASAN_POISON_MEMORY_REGION(memory, kWantedBytes);
  return new Arena({memory, kWantedBytes}, Protection::kNone);
#else
  for (std::size_t bytes = LockableBytes(scratch); bytes >= kLeastBytes; bytes = bytes / 2 / kPage * kPage) {
    if (auto* memory = MapMemfdSecret(bytes)) return new Arena({memory, bytes}, Protection::kMemfdSecret);
    if (auto* memory = MapLocked(bytes)) return new Arena({memory, bytes}, Protection::kMlock);
  }
  return Fail(Code::kResourceExhausted,
              "cannot lock memory for secrets: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) to at least this many bytes",
              static_cast<std::int64_t>(kLeastBytes + scratch));
#endif
}

Result<void> Arena::Open(std::size_t scratch) {
  const std::lock_guard lock(opening);
  if (process_arena.load(std::memory_order_acquire) != nullptr) return {};
  if (sodium_init() < 0) return Fail(Code::kUnavailable, "libsodium cannot start: no random source");
  if (scratch > 0 && scratch_ahead.empty()) scratch_ahead = MapScratch(scratch);
  TRY_ASSIGN(Arena* const made, Make(scratch));
  process_arena.store(made, std::memory_order_release);
  return {};
}

Arena& Arena::Process() {
  if (process_arena.load(std::memory_order_acquire) == nullptr) CHECK(Open().has_value());
  return *process_arena.load(std::memory_order_acquire);
}

Result<std::span<std::uint8_t>> Arena::Scratch(std::size_t bytes) {
  const std::lock_guard lock(opening);
  const auto mapped = scratch_ahead.size() >= bytes && bytes > 0 ? std::exchange(scratch_ahead, {}) : MapScratch(bytes);
  if (!mapped.empty()) return mapped;
  return Fail(Code::kResourceExhausted,
              "cannot lock memory to send a key from: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) by this many bytes",
              static_cast<std::int64_t>(bytes));
}

Result<std::span<std::uint8_t>> Arena::Take(std::size_t size) {
  if (size > kLargeSlot) return Fail(Code::kInvalidArgument, "a secret is at most 2,048 bytes");
  const std::lock_guard lock(state_->mutex);
  auto& list = size <= kSmallSlot ? state_->small : state_->large;
  if (list.empty()) {
    return Fail(Code::kResourceExhausted,
                "no room for another secret: raise RLIMIT_MEMLOCK (ulimit -l) or lower the calls in flight; arena bytes",
                static_cast<std::int64_t>(memory_.size()));
  }
  std::uint8_t* slot = list.back();
  list.pop_back();
  ASAN_UNPOISON_MEMORY_REGION(slot, size);
  return std::span(slot, size);
}

void Arena::Give(std::span<std::uint8_t> slot) {
  std::uint8_t* const start = slot.data();
  CHECK(start >= memory_.data() && start < memory_.data() + memory_.size());
  const bool is_small = start < state_->first_large;
  const std::size_t whole = is_small ? kSmallSlot : kLargeSlot;
  // The whole slot, not what is left of the secret in it: it may have been shrunk, or overrun.
  ASAN_UNPOISON_MEMORY_REGION(start, whole);
  sodium_memzero(start, whole);
  ASAN_POISON_MEMORY_REGION(start, whole);
  const std::lock_guard lock(state_->mutex);
  (is_small ? state_->small : state_->large).push_back(start);
}

}  // namespace strongroom::vault
