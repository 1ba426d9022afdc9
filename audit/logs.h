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

// ReadSpan reads --since and --until: each a time, a date, or how long ago. It returns what is wrong with them, for a person; "" where nothing is.
std::string ReadSpan(const std::optional<std::string>& since_text, const std::optional<std::string>& until_text,
                     std::optional<base::Micros>& since, std::optional<base::Micros>& until);

// PrunedNotes says of each log what was pruned, where it reaches into what was asked for: an answer may lack it.
Result<std::vector<std::string>> PrunedNotes(const std::vector<Log>& logs, std::optional<base::Micros> since);

// SearchAll is Search over all logs: of one as it reads on, of several by the time of their records.
Result<std::int64_t> SearchAll(const std::vector<Log>& logs, const Filter& filter,
                               const std::function<void(const Entry&)>& each);

}  // namespace strongroom::audit
