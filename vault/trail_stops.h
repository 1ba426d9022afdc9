// TrailStops: what the trail says was stopped. A node that was away, or has joined, hears of the others' acts from the database; a row that was
// put back says nothing of its stop there, but the record of the act does.
//
// It is as good as the database: who can write that can delete records, or add some (a key that a forged one stops stays stopped here). `auditlog verify` names
// either.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "audit/record.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/stop_line.h"

namespace strongroom::vault {

class Stops;
class Store;

class TrailStops {
 public:
  // Read adds the stops that `noted` lacks to `found`, from the records that were not read before: of all nodes' logs where they share a database. The first
  // time it goes back from the newest one to the EPOCH that `noted` knows (where it is new, that is the whole trail), then to the read before (`now`: WallMicros).
  // `epoch` is the database's.
  Result<void> Read(Store& store, const Stops& noted, const std::string& vault_id, std::int64_t epoch, base::Micros now, std::vector<Stop>& found);
  // NothingNew says that there was no act since the read before until now.
  void NothingNew(base::Micros now);

 private:
  // Since is how far back the next read goes at most.
  Result<base::Micros> Since(Store& store, const Stops& noted, std::int64_t epoch, base::Micros now) const;

  std::optional<base::Micros> read_at_;
  // The records that the read before saw, by a hash of their bytes. Not by their numbers: somebody could put one there under a number that is yet to come.
  std::unordered_set<std::size_t> read_;
};

// TellStop writes into the record of an act what StopsOf reads there, where the act stopped one key: ROW_VERSION, STATUS and KEY_REF.
void TellStop(const std::vector<Stop>& stops, audit::Draft& record);

// StopsOf is what a record of an act that was done says it stopped. One from before records told the ROW_VERSION says it of final states alone, which need none.
std::vector<Stop> StopsOf(const audit::Draft& record);

}  // namespace strongroom::vault
