// Dialect: whatever differs between the engines and is no driver call: parameter markers, scripts, error
// codes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sql/database.h"

namespace strongroom::sql {

// Markers is a statement for a driver that knows only bare `?`. order[i] is the number (from 1) of the
// parameter that the i-th marker stands for; count is the highest number.
struct Markers {
  std::string text;
  std::vector<std::size_t> order;
  std::size_t count = 0;
};

// RewriteMarkers turns ?1 ?2 … into bare markers, leaving quoted text and comments alone. kInternal on a bare
// `?`.
Result<Markers> RewriteMarkers(std::string_view text);

// SplitScript cuts a script at the semicolons that stand outside quotes, dollar quotes and comments. Comments
// are dropped, empty statements too.
std::vector<std::string> SplitScript(std::string_view script);

// CheckParameters is kInvalidArgument on a number that no engine stores (NaN), and kInternal where there are
// not `expected` parameters.
Result<void> CheckParameters(std::span<const Parameter> parameters, std::size_t expected);

// SqliteError is our error for one of SQLite's extended result codes (sqlite.org/rescode.html).
Error SqliteError(int native);

// SqlstateError is our error for an SQLSTATE (ISO 9075, PostgreSQL's appendix A). Its number is the SQLSTATE
// where that is made of digits.
Error SqlstateError(std::string_view sqlstate);

// CountVersionTables selects 1 where the connection sees a table SCHEMA_VERSION, else 0.
Sql CountVersionTables(Engine engine);

}  // namespace strongroom::sql
