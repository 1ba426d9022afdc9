// The trail as lines of text: as it is, or in the words of those who collect events (audit/ocsf.h, audit/syslog.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/logs.h"
#include "audit/out.h"
#include "base/result.h"

namespace strongroom::audit {

// ExportRecords writes the records `from` to `to`, both included, a line each: without its LF it is the leaf's bytes. Without `to`
// it ends with the newest. kNotFound where there is no such record, kCorrupt where one is missing or would be two lines.
Result<void> ExportRecords(sql::Database& database, std::int64_t from, std::optional<std::int64_t> to, OutFile& out);

// LineOf is an event as one line, without its LF.
using LineOf = std::function<std::string(const Entry& entry)>;
// ExportEvents writes the records of all logs from `since` to `until`, both included, by their time.
Result<void> ExportEvents(const std::vector<Log>& logs, std::optional<base::Micros> since, std::optional<base::Micros> until,
                          const LineOf& line, OutFile& out);

}  // namespace strongroom::audit
