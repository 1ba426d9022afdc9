// What the trail has about one key, in pages, on vaultd's socket: vault/PROTOCOL.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "vault/protocol.h"

namespace strongroom::vault {

// What is asked for: the times that a key went out, or what was done to it.
inline constexpr std::string_view kUsesOfKey = "uses", kActsOnKey = "acts";

// ReadKeyTrailRequest asks for records from `since` on and behind (after_at, after_seq): those of the page before. With a `checkpoint`, a
// signed note of this log, only what is under it is answered, each use with its proof.
struct ReadKeyTrailRequest {
  std::string key_ref, what;
  base::Micros since = 0, after_at = 0;
  std::int64_t after_seq = -1;
  std::string checkpoint;
  Bytes Encode() const;
  static Result<ReadKeyTrailRequest> Decode(ByteView body);
};

// ReadKeyTrailAnswer: each row is a JSON object with `seq`, `record` (its exact bytes), and `proof` where one was asked for; or, of a record that is not
// what was written, with `fault`. `more` is true where a next page has to be asked for, from after_at and after_seq on. `held_from` is the time of
// the oldest record that was not pruned, 0 where none was.
struct ReadKeyTrailAnswer {
  std::vector<std::string> rows;
  bool more = false;
  base::Micros after_at = 0;
  std::int64_t after_seq = -1;
  base::Micros held_from = 0;
  Bytes Encode() const;
  static Result<ReadKeyTrailAnswer> Decode(ByteView body);
};

}  // namespace strongroom::vault
