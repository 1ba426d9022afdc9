// usage: what was called and what it cost, from USAGE_LOG in the work database, read-only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"
#include "sql/database.h"

namespace strongroom::keytool {

// OpenWorkDatabase opens the home's work database to be read.
Outcome<std::unique_ptr<sql::Database>> OpenWorkDatabase(const Context& context);

// ShowUsage is one row for each customer, provider, model and key, and a total. `since` is a time or how long ago.
Outcome<void> ShowUsage(const Context& context, const std::string& customer,
                        const std::optional<std::string>& since);

}  // namespace strongroom::keytool
