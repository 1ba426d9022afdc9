// RecoveryLog: what the work database tells of a key that was stopped: the calls that failed for want of it, and how far the way back is (RECOVERY).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "keytool/context.h"
#include "keytool/problem.h"
#include "sql/database.h"

namespace strongroom::keytool {

// RecoveryRow is one row of RECOVERY: notes, for whoever goes on. Workers may write that table too, so what is done goes by the vault's word alone.
struct RecoveryRow {
  std::string key_ref, customer, provider;
  std::string stopped_as;                // the key's STATUS when the recovery began
  std::set<std::string> profiles;        // those that used it then
  std::set<std::string> customers;       // whose profiles these are
  base::Micros stopped_at = 0;           // the first call that its provider or the vault refused, or its STATUS's beginning, whichever was first
  std::string started_by;
  base::Micros started_at = 0;
  std::string new_key_ref;               // empty until there is one; the key itself where it was resumed
  std::optional<base::Micros> replaced_at;
  std::int64_t calls_failed = 0;         // the most that were counted: a replay takes its rows out of USAGE_LOG
  std::optional<base::Micros> closed_at;
};

// FailedCalls is the requests that ended in PROVIDER_AUTH for want of a key.
struct FailedCalls {
  // Those that have not been sent again: their ids, by the batch that asked, "" for requests of other callers.
  std::map<std::string, std::vector<std::string>> left;
  std::int64_t refused_since = 0;  // with the key that took its place, those that were sent again included
  std::int64_t CountLeft() const;
};

struct BatchFacts {
  std::string batch_id, status, input_file, initiated_by;
};

class RecoveryLog {
 public:
  static Outcome<RecoveryLog> Open(const Context& context);

  Outcome<std::optional<RecoveryRow>> Find(const std::string& key_ref);
  // List is the newest first, or, with a customer or a provider, those of them that are not closed.
  Outcome<std::vector<RecoveryRow>> List(const std::string& customer, const std::string& provider);
  // Put writes the whole row, the first time or anew.
  Outcome<void> Put(const RecoveryRow& row);

  // StoppedAt is when calls began to fail, as RecoveryRow has it; `changed_at` is its STATUS's beginning, `created_at` the key's.
  Outcome<base::Micros> StoppedAt(const RecoveryRow& row, base::Micros changed_at, base::Micros created_at);
  // FailedCallsOf is those since then.
  Outcome<FailedCalls> FailedCallsOf(const RecoveryRow& row);
  // FirstCall is when the new key's first call succeeded; nullopt as long as none has.
  Outcome<std::optional<base::Micros>> FirstCall(const RecoveryRow& row);
  // FindBatch is nullopt where the id is no batch's.
  Outcome<std::optional<BatchFacts>> FindBatch(const std::string& batch_id);

 private:
  explicit RecoveryLog(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}
  std::unique_ptr<sql::Database> database_;
};

}  // namespace strongroom::keytool
