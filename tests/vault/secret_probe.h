// SecretProbe lets tests look inside secrets. Nothing in the product defines it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "vault/secret.h"

namespace strongroom::vault {

class SecretProbe {
 public:
  static SecretValue Of(ByteView bytes) {
    auto value = SecretValue::Allocate(bytes.size());
    // Not Catch's CHECK, which the includer may have: threads of a test call this too.
    if (!value) std::abort();
    std::copy(bytes.begin(), bytes.end(), value->Bytes(SecretAccess()).begin());
    return std::move(*value);
  }
  static SecretValue Of(std::string_view text) { return Of(base::AsBytes(text)); }
  static Bytes Copy(SecretView view) {
    const ByteView bytes = view.Bytes(SecretAccess());
    return Bytes(bytes.begin(), bytes.end());
  }
  static std::span<std::uint8_t> Writable(SecretValue& value) { return value.Bytes(SecretAccess()); }
  static void Shrink(SecretValue& value, std::size_t size) { value.Shrink(SecretAccess(), size); }
  static Kek KekOf(ByteView bytes) { return std::move(*Kek::FromSecret(Of(bytes))); }
};

}  // namespace strongroom::vault
