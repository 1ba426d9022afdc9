#include "keytool/statement.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "keytool/output.h"
#include "sql/database.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMonthCharacters = 7;  // of 2026-11-20T08:00:00.000000Z

constexpr sql::Sql kMonth =
    "SELECT PROVIDER, MODEL, " SUMS_OF_CALLS ", CAST(SUM(CASE WHEN STATUS = 'success' AND COST_BASIS_USD = 0 THEN 1 ELSE 0 END) AS BIGINT) "
    "FROM USAGE_LOG WHERE CUSTOMER = ?1 AND LOGGED_AT >= ?2 AND LOGGED_AT < ?3 GROUP BY PROVIDER, MODEL ORDER BY PROVIDER, MODEL";
constexpr sql::Sql kNext = "SELECT LOGGED_AT FROM USAGE_LOG WHERE CUSTOMER = ?1 AND LOGGED_AT >= ?2 ORDER BY LOGGED_AT LIMIT 1";

struct Month {
  std::string name;
  base::Micros from = 0, to = 0;
};

// Months are the calendar's, in UTC, whatever the engine's own time zone.
Result<Month> MonthOf(base::Micros at) {
  Month month;
  month.name = base::FormatTime(at).substr(0, kMonthCharacters);
  TRY_ASSIGN(month.from, base::ParseTime(month.name + "-01"));
  // The 31 days behind the first end in the next month.
  const std::string next = base::FormatTime(month.from + 31 * base::kMicrosPerDay).substr(0, kMonthCharacters);
  TRY_ASSIGN(month.to, base::ParseTime(next + "-01"));
  return month;
}

Result<std::optional<base::Micros>> NextCall(sql::Database& database, const std::string& customer, base::Micros from) {
  TRY_ASSIGN(sql::Statement* const row, database.QueryOne(kNext, {std::string_view(customer), from}));
  if (row == nullptr) return std::nullopt;
  const base::Micros at = row->Int64(0);
  row->Reset();
  return at;
}

Result<void> ReadMonth(sql::Database& database, const std::string& customer, const Month& month, std::vector<StatementLine>& lines) {
  TRY_ASSIGN(sql::Statement* const rows, database.Query(kMonth, {std::string_view(customer), month.from, month.to}));
  for (;;) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return {};
    lines.push_back({month.name, rows->Text(0), rows->Text(1), CallSums::Read(*rows, 2), rows->Int64(7)});
  }
}

Result<std::vector<StatementLine>> ReadAll(sql::Database& database, const std::string& customer) {
  std::vector<StatementLine> lines;
  base::Micros from = 0;
  while (true) {
    TRY_ASSIGN(const std::optional<base::Micros> next, NextCall(database, customer, from));
    if (!next) return lines;
    TRY_ASSIGN(const Month month, MonthOf(*next));
    TRY(ReadMonth(database, customer, month, lines));
    from = month.to;
  }
}

StatementLine Total(const std::vector<StatementLine>& lines) {
  StatementLine total;
  total.month = "TOTAL";
  for (const StatementLine& line : lines) {
    total.calls += line.calls;
    total.unpriced += line.unpriced;
  }
  return total;
}

std::vector<base::Row> Rows(std::vector<StatementLine> lines) {
  lines.push_back(Total(lines));
  std::vector<base::Row> rows;
  for (const StatementLine& line : lines) {
    base::Row& row = rows.emplace_back(base::Row{line.month, line.provider, line.model});
    std::ranges::move(line.calls.Cells(), std::back_inserter(row));
    row.push_back(std::to_string(line.unpriced));
  }
  return rows;
}

std::vector<base::Column> Columns() {
  std::vector<base::Column> columns{{"MONTH"}, {"PROVIDER"}, {"MODEL"}};
  std::ranges::copy(CallColumns(), std::back_inserter(columns));
  columns.push_back({"UNPRICED", true});
  return columns;
}

void AddNumbers(JsonLine& json, const StatementLine& line) {
  line.calls.Into(json);
  json.Number("unpriced", line.unpriced);
}

}  // namespace

Outcome<std::vector<StatementLine>> ReadStatement(const Context& context, const std::string& customer) {
  TRY_ASSIGN(const auto database, OpenWorkDatabase(context));
  auto lines = ReadAll(*database, customer);
  if (!lines) return FailedBy(lines.error(), "USAGE_LOG cannot be read");
  return std::move(*lines);
}

std::string StatementTable(const std::vector<StatementLine>& lines) { return base::FormatTable(Columns(), Rows(lines)); }
std::string StatementCsv(const std::vector<StatementLine>& lines) { return base::FormatCsv(Columns(), Rows(lines)); }

std::string StatementJson(const std::vector<StatementLine>& lines) {
  std::string list;
  for (const StatementLine& line : lines) {
    JsonLine json;
    json.Text("month", line.month).Text("provider", line.provider).Text("model", line.model);
    AddNumbers(json, line);
    list += (list.empty() ? "" : ",") + json.Str();
  }
  JsonLine total;
  AddNumbers(total, Total(lines));
  return JsonLine().Raw("lines", "[" + list + "]").Raw("total", total.Str()).Str();
}

}  // namespace strongroom::keytool
