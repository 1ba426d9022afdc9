// Checkpoints (c2sp.org/tlog-checkpoint, v1.0.0): a trail's head under its log's name, as the text of a signed note; and what
// proves with one that a record is in the trail (c2sp.org/tlog-proof, v1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::audit {

struct Checkpoint {
  std::string origin;
  Head head;
  bool operator==(const Checkpoint&) const = default;

  // Body is the note text: origin, size and base64 of the root, a line each.
  std::string Body() const;
  // Parse reads the first three lines of a note text; further ones must not be empty and are not looked at. kInvalidArgument for
  // anything else, and for a size over 2^53−1, which no trail of ours reaches.
  static Result<Checkpoint> Parse(std::string_view text);
};

// RecordProof is a record's place in a checkpointed tree.
struct RecordProof {
  std::int64_t index = 0;
  std::vector<Hash> path;  // from the leaf's sibling up
  Note checkpoint;

  std::string Print() const;
  // Parse takes and forgets an `extra` line. kInvalidArgument for what is no tlog-proof v1 of a tree of SHA-256.
  static Result<RecordProof> Parse(std::string_view text);
};

// ConsistencyRequest is what a witness is asked with (c2sp.org/tlog-witness, add-checkpoint): "old N", a hash a line, an empty line
// and the checkpoint.
std::string ConsistencyRequest(std::int64_t old_size, const std::vector<Hash>& proof, const Note& checkpoint);

}  // namespace strongroom::audit
