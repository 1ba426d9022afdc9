#include "sql/dialect.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace strongroom::sql {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsWord(char c) {
  return IsDigit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::size_t EndAfter(std::string_view text, std::string_view closing, std::size_t from) {
  const std::size_t found = text.find(closing, from);
  return found == std::string_view::npos ? text.size() : found + closing.size();
}

bool IsComment(std::string_view text, std::size_t at) {
  const std::string_view two = text.substr(at, 2);
  return two == "--" || two == "/*";
}

// DollarQuoteEnd is the end of PostgreSQL's $tag$ … $tag$, or `at` where none begins there.
std::size_t DollarQuoteEnd(std::string_view text, std::size_t at) {
  if (at > 0 && IsWord(text[at - 1])) return at;
  std::size_t end = at + 1;
  while (end < text.size() && IsWord(text[end])) ++end;
  const bool is_parameter = end > at + 1 && IsDigit(text[at + 1]);
  if (end == text.size() || text[end] != '$' || is_parameter) return at;
  return EndAfter(text, text.substr(at, end + 1 - at), end + 1);
}

// OpaqueEnd is the end of the quoted text or comment that begins at `at`, or `at` where none begins there. A
// doubled quote reads as two neighbours, which comes to the same.
std::size_t OpaqueEnd(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (c == '\'' || c == '"') return EndAfter(text, text.substr(at, 1), at + 1);
  if (c == '$') return DollarQuoteEnd(text, at);
  if (!IsComment(text, at)) return at;
  return c == '-' ? EndAfter(text, "\n", at) : EndAfter(text, "*/", at + 2);
}

struct SqliteRow {
  int native;
  Code code;
  base::Literal text;
};

// Extended codes stand before the primary code they belong to (its low byte).
constexpr SqliteRow kSqlite[] = {
    {517, Code::kConflict, "another connection wrote after this one began to read"},  // SQLITE_BUSY_SNAPSHOT
    {2067, Code::kAlreadyExists, "such a row is there already (unique)"},       // SQLITE_CONSTRAINT_UNIQUE
    {1555, Code::kAlreadyExists, "such a row is there already (primary key)"},  // …_PRIMARYKEY
    {2579, Code::kAlreadyExists, "such a row is there already (row id)"},       // …_ROWID
    {787, Code::kRefused, "a foreign key forbids it"},                          // …_FOREIGNKEY
    {1299, Code::kRefused, "a column that must have a value has none"},         // …_NOTNULL
    {275, Code::kRefused, "a check constraint forbids it"},                     // …_CHECK
    {4874, Code::kUnavailable,
     "the database's shared memory file cannot grow: is the disk full?"},              // IOERR_SHMSIZE
    {3, Code::kPermissionDenied, "no permission to the database file"},                // SQLITE_PERM
    {5, Code::kUnavailable, "the database is busy: somebody else is writing"},         // SQLITE_BUSY
    {6, Code::kUnavailable, "the database is busy: a table is locked"},                // SQLITE_LOCKED
    {7, Code::kUnavailable, "no memory for the database"},                             // SQLITE_NOMEM
    {8, Code::kPermissionDenied, "the database is read-only here"},                    // SQLITE_READONLY
    {9, Code::kUnavailable, "the statement was interrupted"},                          // SQLITE_INTERRUPT
    {10, Code::kUnavailable, "I/O error on the database file"},                        // SQLITE_IOERR
    {11, Code::kCorrupt, "the database file is damaged"},                              // SQLITE_CORRUPT
    {13, Code::kUnavailable, "the disk is full: the database cannot grow"},            // SQLITE_FULL
    {14, Code::kUnavailable, "the database file cannot be opened"},                    // SQLITE_CANTOPEN
    {15, Code::kUnavailable, "the database is busy: its lock protocol failed"},        // SQLITE_PROTOCOL
    {18, Code::kInvalidArgument, "a text or blob is larger than the database takes"},  // SQLITE_TOOBIG
    {19, Code::kRefused, "a constraint forbids it"},                                   // SQLITE_CONSTRAINT
    {20, Code::kInvalidArgument, "a value is of the wrong type for its column"},       // SQLITE_MISMATCH
    {23, Code::kPermissionDenied, "the database forbids this statement"},              // SQLITE_AUTH
    {26, Code::kCorrupt, "the file is no database"},                                   // SQLITE_NOTADB
};

struct SqlstateRow {
  std::string_view prefix;
  Code code;
  base::Literal text;
};

