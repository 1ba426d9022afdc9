// The rules of form that fields of requests must keep (INTERFACES §2): lengths in bytes, UTF-8, no control characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/record.h"
#include "base/result.h"

namespace strongroom::vault {

// The contract counts characters, 36 of a request_id and 10 of a customer at most; IsText bytes of UTF-8: up to four a character.
inline constexpr std::size_t kMostRequestId = 36 * 4, kMostCustomer = 10 * 4;

enum class Lines : std::uint8_t { kOne, kMany };  // kMany: newline and tab are allowed

// IsText is true for 1 to `most` bytes of UTF-8 without control characters.
bool IsText(std::string_view text, std::size_t most, Lines lines = Lines::kOne);

// TakeReason puts a person's --reason into the record as `purpose`. kReasonMissing where it is empty or blank,
// kFieldInvalid where it is over 500 bytes or not plain text.
Result<void> TakeReason(std::string_view reason, audit::Draft& record);

// DefaultEndpoint is a built-in provider's endpoint, nullopt for a provider we do not know.
std::optional<std::string_view> DefaultEndpoint(std::string_view provider);
// NeedsKey is false for a provider that is called without one.
bool NeedsKey(std::string_view provider);

}  // namespace strongroom::vault
