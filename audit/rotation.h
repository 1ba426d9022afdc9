// Rotation: a log that goes on under another signing key, and which keys count for whom who trusts one of them (audit/FORMAT.md, Rotation).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/note.h"
#include "audit/record.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

inline constexpr std::string_view kRotateSigningKey = "rotate_signing_key", kEraseSigningKey = "erase_signing_key";

struct Rotation {
  std::int64_t seq = 0;  // of its record
  VerifierKey before, after;  // of one name
  std::optional<std::int64_t> erased;  // seq of the record that the old key is gone; nullopt while both sign
  std::string handover;  // a checkpoint signed by both, as that record quotes it
};

// KeyIn is the signing key that a record's facts name; nullopt where they name none, or one of another kind.
std::optional<VerifierKey> KeyIn(const std::optional<Facts>& facts);

// TakeRotation adds what a record tells of rotations. A record that is not to be read as one, or was refused, tells nothing.
void TakeRotation(const Entry& entry, std::vector<Rotation>& rotations);

// RotationsOf is what a log's records tell, as far as its columns find them.
Result<std::vector<Rotation>> RotationsOf(sql::Database& database);

// SignedByBoth is true for a note with valid signatures of the key before and the key after.
bool SignedByBoth(const Note& note, const Rotation& rotation);

// KeyRange is a key and the sizes of the checkpoints that it counts for, both included.
struct KeyRange {
  VerifierKey key;
  std::int64_t from = 0;
  std::int64_t to = std::numeric_limits<std::int64_t>::max();
};
// RangeOf is where the rotations let a public key count: from the record that names it on, until the record that it was erased.
KeyRange RangeOf(const VerifierKey& key, const std::vector<Rotation>& rotations);

}  // namespace strongroom::audit
