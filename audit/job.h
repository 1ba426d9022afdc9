// Job: one act on its way into the trail, and what its caller hears of it.
#pragma once

#include <cstdint>
#include <functional>

#include "audit/record.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// Receipt proves to the caller which record stands for its act; `record` is what was written of its draft.
struct Receipt {
  std::int64_t seq = 0;
  base::Micros time = 0;
  Draft record = {};
};

// Decision is what a job wants written: its record, and whether its own changes stand. A job that was refused halfway
// asks for `undo`: its changes are rolled back, its record is written all the same.
struct Decision {
  Draft record;
  bool undo = false;
};

// Job is one act. `decide` runs on the writer's thread inside the transaction, at vault time `now`; it may read, and
// where `alone` is set also write (it then has a transaction of its own, and may be asked again in another where the first found the disk full). `done` is called once, after the commit or with the
// reason why the record may not be durable: on the writer's thread where the job ran alone or is told of an error, on another of
// the log's where not, and on that of whoever found out where the disk hangs. It must be quick and must not block.
// Jobs of different turns (one for each uid) are taken in rotation, so that nobody's flood delays another's act.
struct Job {
  std::uint64_t turn = 0;
  bool alone = false;
  std::function<Decision(sql::Database& database, base::Micros now)> decide;
  std::function<void(Result<Receipt>)> done;
};

}  // namespace strongroom::audit
