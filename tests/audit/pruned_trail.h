// PrunedTrail: a trail of 1,100 records, of which those below 1,024 were pruned, but for 0 and a landmark.
#pragma once

#include "tests/audit/signed_trail.h"

namespace strongroom::audit {

inline constexpr std::int64_t kBoundary = 1024, kLandmark = 300, kPruneSeq = 1100;
// In the time of these tests every record is old.
inline base::Micros Later() { return base::WallMicros() + base::kMicrosPerDay; }

struct PrunedTrail : SignedTrail {
  PrunedTrail() : SignedTrail(static_cast<int>(kLandmark)) {
    Draft removed = SampleDraft();
    removed.action = "remove_node";
    Append(removed);
    Grow(static_cast<int>(kPruneSeq - kLandmark - 1));
    whole = Copy("whole.db");
    REQUIRE(Prune(Later()) == true);
    Grow(20);
  }
  // OldRecord is a record as it was before.
  std::string OldRecord(std::int64_t seq) const {
    const auto database = sql::Open("sqlite:" + whole, {.access = sql::Access::kReadOnly});
    REQUIRE(database);
    const auto row = (*database)->QueryOne("SELECT RECORD FROM AUDIT_LOG WHERE SEQ = ?1", {seq});
    REQUIRE(row);
    const Bytes bytes = (*row)->Blob(0);
    (*row)->Reset();
    return std::string(base::AsText(bytes));
  }
  std::string whole;  // a copy of before
};

}  // namespace strongroom::audit
