// The one locked arena a process has: the memory behind every SecretValue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace strongroom::vault {

enum class Protection : std::uint8_t { kMemfdSecret, kMlock, kNone };

// ProtectionName is what `status` prints: "memfd_secret", "mlock", or "none (sanitizer build)".
std::string_view ProtectionName(Protection protection);

// Arena hands out fixed slots of memory that is not swapped, not dumped, not inherited by a child, and, with
// memfd_secret, not readable by root from outside. Slots are zero when taken and zeroed when given back. Thread-safe.
class Arena {
 public:
  static constexpr std::size_t kSmallSlot = 256;
  static constexpr std::size_t kLargeSlot = 2048;

  // Open makes the process's arena; mains call it once, before threads. It takes memfd_secret where the kernel has
  // it, else mlock, whose result it checks; as much as RLIMIT_MEMLOCK allows, at most 1 MiB, at least 32 KiB.
  // kResourceExhausted names the limit to raise. `scratch` bytes are mapped first, for the first call of Scratch: the arena takes what they leave.
  static Result<void> Open(std::size_t scratch = 0);
  // Process returns the arena. Before Open, the first secret opens it; CHECK fails where that fails.
  static Arena& Process();

  Protection protection() const { return protection_; }
  std::size_t bytes() const { return memory_.size(); }

  // Scratch maps `bytes` more of the same kind of memory, zero and never given back: take one once and keep it.
  // kResourceExhausted names the limit to raise.
  static Result<std::span<std::uint8_t>> Scratch(std::size_t bytes);

  Result<std::span<std::uint8_t>> Take(std::size_t size);
  void Give(std::span<std::uint8_t> slot);

 private:
  struct State;
  Arena(std::span<std::uint8_t> memory, Protection protection);
  static Result<Arena*> Make(std::size_t scratch);

  std::span<std::uint8_t> memory_;
  Protection protection_;
  State* state_;  // the free lists; lives as long as the process
};

}  // namespace strongroom::vault
