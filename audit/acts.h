// Acts: what was recorded besides releases of keys, which are nearly all there is; and records as rows of a report.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/logs.h"
#include "audit/report.h"

namespace strongroom::audit {

// Stretch is a stretch of time, both ends included.
struct Stretch {
  std::optional<base::Micros> since, until;
  // InWords is "from … to …", or "over all time".
  std::string InWords() const;
};

// EachAct calls `each` with the records of all logs whose action is neither `resolve` nor `report_call`, by their time. There is an index of them.
Result<void> EachAct(const std::vector<Log>& logs, const Stretch& stretch, const std::function<void(const Entry&)>& each);
// EachFound calls `each` with the records of all logs that match, by their time.
Result<void> EachFound(const std::vector<Log>& logs, Filter filter, const Stretch& stretch,
                       const std::function<void(const Entry&)>& each);

// SeqOf is a record's number, with its node in front where there are several logs.
std::string SeqOf(const Entry& entry, bool several);
// FactsText is "name=value name=value".
std::string FactsText(const std::optional<Facts>& facts);
// FactOf is a fact, "" where it is not there.
std::string FactOf(const std::optional<Facts>& facts, const std::string& name);
// WhyOf is the refusal's name and what the caller gave for asking.
std::string WhyOf(const Draft& draft);
// IsRelease is whether a record is of a key that was asked for, to be used.
bool IsRelease(const Draft& draft);

}  // namespace strongroom::audit
