// The logs that a command reads: one of a vault in a file, one a node where several share a database.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/reader.h"

namespace strongroom::audit {

// Sources is where the command line says they are.
struct Sources {
  std::string home, database, node;
  bool json = false;
};

// What went wrong, for a person: it may name a file or a node.
template <typename T>
using OrProblem = std::expected<T, std::string>;

// Log is one node's log; the only one of a vault in a file has no name.
struct Log {
  std::string node;
  std::unique_ptr<sql::Database> database;
};

// OpenLogs opens, read-only, the log that `node` names, else all there are, of the database that is named, else the home's.
OrProblem<std::vector<Log>> OpenLogs(const Sources& sources);

// ReadWhen reads --since or --until: a time, a date, or how long ago. False where it is none of them.
bool ReadWhen(const std::optional<std::string>& text, std::optional<base::Micros>& when);
inline constexpr std::string_view kWhenTakes = "--since and --until take 2026-11-20, 2026-11-20T08:00:00Z, or how "
                                               "long ago, such as 2h or 30d";

// PrunedNotes says of each log what was pruned, where it reaches into what was asked for: an answer may lack it.
Result<std::vector<std::string>> PrunedNotes(const std::vector<Log>& logs, std::optional<base::Micros> since);

// SearchAll is Search over all logs: of one as it reads on, of several by the time of their records.
Result<std::int64_t> SearchAll(const std::vector<Log>& logs, const Filter& filter,
                               const std::function<void(const Entry&)>& each);

}  // namespace strongroom::audit