// Five characters name a condition, two a class; a condition stands before its class.
constexpr SqlstateRow kSqlstates[] = {
    {"23505", Code::kAlreadyExists, "such a row is there already (unique)"},
    {"23503", Code::kRefused, "a foreign key forbids it"},
    {"23502", Code::kRefused, "a column that must have a value has none"},
    {"23514", Code::kRefused, "a check constraint forbids it"},
    {"23", Code::kRefused, "a constraint forbids it"},
    {"40P01", Code::kConflict, "deadlock with another transaction: run it again"},
    {"40", Code::kConflict, "another transaction got in between: run it again"},
    {"42P07", Code::kAlreadyExists, "such a table is there already"},
    {"42501", Code::kPermissionDenied, "this database user may not do that"},
    {"42", Code::kInternal, "the database does not understand the statement: our SQL is wrong"},
    {"25006", Code::kPermissionDenied, "the database is read-only here"},
    {"25P02", Code::kConflict, "the transaction has failed: roll it back"},
    {"22P05", Code::kInvalidArgument, "a text holds a character that the database cannot store"},
    {"22021", Code::kInvalidArgument, "a text is not UTF-8"},
    {"22", Code::kInvalidArgument, "a value does not fit its column"},
    {"28", Code::kPermissionDenied, "the database refuses this user or password"},
    {"3D000", Code::kNotFound, "there is no such database"},
    {"08", Code::kUnavailable, "no connection to the database"},
    {"53100", Code::kUnavailable, "the disk is full: the database cannot grow"},
    {"53300", Code::kUnavailable, "the database has no connection left"},
    {"53", Code::kUnavailable, "the database is out of resources"},
    {"55P03", Code::kUnavailable, "the database is busy: a lock was not to be had in time"},
    {"55", Code::kUnavailable, "the database is busy: something is in use"},
    {"57014", Code::kUnavailable, "the statement was cancelled"},
    {"57", Code::kUnavailable, "no connection to the database: the server is going down or starting"},
    {"58", Code::kUnavailable, "I/O error in the database"},
    {"HYT", Code::kUnavailable, "no answer from the database in time"},
    {"HY001", Code::kUnavailable, "no memory for the database"},
    {"IM002", Code::kUnavailable, "the ODBC driver named in the database URL is not installed"},
    {"01000", Code::kUnavailable, "the ODBC driver named in the database URL cannot be loaded"},
    {"XX001", Code::kCorrupt, "the database is damaged"},
    {"XX002", Code::kCorrupt, "an index of the database is damaged"},
};

}  // namespace

Result<Markers> RewriteMarkers(std::string_view text) {
  Markers markers;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t end = OpaqueEnd(text, at); end > at) {
      markers.text += IsComment(text, at) ? std::string_view(" ") : text.substr(at, end - at);
      at = end;
      continue;
    }
    markers.text += text[at];
    if (text[at++] != '?') continue;
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
    if (error != std::errc() || number == 0 || number > 9999) {
      return Fail(Code::kInternal, "a parameter in a statement has no number");
    }
    at = static_cast<std::size_t>(end - text.data());
    markers.order.push_back(number);
    markers.count = std::max(markers.count, number);
  }
  return markers;
}

std::vector<std::string> SplitScript(std::string_view script) {
  std::vector<std::string> statements;
  std::string statement;
  const auto finish = [&] {
    if (statement.find_first_not_of(" \t\r\n") != std::string::npos) statements.push_back(statement);
    statement.clear();
  };
  for (std::size_t at = 0; at < script.size();) {
    if (const std::size_t end = OpaqueEnd(script, at); end > at) {
      statement += IsComment(script, at) ? std::string_view(" ") : script.substr(at, end - at);
      at = end;
      continue;
    }
    const char c = script[at++];
    if (c == ';') {
      finish();
      continue;
    }
    statement += c;
  }
  finish();
  return statements;
}

Result<void> CheckParameters(std::span<const Parameter> parameters, std::size_t expected) {
  if (parameters.size() != expected) {
    return Fail(Code::kInternal, "a statement was given the wrong number of parameters; it has",
                static_cast<std::int64_t>(expected));
  }
  for (const Parameter& parameter : parameters) {
    const double* number = std::get_if<double>(&parameter);
    // SQLite would store NULL for it without a word.
    if (number != nullptr && std::isnan(*number))
      return Fail(Code::kInvalidArgument, "a number is not a number");
  }
  return {};
}

bool IsDiskFull(const Error& error) {
  constexpr std::int64_t kSqliteFull = 13, kSqlstateFull = 53100;
  return error.code() == Code::kUnavailable && (error.number() == kSqliteFull || error.number() == kSqlstateFull);
}

Error SqliteError(int native) {
  const auto with = [native](const SqliteRow& row) { return Error(row.code, row.text, native); };
  for (const SqliteRow& row : kSqlite) {
    if (row.native == native) return with(row);
  }
  for (const SqliteRow& row : kSqlite) {
    if (row.native == (native & 0xff)) return with(row);
  }
  return {Code::kInternal, "SQLite does not understand the statement: our SQL is wrong", native};
}

Error SqlstateError(std::string_view sqlstate) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(sqlstate.data(), sqlstate.data() + sqlstate.size(), number);
  const bool digits = error == std::errc() && end == sqlstate.data() + sqlstate.size();
  for (const SqlstateRow& row : kSqlstates) {
    if (!sqlstate.starts_with(row.prefix)) continue;
    return digits ? Error(row.code, row.text, number) : Error(row.code, row.text);
  }
  return digits ? Error(Code::kInternal, "the database driver failed", number)
                : Error(Code::kInternal, "the database driver failed");
}

Sql CountVersionTables(Engine engine) {
  if (engine == Engine::kSqlite) {
    return "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'SCHEMA_VERSION'";
  }
  return "SELECT CASE WHEN to_regclass('schema_version') IS NULL THEN 0 ELSE 1 END";
}

}  // namespace strongroom::sql
