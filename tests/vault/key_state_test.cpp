#include "vault/key_state.h"

#include <catch2/catch.hpp>
#include <map>
#include <utility>

namespace strongroom::vault {
namespace {

using enum KeyState;
constexpr KeyState kAll[] = {kPending, kActive, kRotated, kSuspended, kRevoked, kCompromised, kDestroyed};
constexpr Move kMoves[] = {Move::kActivate, Move::kRotate,     Move::kRevoke, Move::kSuspend,
                           Move::kResume,   Move::kCompromise, Move::kDestroy, Move::kRollBack};

TEST_CASE("key states move as the architecture says, and not otherwise", "[key_state]") {
  const std::map<std::pair<KeyState, Move>, KeyState> allowed{
      {{kPending, Move::kActivate}, kActive},        {{kActive, Move::kRotate}, kRotated},
      {{kPending, Move::kRevoke}, kRevoked},         {{kActive, Move::kRevoke}, kRevoked},
      {{kRotated, Move::kRevoke}, kRevoked},         {{kSuspended, Move::kRevoke}, kRevoked},
      {{kActive, Move::kSuspend}, kSuspended},       {{kSuspended, Move::kResume}, kActive},
      {{kPending, Move::kCompromise}, kCompromised}, {{kActive, Move::kCompromise}, kCompromised},
      {{kRotated, Move::kCompromise}, kCompromised}, {{kSuspended, Move::kCompromise}, kCompromised},
      {{kRevoked, Move::kCompromise}, kCompromised}, {{kRotated, Move::kRollBack}, kActive},
      {{kRevoked, Move::kDestroy}, kDestroyed},      {{kCompromised, Move::kDestroy}, kDestroyed}};
  for (const KeyState from : kAll) {
    for (const Move move : kMoves) {
      const auto expected = allowed.find({from, move});
      const auto next = NextState(from, move);
      INFO(StateName(from) << " move " << static_cast<int>(move));
      CHECK(next == (expected == allowed.end() ? std::nullopt : std::optional(expected->second)));
    }
  }
}

TEST_CASE("state names read back, and nothing else does", "[key_state]") {
  for (const KeyState state : kAll) CHECK(ParseState(StateName(state)) == state);
  for (const auto* name : {"", "active", "ACTIVE ", "ACTIV", "UNKNOWN"}) {
    CHECK(ParseState(name).error().code() == Code::kCorrupt);
  }
  CHECK(ParseState(std::string_view("ACTIVE\0", 7)).error().code() == Code::kCorrupt);
}

TEST_CASE("only ACTIVE, and ROTATED inside its grace, open", "[key_state]") {
  for (const KeyState state : kAll) {
    CHECK(Opens(state, std::nullopt, 100) == (state == kActive));
    CHECK(Opens(state, 101, 100) == (state == kActive || state == kRotated));
    CHECK(Opens(state, 100, 100) == (state == kActive));
  }
}

}  // namespace
}  // namespace strongroom::vault
