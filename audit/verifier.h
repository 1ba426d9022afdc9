// Verifying a trail: its chain, its columns, its tree, and the checkpoints that vouch for its end (audit/FORMAT.md, What verification
// says).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/note.h"
#include "audit/source.h"
#include "audit/walk.h"
#include "base/result.h"

namespace strongroom::audit {

// Claim is a checkpoint that a trail is held against.
struct Claim {
  std::string from;  // where it was read, for a person
  Note note;
  Checkpoint checkpoint;
  bool own = false;  // it is the home's anchor
  std::string group = {};  // one of many that were read there; empty: it stands for itself

  // Of reads a note's text; kInvalidArgument where it is no checkpoint.
  static Result<Claim> Of(std::string from, Note note);
};

// Trust is whose signatures count: those by this public key, for a log whose records name the origin, or whose name was given.
struct Trust {
  Bytes public_key;  // empty: nobody's
  std::string name;  // the origin that the key was given for; empty where it is the database's own
};

struct Question {
  Trust trust = {};
  std::vector<Claim> claims = {};
  std::vector<VerifierKey> witnesses = {};
  std::size_t quorum = 0;  // so many of them must have signed a checkpoint for it to count
  // anchor reads the home's anchor as it is now; nullopt where it is missing, kCorrupt where it tells nothing. Empty: it is no
  // home that is verified.
  std::function<Result<std::optional<Claim>>()> anchor = {};
  std::function<void(std::int64_t)> progress = {};  // hears the count now and then
};

enum class ClaimState : std::uint8_t {
  kValid,       // signed, and the trail's
  kUnsigned,    // the home's own, which nobody could sign yet
  kNotSigned,   // not by the key that counts
  kForged,      // its signature is not valid
  kOtherLog,    // no record of this log names its origin
};

// Finding is what became of a claim.
struct Finding {
  Claim claim;
  ClaimState state = ClaimState::kOtherLog;
  std::size_t witnesses = 0;
  bool fits = false;    // it is the trail's head at its size
  bool beyond = false;  // the trail is shorter
  // ended_at is the seq of the record by which its log got another name; nullopt where that is its name still.
  std::optional<std::int64_t> ended_at = {};
};

// Weakness is why the end of a trail in which nothing is wrong is not vouched for.
enum class Weakness : std::uint8_t {
  kNone,
  kNoCheckpoint,   // there was none to hold it against
  kSealed,         // the home's newest is not signed
  kFewWitnesses,   // the newest has not been signed by enough witnesses
  kTail,           // there are records beyond the newest that counts
};

// Verdict is what was found. Without a fault and without a weakness the trail is verified.
struct Verdict {
  std::int64_t records = 0;
  std::string head;  // leaf hash of the last record; 64 zeros where there is none, which is a fault
  Hash root = EmptyRoot();
  std::optional<base::Micros> first_time, last_time;
  std::optional<Pruned> pruned;  // how many of the records are not there any more, and by which of them
  std::optional<Fault> fault;
  std::vector<Finding> findings;
  std::vector<Told> told;
  bool no_anchor = false;  // a home's is missing, which is a fault
  std::int64_t vouched = 0;  // records under the newest checkpoint that counts
  Weakness weakness = Weakness::kNone;
  std::vector<Rotation> rotations = {};  // of the signing key, as the records tell
};

// Refuted is the verdict on a trail that is not worth reading.
Verdict Refuted(Fault fault);

// Verify reads the whole trail from seq 0. An error means that it could not be read; a fault, that it was read and is wrong.
Result<Verdict> Verify(TrailSource& source, const Question& question);
// Verify without checkpoints.
Result<Verdict> Verify(sql::Database& database, const std::function<void(std::int64_t)>& progress = {});

}  // namespace strongroom::audit
