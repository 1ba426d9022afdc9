#include "audit/logs.h"

#include <algorithm>
#include <filesystem>

#include "audit/prune.h"
#include "base/config.h"

namespace strongroom::audit {
namespace {

// FindUrl is the database named by --db, else the home's.
OrProblem<std::string> FindUrl(const Sources& sources) {
  const std::string& named = sources.database;
  if (named.starts_with("sqlite:") || named.starts_with("odbc:")) return named;
  if (!named.empty()) return "sqlite:" + std::filesystem::absolute(named).string();
  const auto config = base::LoadConfig(base::FindHome(sources.home));
  if (!config) return std::unexpected(config.error().text);
  return config->vault.database;
}

// OpenTrail opens it read-only; `node` is whose log is read.
OrProblem<std::unique_ptr<sql::Database>> OpenTrail(const std::string& url, const std::string& node) {
  sql::OpenOptions options;
  options.access = sql::Access::kReadOnly;
  options.node = node;
  auto database = sql::Open(url, options);
  if (!database) return std::unexpected("cannot open the trail: " + database.error().Message());
  const auto schema = sql::CheckSchema(**database, sql::Schema::kVault);
  if (!schema) return std::unexpected("this is no vault database: " + schema.error().Message());
  return std::move(*database);
}

}  // namespace

OrProblem<std::vector<Log>> OpenLogs(const Sources& sources) {
  const auto url = FindUrl(sources);
  if (!url) return std::unexpected(url.error());
  auto first = OpenTrail(*url, "");
  if (!first) return std::unexpected(first.error());
  const auto nodes = ListLogs(**first);
  if (!nodes) return std::unexpected("cannot read the trail: " + nodes.error().Message());
  std::vector<Log> logs;
  for (const std::string& node : *nodes) {
    if (!sources.node.empty() && sources.node != node) continue;
    auto database = OpenTrail(*url, node);
    if (!database) return std::unexpected(database.error());
    logs.push_back({node, std::move(*database)});
  }
  if (logs.empty()) return std::unexpected("there is no log of a node " + sources.node);
  return logs;
}

std::string ReadSpan(const std::optional<std::string>& since_text, const std::optional<std::string>& until_text,
                     std::optional<base::Micros>& since, std::optional<base::Micros>& until) {
  const base::Micros now = base::WallMicros();
  const auto read = [now](const std::optional<std::string>& text, std::optional<base::Micros>& when) {
    if (!text) return true;
    if (const auto time = base::ParseTime(*text)) {
      when = *time;
    } else if (const auto ago = base::ParseDuration(*text)) {
      when = now - *ago;
    }
    return when.has_value();
  };
  if (!read(since_text, since) || !read(until_text, until)) {
    return "--since and --until take 2026-11-20, 2026-11-20T08:00:00Z, or how long ago, such as 2h or 30d";
  }
  return since && until && *until < *since ? "--until is before --since" : "";
}

Result<std::vector<std::string>> PrunedNotes(const std::vector<Log>& logs, std::optional<base::Micros> since) {
  std::vector<std::string> notes;
  for (const Log& log : logs) {
    TRY_ASSIGN(const std::optional<Pruned> pruned, FindPruned(*log.database));
    if (!pruned) continue;
    TRY_ASSIGN(sql::Statement * row, log.database->QueryOne("SELECT AT FROM AUDIT_LOG WHERE SEQ = ?1", {pruned->first}));
    const std::optional<base::Micros> left = row == nullptr ? std::nullopt : row->OptionalInt64(0);
    if (row != nullptr) row->Reset();
    if (since && left && *since >= *left) continue;
    notes.push_back((log.node.empty() ? "" : "node " + log.node + ": ") + pruned->InWords() + ": what lies before " +
                    (left ? base::FormatTime(*left) : "seq " + std::to_string(pruned->first)) + " is not complete here");
  }
  return notes;
}

Result<std::int64_t> SearchAll(const std::vector<Log>& logs, const Filter& filter,
                               const std::function<void(const Entry&)>& each) {
  if (logs.size() == 1) return Search(*logs.front().database, filter, each);
  std::vector<Entry> entries;
  for (const Log& log : logs) {
    TRY(Search(*log.database, filter, [&entries](const Entry& entry) { entries.push_back(entry); }));
  }
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) { return entry.place.time; });
  const std::int64_t found = std::min(filter.limit, std::ssize(entries));
  for (std::int64_t i = 0; i < found; ++i) each(entries[static_cast<std::size_t>(i)]);
  return found;
}

}  // namespace strongroom::audit
