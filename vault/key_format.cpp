#include "vault/key_format.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kLeastBytes = 20, kMostBytes = 2000;
static_assert(kMostBytes <= SecretValue::kMostBytes);

enum class Fault : std::uint8_t { kNone, kSpace, kOther };

// Counts the good bytes in front of the first bad one.
Fault FirstFault(ByteView key, std::size_t& good) {
  for (const std::uint8_t byte : key) {
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return Fault::kSpace;
    if (byte < 0x21 || byte > 0x7e) return Fault::kOther;
    ++good;
  }
  return Fault::kNone;
}

}  // namespace

Result<void> KeyFormat::Check(SecretView key) {
  const auto length = static_cast<std::int64_t>(key.size());
  if (key.size() < kLeastBytes)
    return Fail(Code::kInvalidArgument, "the key is too short, 20 bytes at least: bytes", length);
  if (key.size() > kMostBytes)
    return Fail(Code::kInvalidArgument, "the key is too long, 2000 bytes at most: bytes", length);
  std::size_t good = 0;
  const Fault fault = FirstFault(key.Bytes(SecretAccess()), good);
  ClearRegisters();
  const auto place = static_cast<std::int64_t>(good) + 1;
  if (fault == Fault::kSpace) {
    return Fail(Code::kInvalidArgument, "the key has a space, tab or newline inside: at byte", place);
  }
  if (fault == Fault::kOther) {
    return Fail(Code::kInvalidArgument, "the key has a byte that is not printable ASCII: at byte", place);
  }
  return {};
}

}  // namespace strongroom::vault
