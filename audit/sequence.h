// LogSequence: the records of a log one by one, or of several logs by their time, whatever their number.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "audit/logs.h"
#include "audit/prune.h"
#include "audit/record.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// StoredRecord is a row of the trail: its number and its exact bytes.
struct StoredRecord {
  std::int64_t seq = 0;
  std::string bytes;
};

// LastSeq is the newest record's number, -1 where there is none.
Result<std::int64_t> LastSeq(sql::Database& database);

// LogSequence reads the seqs `from` to `to`, both included, but for those that were pruned.
class LogSequence {
 public:
  LogSequence(sql::Database& database, std::int64_t from, std::int64_t to, std::optional<Pruned> pruned)
      : database_(&database), next_(from), to_(to), pruned_(std::move(pruned)) {}
  // Next is nullopt behind the last. kCorrupt, with its number, where a record is missing.
  Result<std::optional<StoredRecord>> Next();

 private:
  Result<void> ReadPage();

  sql::Database* database_;
  std::int64_t next_;
  const std::int64_t to_;
  std::optional<Pruned> pruned_;
  std::deque<StoredRecord> page_;
};

// MergedSequence reads all logs, oldest record first; those of one time in the order of the logs. It ends at what was newest when it
// was started.
class MergedSequence {
 public:
  static Result<MergedSequence> Start(const std::vector<Log>& logs, std::optional<base::Micros> since,
                                  std::optional<base::Micros> until);
  Result<std::optional<Entry>> Next();

 private:
  struct Branch {
    LogSequence sequence;
    std::optional<Entry> next;
  };
  explicit MergedSequence(std::optional<base::Micros> until) : until_(until) {}
  Result<void> Advance(Branch& branch) const;

  const std::optional<base::Micros> until_;
  std::vector<Branch> branches_;
};

}  // namespace strongroom::audit
