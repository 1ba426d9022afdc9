#include "keytool/usage.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/config.h"
#include "keytool/fields.h"
#include "keytool/money.h"
#include "sql/database.h"

namespace strongroom::keytool {
namespace {

constexpr sql::Sql kUsage =
    "SELECT CUSTOMER, PROVIDER, MODEL, KEY_REF, " SUMS_OF_CALLS " FROM USAGE_LOG WHERE (?1 = '' OR CUSTOMER = ?1) AND LOGGED_AT >= ?2 "
    "GROUP BY CUSTOMER, PROVIDER, MODEL, KEY_REF ORDER BY CUSTOMER, PROVIDER, MODEL, KEY_REF";

struct Line {
  std::string customer, provider, model, key_ref;
  CallSums calls;
};

Result<std::vector<Line>> Query(sql::Database& database, const std::string& customer, base::Micros since) {
  std::vector<Line> lines;
  TRY_ASSIGN(sql::Statement* const rows, database.Query(kUsage, {std::string_view(customer), since}));
  for (;;) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return lines;
    Line& line = lines.emplace_back();
    line.customer = rows->Text(0);
    line.provider = rows->Text(1);
    line.model = rows->Text(2);
    line.key_ref = rows->Text(3);
    line.calls = CallSums::Read(*rows, 4);
  }
}

Line Total(const std::vector<Line>& lines) {
  Line total;
  total.customer = "TOTAL";
  for (const Line& line : lines) total.calls += line.calls;
  return total;
}

void PrintJson(const std::vector<Line>& lines) {
  std::string list;
  for (const Line& line : lines) {
    JsonLine json;
    json.Text("customer", line.customer).OptionalText("provider", line.provider).OptionalText("model", line.model);
    json.OptionalText("key_ref", line.key_ref);
    line.calls.Into(json);
    list += (list.empty() ? "" : ",") + json.Str();
  }
  Print("[" + list + "]\n");
}

void PrintTable(std::vector<Line> lines) {
  lines.push_back(Total(lines));
  std::vector<base::Row> rows;
  for (const Line& line : lines) {
    base::Row& row = rows.emplace_back(base::Row{line.customer, line.provider, line.model, line.key_ref});
    std::ranges::move(line.calls.Cells(), std::back_inserter(row));
  }
  std::vector<base::Column> columns{{"CUSTOMER"}, {"PROVIDER"}, {"MODEL"}, {"KEY_REF"}};
  std::ranges::copy(CallColumns(), std::back_inserter(columns));
  Print(base::FormatTable(columns, rows));
}

}  // namespace

CallSums CallSums::Read(const sql::Statement& row, int column) {
  return {row.Int64(column), row.Int64(column + 1), row.Int64(column + 2), row.Int64(column + 3), row.Int64(column + 4)};
}

CallSums& CallSums::operator+=(const CallSums& more) {
  requests += more.requests;
  successes += more.successes;
  tokens_in += more.tokens_in;
  tokens_out += more.tokens_out;
  cost_micro_usd += more.cost_micro_usd;
  return *this;
}

std::vector<std::string> CallSums::Cells() const {
  return {std::to_string(requests), std::to_string(successes), std::to_string(tokens_in), std::to_string(tokens_out), FormatUsd(cost_micro_usd)};
}

void CallSums::Into(JsonLine& json) const {
  json.Number("requests", requests).Number("successes", successes).Number("tokens_in", tokens_in).Number("tokens_out", tokens_out);
  json.Raw("cost_usd", FormatUsd(cost_micro_usd));
}

const std::vector<base::Column>& CallColumns() {
  static const std::vector<base::Column> columns{{"REQUESTS", true}, {"SUCCESSES", true}, {"TOKENS IN", true}, {"TOKENS OUT", true}, {"COST USD", true}};
  return columns;
}

Outcome<std::unique_ptr<sql::Database>> OpenWorkDatabase(const Context& context, sql::Access access) {
  const auto config = base::LoadConfig(context.home);
  if (!config) return Failed("NO_HOME", config.error().text);
  sql::OpenOptions options;
  options.access = access;
  auto database = sql::Open(config->database, options);
  if (!database) return FailedBy(database.error(), "the work database cannot be opened");
  const auto schema = sql::CheckSchema(**database, sql::Schema::kWork);
  if (!schema) return FailedBy(schema.error(), "the work database");
  return std::move(*database);
}

Outcome<void> ShowUsage(const Context& context, const std::string& customer,
                        const std::optional<std::string>& since) {
  if (!customer.empty()) TRY(CheckCustomer(customer));
  base::Micros from = 0;
  if (since) {
    TRY_ASSIGN(from, ReadSince(*since));
  }
  TRY_ASSIGN(const auto database, OpenWorkDatabase(context));
  const auto lines = Query(*database, customer, from);
  if (!lines) return FailedBy(lines.error(), "USAGE_LOG cannot be read");
  if (context.json) {
    PrintJson(*lines);
  } else if (lines->empty()) {
    Print("no calls logged" + std::string(customer.empty() && !since ? " yet" : " that match") + "\n");
  } else {
    PrintTable(*lines);
  }
  return {};
}

}  // namespace strongroom::keytool
