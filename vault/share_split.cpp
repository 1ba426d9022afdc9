// The only place with libgfshare: Shamir's scheme over GF(256). The library copies the secret and its coefficients into
// memory of its own, which is neither locked nor hidden; it overwrites both with random bytes when a context is freed. That is why
// only a process that ends soon comes here (vault/ceremony.h).
extern "C" {  // which its header leaves out
#include <libgfshare.h>
}
#include <sodium.h>

#include <array>
#include <memory>

#include "vault/shares.h"

namespace strongroom::vault {
namespace {

struct ContextFree {
  void operator()(gfshare_ctx* context) const {
    gfshare_ctx_free(context);
    ClearRegisters();
  }
};
using Context = std::unique_ptr<gfshare_ctx, ContextFree>;
using Numbers = std::array<unsigned char, kMostShares>;

// The library's own source of randomness is unset, and the one it ships is random(3).
void UseSodium() {
  gfshare_fill_rand = [](unsigned char* bytes, unsigned int size) { randombytes_buf(bytes, size); };
}

Error NoContext() { return Error(Code::kResourceExhausted, "no memory to split a key in"); }

}  // namespace

Result<std::vector<Share>> Shares::Split(SecretView value, const ShareFacts& facts) {
  CHECK(value.size() == kShareBytes && facts.threshold >= kLeastThreshold && facts.threshold <= facts.shares &&
        facts.shares <= kMostShares);
  UseSodium();
  Numbers numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<unsigned char>(i + 1);
  const Context context(gfshare_ctx_init_enc(numbers.data(), static_cast<unsigned>(facts.shares),
                                             static_cast<unsigned char>(facts.threshold), kShareBytes));
  if (context == nullptr) return Fail(NoContext());
  // It only reads through this pointer.
  gfshare_ctx_enc_setsecret(context.get(), const_cast<unsigned char*>(value.Bytes(SecretAccess()).data()));
  std::vector<Share> shares;
  for (std::int64_t i = 0; i < facts.shares; ++i) {
    TRY_ASSIGN(SecretValue piece, SecretValue::Allocate(kShareBytes));
    gfshare_ctx_enc_getshare(context.get(), static_cast<unsigned char>(i), piece.Bytes(SecretAccess()).data());
    ShareFacts its = facts;
    its.index = i + 1;
    shares.emplace_back(std::move(its), std::move(piece));
  }
  return shares;
}

Result<SecretValue> Shares::Combine(const std::vector<Share>& shares) {
  CHECK(!shares.empty());
  const auto needed = static_cast<std::size_t>(shares[0].facts.threshold);
  CHECK(shares.size() >= needed && needed <= kMostShares);
  UseSodium();
  Numbers numbers{};
  for (std::size_t i = 0; i < needed; ++i) numbers[i] = static_cast<unsigned char>(shares[i].facts.index);
  TRY_ASSIGN(SecretValue value, SecretValue::Allocate(kShareBytes));
  const Context context(gfshare_ctx_init_dec(numbers.data(), static_cast<unsigned>(needed), kShareBytes));
  if (context == nullptr) return Fail(NoContext());
  for (std::size_t i = 0; i < needed; ++i) {
    const ByteView piece = shares[i].value.View().Bytes(SecretAccess());
    CHECK(piece.size() == kShareBytes);
    gfshare_ctx_dec_giveshare(context.get(), static_cast<unsigned char>(i), const_cast<unsigned char*>(piece.data()));
  }
  gfshare_ctx_dec_extract(context.get(), value.Bytes(SecretAccess()).data());
  return value;
}

}  // namespace strongroom::vault
