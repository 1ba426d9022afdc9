#include "keytool/rates.h"

#include <algorithm>
#include <tuple>

#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/money.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"

namespace strongroom::keytool {
namespace {

std::string RatesJson(const std::vector<vault::Rate>& rates) {
  std::string list;
  for (const vault::Rate& rate : rates) {
    JsonLine line;
    line.Text("model", rate.model).Text("provider", rate.provider);
    line.Raw("input_usd_per_mtok", FormatUsd(rate.input_micro_usd));
    line.Raw("output_usd_per_mtok", FormatUsd(rate.output_micro_usd));
    line.Text("effective_from", base::FormatTime(rate.effective_from));
    list += (list.empty() ? "" : ",") + line.Str();
  }
  return "[" + list + "]\n";
}

Outcome<std::vector<vault::Rate>> AllRates(const Session& session) {
  std::vector<vault::Rate> rates;
  for (bool more = true; more;) {
    vault::RatesRequest request;
    if (!rates.empty()) request = {rates.back().model, rates.back().provider};
    TRY_ASSIGN(const Bytes body, session.Ask(vault::Operation::kGetRates, request.Encode(), ""));
    const auto page = vault::RatesAnswer::Decode(body);
    if (!page) return Unreadable();
    rates.insert(rates.end(), page->rates.begin(), page->rates.end());
    more = page->more && !page->rates.empty();
  }
  return rates;
}

Outcome<std::int64_t> ReadPrice(std::string_view flag, const std::string& text) {
  const auto price = ParseUsd(text);
  if (!price) return Usage(std::string(flag) + ": " + price.error().Message());
  return *price;
}

}  // namespace

Outcome<void> ListRates(const Context& context) {
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(std::vector<vault::Rate> rates, AllRates(session));
  std::sort(rates.begin(), rates.end(), [](const vault::Rate& a, const vault::Rate& b) {
    return std::tie(a.provider, a.model) < std::tie(b.provider, b.model);
  });
  if (context.json) {
    Print(RatesJson(rates));
    return {};
  }
  if (rates.empty()) {
    Print("no rates: every call costs 0.00 and is counted as unpriced; `keytool rate set` adds one\n");
    return {};
  }
  std::vector<base::Row> rows;
  for (const vault::Rate& rate : rates) {
    rows.push_back({rate.provider, rate.model, FormatUsd(rate.input_micro_usd), FormatUsd(rate.output_micro_usd),
                    ShownTime(base::FormatTime(rate.effective_from))});
  }
  Print(base::FormatTable({{"PROVIDER"}, {"MODEL"}, {"INPUT USD/MTOK", true}, {"OUTPUT USD/MTOK", true}, {"SINCE"}}, rows));
  return {};
}

Outcome<void> SetRate(const Context& context, const RateOptions& options) {
  vault::SetRateRequest request;
  TRY(CheckText("MODEL", options.model, 80));
  TRY_ASSIGN(request.rate.input_micro_usd, ReadPrice("--input", options.input));
  TRY_ASSIGN(request.rate.output_micro_usd, ReadPrice("--output", options.output));
  request.rate.model = options.model;
  request.rate.provider = options.provider;
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(request.reason, AskReason(options.reason));
  auto done = session.Ask(vault::Operation::kSetRate, request.Encode(), options.model);
  if (!done) {
    if (options.provider.empty() && done.error().name == "FIELD_INVALID") {
      done.error().text = options.model + " is not on the rate card: say whose model it is with --provider";
    }
    return std::unexpected(done.error());
  }
  const std::string input = FormatUsd(request.rate.input_micro_usd), output = FormatUsd(request.rate.output_micro_usd);
  if (context.json) {
    JsonLine line;
    line.Text("model", options.model).OptionalText("provider", options.provider);
    Print(line.Raw("input_usd_per_mtok", input).Raw("output_usd_per_mtok", output).Str() + "\n");
  } else {
    Print(options.model + ": " + input + " USD in, " + output + " USD out per million tokens, from now on\n");
  }
  return {};
}

}  // namespace strongroom::keytool
