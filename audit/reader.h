// Reading the trail: walk its chain, and find records by what an auditor knows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// ListLogs is the nodes that have a log in this database, or must have: each is read over a connection of its own
// (sql::OpenOptions::node). In a file there is one log, without a name.
Result<std::vector<std::string>> ListLogs(sql::Database& database);

// Fault is the first thing wrong with a trail.
struct Fault {
  std::int64_t seq = 0;
  std::string kind;    // changed, missing, reordered, chain, index_mismatch
  std::string detail;  // one line for a person
};

// Verdict is what a walk over the whole trail found.
struct Verdict {
  std::int64_t records = 0;
  std::string head;  // leaf hash of the last record; 64 zeros where there is none, which is a fault
  std::optional<base::Micros> first_time, last_time;
  std::optional<Fault> fault;
};

// Verify walks the trail from seq 0: sequence without gaps, each record canonical, `prev` the leaf hash of the record
// before, one log id, and every SQL index column equal to the stored bytes. `progress`, if set, hears the count now and
// then. An error means it could not be read; a fault means it was read and is wrong.
Result<Verdict> Verify(sql::Database& database, const std::function<void(std::int64_t)>& progress = {});

// FirstSeqAt is the first seq whose record is not older than `since`; the number of records where all are.
Result<std::int64_t> FirstSeqAt(sql::Database& database, base::Micros since);

// Filter is what `auditlog search` asks for; all that are set must hold.
struct Filter {
  std::optional<std::string> key_ref, customer, actor, action, outcome, request_id;
  std::optional<base::Micros> since, until;
  std::int64_t limit = 1000;
};

// Search calls `each` with the records that match, oldest first, and returns how many there were.
Result<std::int64_t> Search(sql::Database& database, const Filter& filter,
                            const std::function<void(const Entry&)>& each);

}  // namespace strongroom::audit
