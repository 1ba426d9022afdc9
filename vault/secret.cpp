#include "vault/secret.h"

#include <sodium.h>

#include <concepts>
#include <ostream>
#include <type_traits>
#include <utility>

#include "vault/arena.h"

namespace strongroom::vault {

static_assert(!std::is_copy_constructible_v<SecretValue> && !std::is_copy_assignable_v<SecretValue>);
static_assert(std::is_nothrow_move_constructible_v<SecretValue>);
static_assert(!std::is_convertible_v<SecretValue, std::string> && !std::is_convertible_v<SecretValue, std::string_view>);
static_assert(!std::is_convertible_v<SecretValue, std::span<const std::uint8_t>>);
static_assert(!std::is_convertible_v<SecretView, std::span<const std::uint8_t>>);
static_assert(!std::equality_comparable<SecretValue>);
static_assert(!std::is_default_constructible_v<SecretAccess>);
static_assert(!std::is_convertible_v<Kek, Dek> && !std::is_constructible_v<Kek, Dek>);
static_assert(!std::is_copy_constructible_v<Kek>);
static_assert(SecretValue::kMostBytes == Arena::kLargeSlot);

Result<SecretValue> SecretValue::Allocate(std::size_t size) {
  TRY_ASSIGN(const std::span<std::uint8_t> slot, Arena::Process().Take(size));
  return SecretValue(slot);
}

Result<SecretValue> SecretValue::Random(std::size_t size) {
  TRY_ASSIGN(SecretValue value, Allocate(size));
  randombytes_buf(value.bytes_.data(), value.bytes_.size());
  return value;
}

SecretValue::SecretValue(SecretValue&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

SecretValue& SecretValue::operator=(SecretValue&& other) noexcept {
  if (this != &other) {
    Wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

SecretValue::~SecretValue() { Wipe(); }

void SecretValue::Shrink(const SecretAccess&, std::size_t size) {
  CHECK(size <= bytes_.size());
  sodium_memzero(bytes_.data() + size, bytes_.size() - size);
  bytes_ = bytes_.first(size);
}

void SecretValue::Wipe() {
  if (bytes_.data() != nullptr) Arena::Process().Give(std::exchange(bytes_, {}));
}

std::ostream& operator<<(std::ostream& out, const SecretValue&) { return out << "[REDACTED]"; }
std::string to_string(const SecretValue&) { return "[REDACTED]"; }

namespace {
// The stack a copy or a cipher may have used below its caller, in bytes.
constexpr std::size_t kStackCleared = 8192;
[[gnu::noinline]] void ClearStack() {
  std::uint8_t dead[kStackCleared];
  sodium_memzero(dead, sizeof dead);
}
#if defined(__x86_64__)
// The upper registers exist only with AVX-512, so this body must not be entered without it.
[[gnu::noinline, gnu::target("avx512f")]] void ClearZmm() {
  asm volatile(
      "vpxord %%zmm16,%%zmm16,%%zmm16\n vpxord %%zmm17,%%zmm17,%%zmm17\n vpxord %%zmm18,%%zmm18,%%zmm18\n"
      "vpxord %%zmm19,%%zmm19,%%zmm19\n vpxord %%zmm20,%%zmm20,%%zmm20\n vpxord %%zmm21,%%zmm21,%%zmm21\n"
      "vpxord %%zmm22,%%zmm22,%%zmm22\n vpxord %%zmm23,%%zmm23,%%zmm23\n vpxord %%zmm24,%%zmm24,%%zmm24\n"
      "vpxord %%zmm25,%%zmm25,%%zmm25\n vpxord %%zmm26,%%zmm26,%%zmm26\n vpxord %%zmm27,%%zmm27,%%zmm27\n"
      "vpxord %%zmm28,%%zmm28,%%zmm28\n vpxord %%zmm29,%%zmm29,%%zmm29\n vpxord %%zmm30,%%zmm30,%%zmm30\n"
      "vpxord %%zmm31,%%zmm31,%%zmm31\n" ::
          : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",
            "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}
[[gnu::noinline, gnu::target("avx")]] void ClearYmm() {
  asm volatile("vzeroall" ::
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12", "xmm13", "xmm14", "xmm15");
}
[[gnu::noinline]] void ClearXmm() {
  asm volatile(
      "pxor %%xmm0,%%xmm0\n pxor %%xmm1,%%xmm1\n pxor %%xmm2,%%xmm2\n pxor %%xmm3,%%xmm3\n"
      "pxor %%xmm4,%%xmm4\n pxor %%xmm5,%%xmm5\n pxor %%xmm6,%%xmm6\n pxor %%xmm7,%%xmm7\n"
      "pxor %%xmm8,%%xmm8\n pxor %%xmm9,%%xmm9\n pxor %%xmm10,%%xmm10\n pxor %%xmm11,%%xmm11\n"
      "pxor %%xmm12,%%xmm12\n pxor %%xmm13,%%xmm13\n pxor %%xmm14,%%xmm14\n pxor %%xmm15,%%xmm15\n" ::
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
            "xmm13", "xmm14", "xmm15");
}
#endif
}  // namespace

// The stack first: whatever wipes it goes through vector registers itself.
void ClearRegisters() {
  ClearStack();
#if defined(__x86_64__)
  static const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0;
  static const bool has_avx = __builtin_cpu_supports("avx") != 0;
  if (has_avx512) ClearZmm();
  if (has_avx) {
    ClearYmm();
  } else {
    ClearXmm();
  }
#endif
}

}  // namespace strongroom::vault
