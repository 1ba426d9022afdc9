#include "vault/secret.h"

#include <catch2/catch.hpp>
#include <sstream>
#include <utility>

#include "secret_probe.h"
#include "vault/arena.h"

namespace strongroom::vault {
namespace {

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

TEST_CASE("a new secret is zero bytes, of the size asked for", "[secret]") {
  for (const std::size_t size : {0UL, 1UL, 32UL, 256UL, 257UL, 2048UL}) {
    const auto value = SecretValue::Allocate(size);
    REQUIRE(value);
    CHECK(value->size() == size);
    CHECK(IsZero(SecretProbe::Copy(value->View())));
  }
}

TEST_CASE("a secret over 2,048 bytes is refused", "[secret]") {
  CHECK(SecretValue::Allocate(2049).error().code() == Code::kInvalidArgument);
  CHECK(SecretValue::Allocate(SIZE_MAX).error().code() == Code::kInvalidArgument);
}

TEST_CASE("a secret prints as [REDACTED]", "[secret]") {
  const SecretValue value = SecretProbe::Of("sk-ant-not-to-be-seen");
  std::ostringstream out;
  out << value;
  CHECK(out.str() == "[REDACTED]");
  CHECK(to_string(value) == "[REDACTED]");
}

TEST_CASE("moving a secret leaves nothing behind", "[secret]") {
  SecretValue first = SecretProbe::Of("the first secret");
  SecretValue second = std::move(first);
  CHECK(first.size() == 0);  // NOLINT: what is left is the question
  SecretValue third = SecretProbe::Of("the third secret");
  third = std::move(second);
  CHECK(base::AsText(SecretProbe::Copy(third.View())) == "the first secret");
  auto& self = third;
  third = std::move(self);
  CHECK(third.size() == 16);
}

TEST_CASE("the whole slot is zero after a secret went, however it went", "[secret]") {
  // The free list is a stack: the next secret of that kind gets the same slot.
  for (const std::size_t whole : {Arena::kSmallSlot, Arena::kLargeSlot}) {
    for (const int way : {0, 1, 2, 3}) {
      const std::uint8_t* slot = nullptr;
      {
        auto value = SecretValue::Allocate(whole);
        REQUIRE(value);
        const auto bytes = SecretProbe::Writable(*value);
        std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xa5});
        slot = bytes.data();
        if (way == 1) value->Wipe();
        if (way == 2) SecretProbe::Shrink(*value, 3);
        if (way == 3) SecretProbe::Shrink(*value, 0);
      }
      auto again = SecretValue::Allocate(whole);
      REQUIRE(again);
      REQUIRE(SecretProbe::Writable(*again).data() == slot);
      CHECK(IsZero(SecretProbe::Copy(again->View())));
    }
  }
}

TEST_CASE("shrinking keeps the front and wipes the rest", "[secret]") {
  SecretValue value = SecretProbe::Of("front and back");
  const std::span<std::uint8_t> before = SecretProbe::Writable(value);
  SecretProbe::Shrink(value, 5);
  CHECK(base::AsText(SecretProbe::Copy(value.View())) == "front");
  CHECK(IsZero(before.subspan(5)));
}

TEST_CASE("wiping twice is harmless", "[secret]") {
  SecretValue value = SecretProbe::Of("gone");
  value.Wipe();
  value.Wipe();
  CHECK(value.size() == 0);
}

TEST_CASE("random secrets differ", "[secret]") {
  const auto a = SecretValue::Random(32), b = SecretValue::Random(32);
  REQUIRE((a && b));
  CHECK(SecretProbe::Copy(a->View()) != SecretProbe::Copy(b->View()));
}

TEST_CASE("a 256-bit key is 32 bytes and nothing else", "[secret]") {
  CHECK(Kek::FromSecret(SecretProbe::Of(Bytes(31))).error().code() == Code::kInvalidArgument);
  CHECK(Kek::FromSecret(SecretProbe::Of(Bytes(33))).error().code() == Code::kInvalidArgument);
  CHECK(Dek::FromSecret(SecretProbe::Of(Bytes(32))).has_value());
}

#if defined(__x86_64__)
// Loads a pattern into the low and high vector registers this machine has, clears, and reads them all back.
template <typename Load, typename Store>
bool AllClear(Load load, Store store) {
  alignas(64) std::uint8_t pattern[64], seen[64 * 32] = {};
  std::fill(std::begin(pattern), std::end(pattern), std::uint8_t{0x5a});
  load(pattern);
  ClearRegisters();
  store(seen);
  return IsZero(seen);
}

TEST_CASE("ClearRegisters leaves no byte in xmm0 to xmm15", "[secret]") {
  CHECK(AllClear(
      [](const std::uint8_t* from) {
        asm volatile(
            "movdqa (%0),%%xmm0\n movdqa (%0),%%xmm1\n movdqa (%0),%%xmm7\n movdqa (%0),%%xmm15" ::"r"(from)
            : "xmm0", "xmm1", "xmm7", "xmm15");
      },
      [](std::uint8_t* to) {
        asm volatile(
            "movdqa %%xmm0,(%0)\n movdqa %%xmm1,64(%0)\n movdqa %%xmm7,128(%0)\n movdqa %%xmm15,192(%0)" ::
                "r"(to)
            : "memory");
      }));
}

[[gnu::noinline, gnu::target("avx512f")]] void LoadHigh(const std::uint8_t* from) {
  asm volatile(
      "vmovdqa64 (%0),%%zmm3\n vmovdqa64 (%0),%%zmm16\n vmovdqa64 (%0),%%zmm23\n vmovdqa64 (%0),%%zmm31" ::
          "r"(from)
      : "xmm3", "xmm16", "xmm23", "xmm31");
}
[[gnu::noinline, gnu::target("avx512f")]] void StoreHigh(std::uint8_t* to) {
  asm volatile(
      "vmovdqa64 %%zmm3,(%0)\n vmovdqa64 %%zmm16,64(%0)\n vmovdqa64 %%zmm23,128(%0)\n vmovdqa64 "
      "%%zmm31,192(%0)" ::"r"(to)
      : "memory");
}
TEST_CASE("ClearRegisters leaves no byte in the AVX-512 registers", "[secret]") {
  if (__builtin_cpu_supports("avx512f") == 0) {
    WARN("no AVX-512 here");
    return;
  }
  CHECK(AllClear(LoadHigh, StoreHigh));
}
#endif

}  // namespace
}  // namespace strongroom::vault
