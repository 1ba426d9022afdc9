// RunBatch: N requests in flight, a reply for every row, the output in input order.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "base/config.h"
#include "sql/database.h"
#include "worker/batch/input.h"
#include "worker/batch/ledger.h"

namespace strongroom::worker {

// BatchEnd is how a run ended. `exit_code` is 0 where every row succeeded, else 1.
struct BatchEnd {
  BatchRecord batch;
  std::int64_t replayed = 0;  // rows whose refused key was replaced, and that were sent again
  bool interrupted = false;
  std::string error;  // set where the run could not go on; the batch can be resumed
  int exit_code() const { return interrupted || !error.empty() || batch.failed > 0 ? 1 : 0; }
};

// Replay is whether rows that ended in PROVIDER_AUTH are sent once more: the provider refused their key, so it did nothing for them.
enum class Replay : std::uint8_t { kNo, kRefused };

// RunBatch sends what has no reply yet, waits for the replies, and writes the output file. It ends: a row whose reply has
// not come after 3 × timeout_ms is cancelled where nobody holds it and becomes TIMEOUT. SIGINT and SIGTERM stop it;
// what was not claimed by then is withdrawn, and `batch resume` goes on from there. A row that waits for its key (queue.h, Hold) is
// waited for, and a line on stderr says so.
BatchEnd RunBatch(sql::Database& database, const base::Config& config, BatchRecord batch, Input& input, Replay replay = Replay::kNo);

}  // namespace strongroom::worker
