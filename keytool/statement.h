// statement: what a customer's calls came to, by month and model, from USAGE_LOG in the work database, read-only.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/usage.h"

namespace strongroom::keytool {

// StatementLine: `unpriced` counts calls that were answered and cost nothing: no rate was known for the model when they were made, or it was 0.
struct StatementLine {
  std::string month;  // "2026-11", UTC
  std::string provider, model;
  CallSums calls;
  std::int64_t unpriced = 0;
};

// ReadStatement is every month that has calls, the oldest first.
Outcome<std::vector<StatementLine>> ReadStatement(const Context& context, const std::string& customer);

// A line "TOTAL" ends the table and the CSV (RFC 4180); the JSON is {"lines":[…],"total":{…}}.
std::string StatementTable(const std::vector<StatementLine>& lines);
std::string StatementCsv(const std::vector<StatementLine>& lines);
std::string StatementJson(const std::vector<StatementLine>& lines);

}  // namespace strongroom::keytool
