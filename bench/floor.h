// What durable records cost without us: the floor that others are compared with in the same run.
#pragma once

#include <string>
#include <vector>

#include "audit/record.h"
#include "base/clock.h"

namespace strongroom::bench {

inline constexpr base::Micros kRoundMicros = 1'500'000;

struct Rate {
  double per_second = 0;
  std::vector<double> latencies_us;  // of each act, or of each of the floor's transactions
};

// Must ends the benchmark where a floor cannot be measured.
void Must(bool ok, const char* what);

// SampleDraft is what vaultd records for a release, and SampleRecord its bytes.
audit::Draft SampleDraft();
std::string SampleRecord(std::int64_t seq);

// FloorSqlite is records a second in bare SQLite, with the vault's own table and indexes, `group` a transaction, and one 300-byte
// pwrite+fdatasync of an anchor each. FloorFile is the same records appended to a plain file, an fdatasync a group.
Rate FloorSqlite(const std::string& directory, int group);
Rate FloorFile(const std::string& directory, int group);

}  // namespace strongroom::bench
