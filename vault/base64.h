// Base64: RFC 4648 §4 with padding, of public bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace strongroom::vault {

std::string Base64(ByteView bytes);
// FromBase64 takes nothing but what Base64 writes.
std::optional<Bytes> FromBase64(std::string_view text);

}  // namespace strongroom::vault
