#include "keytool/usage.h"

#include <vector>

#include "base/config.h"
#include "base/table.h"
#include "keytool/fields.h"
#include "keytool/money.h"
#include "keytool/output.h"
#include "sql/database.h"

namespace strongroom::keytool {
namespace {

// Cost is summed as whole millionths of a dollar: each row holds at most 6 decimals.
constexpr sql::Sql kUsage =
    "SELECT CUSTOMER, PROVIDER, MODEL, KEY_REF, COUNT(*), "
    "CAST(SUM(CASE WHEN STATUS = 'success' THEN 1 ELSE 0 END) AS BIGINT), "
    "CAST(COALESCE(SUM(TOKENS_IN), 0) AS BIGINT), CAST(COALESCE(SUM(TOKENS_OUT), 0) AS BIGINT), "
    "CAST(SUM(CAST(ROUND(COST_BASIS_USD * 1000000) AS BIGINT)) AS BIGINT) "
    "FROM USAGE_LOG WHERE (?1 = '' OR CUSTOMER = ?1) AND LOGGED_AT >= ?2 "
    "GROUP BY CUSTOMER, PROVIDER, MODEL, KEY_REF ORDER BY CUSTOMER, PROVIDER, MODEL, KEY_REF";

struct Line {
  std::string customer, provider, model, key_ref;
  std::int64_t requests = 0, successes = 0, tokens_in = 0, tokens_out = 0, cost_micro_usd = 0;
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
    line.requests = rows->Int64(4);
    line.successes = rows->Int64(5);
    line.tokens_in = rows->Int64(6);
    line.tokens_out = rows->Int64(7);
    line.cost_micro_usd = rows->Int64(8);
  }
}

Line Total(const std::vector<Line>& lines) {
  Line total;
  total.customer = "TOTAL";
  for (const Line& line : lines) {
    total.requests += line.requests;
    total.successes += line.successes;
    total.tokens_in += line.tokens_in;
    total.tokens_out += line.tokens_out;
    total.cost_micro_usd += line.cost_micro_usd;
  }
  return total;
}

void PrintJson(const std::vector<Line>& lines) {
  std::string list;
  for (const Line& line : lines) {
    JsonLine json;
    json.Text("customer", line.customer).OptionalText("provider", line.provider).OptionalText("model", line.model);
    json.OptionalText("key_ref", line.key_ref).Number("requests", line.requests).Number("successes", line.successes);
    json.Number("tokens_in", line.tokens_in).Number("tokens_out", line.tokens_out);
    list += (list.empty() ? "" : ",") + json.Raw("cost_usd", FormatUsd(line.cost_micro_usd)).Str();
  }
  Print("[" + list + "]\n");
}

void PrintTable(std::vector<Line> lines) {
  lines.push_back(Total(lines));
  std::vector<base::Row> rows;
  for (const Line& line : lines) {
    rows.push_back({line.customer, line.provider, line.model, line.key_ref, std::to_string(line.requests),
                    std::to_string(line.successes), std::to_string(line.tokens_in), std::to_string(line.tokens_out),
                    FormatUsd(line.cost_micro_usd)});
  }
  Print(base::FormatTable({{"CUSTOMER"}, {"PROVIDER"}, {"MODEL"}, {"KEY_REF"}, {"REQUESTS", true}, {"SUCCESSES", true},
                           {"TOKENS IN", true}, {"TOKENS OUT", true}, {"COST USD", true}},
                          rows));
}

}  // namespace

Outcome<std::unique_ptr<sql::Database>> OpenWorkDatabase(const Context& context) {
  const auto config = base::LoadConfig(context.home);
  if (!config) return Failed("NO_HOME", config.error().text);
  sql::OpenOptions options;
  options.access = sql::Access::kReadOnly;
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
