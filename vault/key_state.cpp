#include "vault/key_state.h"

#include <array>
#include <utility>

namespace strongroom::vault {
namespace {

using enum KeyState;

constexpr std::array<std::pair<KeyState, std::string_view>, 7> kNames{{
    {kPending, "PENDING"},
    {kActive, "ACTIVE"},
    {kRotated, "ROTATED"},
    {kSuspended, "SUSPENDED"},
    {kRevoked, "REVOKED"},
    {kCompromised, "COMPROMISED"},
    {kDestroyed, "DESTROYED"},
}};

struct Transition {
  KeyState from;
  Move move;
  KeyState to;
};

// All there is: a move that is not listed is forbidden.
constexpr std::array<Transition, 16> kTransitions{{
    {kPending, Move::kActivate, kActive},
    {kActive, Move::kRotate, kRotated},
    {kActive, Move::kSuspend, kSuspended},
    {kSuspended, Move::kResume, kActive},
    {kRotated, Move::kRollBack, kActive},
    {kPending, Move::kRevoke, kRevoked},
    {kActive, Move::kRevoke, kRevoked},
    {kRotated, Move::kRevoke, kRevoked},
    {kSuspended, Move::kRevoke, kRevoked},
    {kPending, Move::kCompromise, kCompromised},
    {kActive, Move::kCompromise, kCompromised},
    {kRotated, Move::kCompromise, kCompromised},
    {kSuspended, Move::kCompromise, kCompromised},
    {kRevoked, Move::kCompromise, kCompromised},
    {kRevoked, Move::kDestroy, kDestroyed},
    {kCompromised, Move::kDestroy, kDestroyed},
}};

}  // namespace

std::string_view StateName(KeyState state) {
  for (const auto& [known, name] : kNames) {
    if (known == state) return name;
  }
  CHECK(false && "a key state without a name");
  return {};
}

Result<KeyState> ParseState(std::string_view name) {
  for (const auto& [state, known] : kNames) {
    if (known == name) return state;
  }
  return Fail(Code::kCorrupt, "not a key state");
}

std::optional<KeyState> NextState(KeyState from, Move move) {
  for (const Transition& transition : kTransitions) {
    if (transition.from == from && transition.move == move) return transition.to;
  }
  return std::nullopt;
}

bool Opens(KeyState state, std::optional<base::Micros> grace_until, base::Micros now) {
  if (state == kActive) return true;
  return state == kRotated && grace_until.has_value() && now < *grace_until;
}

}  // namespace strongroom::vault
