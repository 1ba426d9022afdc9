// Key states and the moves between them, as one table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace strongroom::vault {

enum class KeyState : std::uint8_t { kPending, kActive, kRotated, kSuspended, kRevoked, kCompromised, kDestroyed };

// StateName is the spelling in KEY_VAULT.STATUS ("ACTIVE"); ParseState reads it, kCorrupt on anything else.
std::string_view StateName(KeyState state);
Result<KeyState> ParseState(std::string_view name);

// Move is an act that changes a key's state.
enum class Move : std::uint8_t { kActivate, kRotate, kRevoke, kSuspend, kResume, kCompromise, kDestroy, kRollBack };

// A key is rolled back within its grace alone, which its state does not say.
// NextState is the state a move leads to, nullopt where the table forbids it. Nothing leads out of COMPROMISED but
// destruction, nothing out of DESTROYED.
std::optional<KeyState> NextState(KeyState from, Move move);

// A REVOKED key may be destroyed when it has been in that state for so long; a COMPROMISED one at once.
inline constexpr base::Micros kRevokedKept = 7 * base::kMicrosPerDay;

// Opens is true where the vault may release the key at `now`: ACTIVE, and ROTATED before grace_until.
bool Opens(KeyState state, std::optional<base::Micros> grace_until, base::Micros now);

}  // namespace strongroom::vault
