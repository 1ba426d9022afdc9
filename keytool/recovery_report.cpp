#include "keytool/recovery_report.h"

#include <algorithm>

#include "base/printable.h"
#include "base/table.h"
#include "keytool/document.h"
#include "keytool/output.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostShown = 10;

std::string Shown(base::Micros at) { return ShownTime(base::FormatTime(at)); }

std::string ShownOr(const std::optional<base::Micros>& at, const std::string& otherwise) { return at ? Shown(*at) : otherwise; }

std::string Length(base::Micros span) {
  const std::int64_t seconds = span / base::kMicrosPerSecond, minutes = seconds / 60, hours = minutes / 60;
  if (hours > 0) return std::to_string(hours) + " h " + std::to_string(minutes % 60) + " min";
  if (minutes > 0) return std::to_string(minutes) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds) + " s";
}

// Ids of requests that nobody here can send again: their messages are gone.
std::string OthersText(const std::vector<std::string>& ids) {
  std::string text = "  of these, sent by other programs than batch: " + std::to_string(ids.size()) +
                     "; their messages are not kept, and their ids are spent: send them again under new ones\n";
  for (std::size_t i = 0; i < ids.size() && i < kMostShown; ++i) text += "    " + base::Printable(ids[i]) + "\n";
  if (ids.size() > kMostShown) text += "    and " + std::to_string(ids.size() - kMostShown) + " more; --json lists all\n";
  return text;
}

}  // namespace

std::string ReportTitle(const std::string& customer, const std::string& key_ref) { return "recovery of " + customer + "'s key " + key_ref; }

std::string RecoveryReport::Text() const {
  const std::int64_t not_again = failed.CountLeft();
  std::vector<std::pair<std::string, std::string>> facts = {{"  stopped", Shown(row.stopped_at) + ", " + row.stopped_as},
                                                            {"  replaced", ShownOr(row.replaced_at, "not yet")}};
  if (!row.new_key_ref.empty()) facts.emplace_back("  key now", row.new_key_ref == row.key_ref ? row.key_ref + ", resumed" : row.new_key_ref);
  facts.emplace_back("  first call again", ShownOr(first_call, "none yet"));
  if (first_call) facts.emplace_back("  without service", Length(std::max<base::Micros>(*first_call - row.stopped_at, 0)));
  facts.emplace_back("  calls failed", std::to_string(row.calls_failed));
  facts.emplace_back("  sent again", std::to_string(row.calls_failed - not_again));
  facts.emplace_back("  not sent again", std::to_string(not_again));
  if (failed.refused_since > 0) facts.emplace_back("  refused since", std::to_string(failed.refused_since) + ", those sent again included");
  if (!suspended.empty()) facts.emplace_back("  still SUSPENDED", Joined(suspended));
  std::string text = ReportTitle(row.customer, row.key_ref) + "\n" + base::FormatFacts(facts);
  if (const auto others = failed.left.find(""); others != failed.left.end()) text += OthersText(others->second);
  return text;
}

std::string RecoveryReport::Json() const {
  std::string batches;
  for (const auto& [batch, ids] : failed.left) {
    if (batch.empty()) continue;
    batches += (batches.empty() ? "" : ",") + JsonLine().Text("batch_id", batch).Number("calls", std::ssize(ids)).Str();
  }
  const auto others = failed.left.find("");
  JsonLine line;
  line.Text("key_ref", row.key_ref).Text("customer", row.customer).Text("provider", row.provider).Text("step", StepOf(row));
  line.Text("stopped_as", row.stopped_as).Text("stopped_at", base::FormatTime(row.stopped_at)).OptionalText("new_key_ref", row.new_key_ref);
  line.OptionalText("replaced_at", row.replaced_at ? base::FormatTime(*row.replaced_at) : "");
  line.OptionalText("first_call_at", first_call ? base::FormatTime(*first_call) : "");
  line.Number("calls_failed", row.calls_failed).Number("calls_replayed", row.calls_failed - failed.CountLeft()).Number("calls_left", failed.CountLeft());
  line.Number("calls_refused_since", failed.refused_since).Raw("profiles_suspended", JsonList(suspended));
  line.Raw("batches_left", "[" + batches + "]").Raw("requests_left", JsonList(others == failed.left.end() ? std::vector<std::string>() : others->second));
  return line.Text("started_by", row.started_by).Text("started_at", base::FormatTime(row.started_at)).Str();
}

std::string StepOf(const RecoveryRow& row) {
  if (row.closed_at) return "closed";
  return row.replaced_at ? "replaced" : "waits for a new key";
}

}  // namespace strongroom::keytool
