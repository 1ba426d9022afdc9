// SHA-256, from which everything the simulator makes up is derived, so that a prompt is always answered
// alike.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace strongroom::sim {

using Digest = std::array<std::uint8_t, 32>;

// Sha256 digests text.
Digest Sha256(std::string_view text);

// Token renders 24 letters and digits from a digest, as providers do in the ids of their messages.
std::string Token(const Digest& digest);

}  // namespace strongroom::sim
