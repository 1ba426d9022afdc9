// usage: what was called and what it cost, from USAGE_LOG in the work database, read-only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/table.h"
#include "keytool/context.h"
#include "keytool/output.h"
#include "keytool/problem.h"
#include "sql/database.h"

namespace strongroom::keytool {

// CallSums is what some calls came to; cost is in millionths of a dollar.
struct CallSums {
  std::int64_t requests = 0, successes = 0, tokens_in = 0, tokens_out = 0, cost_micro_usd = 0;
  // Read takes the five from a row's columns, the first at `column`: of SUMS_OF_CALLS.
  static CallSums Read(const sql::Statement& row, int column);
  CallSums& operator+=(const CallSums& more);
  // Cells is the five for a table, under CallColumns; Into is the same for JSON.
  std::vector<std::string> Cells() const;
  void Into(JsonLine& json) const;
};
const std::vector<base::Column>& CallColumns();
// Cost is summed as whole millionths of a dollar: each row holds at most 6 decimals.
#define SUMS_OF_CALLS                                                                                            \
  "COUNT(*), CAST(SUM(CASE WHEN STATUS = 'success' THEN 1 ELSE 0 END) AS BIGINT), "                             \
  "CAST(COALESCE(SUM(TOKENS_IN), 0) AS BIGINT), CAST(COALESCE(SUM(TOKENS_OUT), 0) AS BIGINT), "                 \
  "CAST(SUM(CAST(ROUND(COST_BASIS_USD * 1000000) AS BIGINT)) AS BIGINT)"

// OpenWorkDatabase opens the home's work database, as a rule to be read.
Outcome<std::unique_ptr<sql::Database>> OpenWorkDatabase(const Context& context, sql::Access access = sql::Access::kReadOnly);

// ShowUsage is one row for each customer, provider, model and key, and a total. `since` is a time or how long ago.
Outcome<void> ShowUsage(const Context& context, const std::string& customer,
                        const std::optional<std::string>& since);

}  // namespace strongroom::keytool
