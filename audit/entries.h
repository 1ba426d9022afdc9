// EachEntry: the records that a query finds.
#pragma once

#include <functional>

#include "audit/record.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

using TakeEntry = std::function<void(const Entry&)>;

// EachEntry hands over the records in the first column of a query, one after the other. What is no record any more is passed over: verification names it.
Result<void> EachEntry(sql::Statement& rows, const TakeEntry& take);

}  // namespace strongroom::audit
