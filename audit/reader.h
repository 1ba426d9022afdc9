// Reading the trail: find records by what an auditor knows.
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
