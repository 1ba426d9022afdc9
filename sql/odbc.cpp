#include "sql/odbc.h"

#include <sql.h>
#include <sqlext.h>
#include <strings.h>

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "sql/odbc_connection.h"

namespace strongroom::sql {
namespace {

constexpr long kLoginSeconds = 10;
// A process that is stopped inside a transaction must not keep its locks: the server ends its connection.
constexpr std::string_view kMostIdle = "SET idle_in_transaction_session_timeout = 2000";

struct Setting {
  std::string_view name;
  std::string_view value;
};

// What exactness depends on, with psqlodbc's reasons. The other protocols set a savepoint around every
// statement (7.4-2) or lose data after an error (7.4-1).
constexpr Setting kSettings[] = {
    {"Protocol", "7.4-0"},
    {"UseServerSidePrepare", "1"},
    {"UseDeclareFetch", "0"},
    {"ByteaAsLongVarBinary", "1"},
    {"TextAsLongVarchar", "1"},
    {"BoolsAsChar", "0"},
    {"LFConversion", "0"},  // else \n is read as \r\n
    // A server that vanished is noticed within half a minute, not in a quarter of an hour.
    {"pqopt", "{keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000}"},
};

// HasSetting looks for NAME= at the start of an attribute; semicolons inside braces part nothing.
bool HasSetting(std::string_view connection, std::string_view name) {
  std::size_t start = 0;
  bool braced = false;
  for (std::size_t at = 0; at <= connection.size(); ++at) {
    if (at < connection.size() && connection[at] == '{') braced = true;
    if (at < connection.size() && connection[at] == '}') braced = false;
    if (at < connection.size() && (braced || connection[at] != ';')) continue;
    const std::string_view attribute = connection.substr(start, at - start);
    const std::string_view key = attribute.substr(0, attribute.find('='));
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return true;
    start = at + 1;
  }
  return false;
}

std::string Complete(std::string connection) {
  if (!connection.empty() && connection.back() != ';') connection += ';';
  for (const Setting& setting : kSettings) {
    if (HasSetting(connection, setting.name)) continue;
    connection.append(setting.name).append("=").append(setting.value).append(";");
  }
  return connection;
}

SQLCHAR* Characters(const std::string& text) {
  // ODBC declares its input text writable; it does not write.
  return reinterpret_cast<SQLCHAR*>(const_cast<char*>(text.data()));
}

struct Diagnosis {
  std::string sqlstate;
  std::string message;
};

Diagnosis Diagnose(SQLSMALLINT type, SQLHANDLE handle) {
  SQLCHAR state[6] = {};
  SQLCHAR message[1024] = {};
  SQLINTEGER native = 0;
  SQLSMALLINT length = 0;
  const SQLRETURN code = SQLGetDiagRec(type, handle, 1, state, &native, message, sizeof message, &length);
  if (!SQL_SUCCEEDED(code)) return {"HY000", ""};
  return {reinterpret_cast<const char*>(state), reinterpret_cast<const char*>(message)};
}

}  // namespace

OdbcDatabase::OdbcDatabase(std::string connection, const OpenOptions& options)
    : connection_string_(Complete(std::move(connection))), options_(options) {}

Result<void> OdbcDatabase::Connect() {
  auto result = AllocateAndConnect();
  if (result) result = SetUp();
  if (!result) Close();
  return result;
}

Result<void> OdbcDatabase::SetUp() {
  const std::int64_t busy = std::clamp<std::int64_t>(options_.busy_ms, 1, INT32_MAX);
  TRY(Command("SET lock_timeout = " + std::to_string(busy)));
  TRY(Command(std::string(kMostIdle)));
  if (options_.access == Access::kReadOnly) TRY(Command("SET default_transaction_read_only = on"));
  if (options_.durable) TRY(CheckDurable());
  if (options_.node.empty()) return {};
  if (!std::ranges::all_of(options_.node, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); })) {
    return Fail(Code::kInvalidArgument, "a node's id is of hexadecimal digits");
  }
  return Command("SET strongroom.node = '" + options_.node + "'");
}

Result<void> OdbcDatabase::CheckDurable() {
  TRY_ASSIGN(Statement * row, QueryOne("SELECT CASE WHEN current_setting('fsync') = 'on' AND "
                                       "current_setting('full_page_writes') = 'on' AND "
                                       "current_setting('synchronous_commit') <> 'off' THEN 1 ELSE 0 END"));
  const bool durable = row != nullptr && row->Int64(0) == 1;
  if (row != nullptr) row->Reset();
  if (durable) return {};
  return Fail(Code::kRefused, "the server may lose commits in a crash: set fsync, full_page_writes and synchronous_commit to on");
}

Result<void> OdbcDatabase::AllocateAndConnect() {
  const bool made = SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment_)) &&
                    SQL_SUCCEEDED(SQLSetEnvAttr(environment_, SQL_ATTR_ODBC_VERSION,
                                                reinterpret_cast<SQLPOINTER>(SQL_OV_ODBC3), 0)) &&
                    SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, environment_, &connection_));
  if (!made) return Fail(Code::kUnavailable, "no memory for the database driver");
  SQLSetConnectAttr(connection_, SQL_ATTR_LOGIN_TIMEOUT, reinterpret_cast<SQLPOINTER>(kLoginSeconds), 0);
  const SQLRETURN code = SQLDriverConnect(connection_, nullptr, Characters(connection_string_),
                                          static_cast<SQLSMALLINT>(connection_string_.size()), nullptr, 0,
                                          nullptr, SQL_DRIVER_NOPROMPT);
  if (!SQL_SUCCEEDED(code)) {
    const Diagnosis diagnosis = Diagnose(SQL_HANDLE_DBC, connection_);
    const Error error = SqlstateError(diagnosis.sqlstate);
    // The driver has one SQLSTATE for all of it; why a server refused (user, database, starting up) is in its
    // words.
    if (diagnosis.message.find("FATAL:") != std::string::npos) {
      LogError("sql_connect_refused", error, {{"reason", diagnosis.message}});
    }
    SQLFreeHandle(SQL_HANDLE_DBC, connection_);
    connection_ = nullptr;
    return Fail(error);
  }
  if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection_, &command_))) {
    return Fail(Code::kUnavailable, "no memory for the database driver");
  }
  return {};
}

void OdbcDatabase::Close() {
  for (auto& [text, statement] : statements_) statement->Finalize();
  if (command_ != nullptr) SQLFreeHandle(SQL_HANDLE_STMT, command_);
  if (connection_ != nullptr) {
    SQLDisconnect(connection_);
    SQLFreeHandle(SQL_HANDLE_DBC, connection_);
  }
  if (environment_ != nullptr) SQLFreeHandle(SQL_HANDLE_ENV, environment_);
  command_ = connection_ = environment_ = nullptr;
  lost_ = in_transaction_ = false;
  failure_.reset();
}

Result<void> OdbcDatabase::Reconnect() {
  Close();
  return Connect();
}

bool OdbcDatabase::IsDead() const {
  SQLUINTEGER dead = SQL_CD_FALSE;
  SQLGetConnectAttr(connection_, SQL_ATTR_CONNECTION_DEAD, &dead, sizeof dead, nullptr);
  return dead == SQL_CD_TRUE;
}

Error OdbcDatabase::Failed(void* statement, std::string_view text) {
  const Diagnosis diagnosis = Diagnose(SQL_HANDLE_STMT, statement);
  Error error = SqlstateError(diagnosis.sqlstate);
  const bool server_left = diagnosis.sqlstate.starts_with("57P0") || diagnosis.sqlstate.starts_with("08") ||
                           diagnosis.sqlstate == "25P03";
  if (server_left || IsDead()) {
    lost_ = true;
    error = Error(Code::kUnavailable, "the connection to the database is lost");
  } else if (diagnosis.sqlstate.starts_with("42") && error.code() == Code::kInternal) {
    // Class 42 speaks of our own text only, so no user's value can stand in the message.
    LogError("sql_statement_wrong", error, {{"sql", text}, {"reason", diagnosis.message}});
  }
  if (in_transaction_ && !failure_) failure_ = error;
  return error;
}

Result<void> OdbcDatabase::CheckUsable() const {
  if (connection_ == nullptr || lost_)
    return Fail(Code::kUnavailable, "the connection to the database is lost");
  if (failure_) return Fail(Code::kConflict, "the transaction has failed: roll it back");
  return {};
}

Result<void> OdbcDatabase::Command(const std::string& text) {
  const SQLRETURN code = SQLExecDirect(command_, Characters(text), static_cast<SQLINTEGER>(text.size()));
  Result<void> result;
  if (!SQL_SUCCEEDED(code) && code != SQL_NO_DATA) result = Fail(Failed(command_, text));
  SQLFreeStmt(command_, SQL_CLOSE);
  return result;
}

Result<Statement*> OdbcDatabase::Prepare(Sql text) {
  TRY(CheckUsable());
  auto found = statements_.find(text.view());
  if (found == statements_.end()) {
    found = statements_.emplace(text.view(), std::make_unique<OdbcStatement>(*this, text.view())).first;
  }
  TRY(found->second->PrepareOnce());
  return found->second.get();
}

Result<void> OdbcDatabase::Begin() {
  if (in_transaction_) return Fail(Code::kInternal, "transactions do not nest");
  TRY(CheckUsable());
  // Autocommit stays on and the driver's own transactions are left alone.
  TRY(Command("BEGIN"));
  in_transaction_ = true;
  return {};
}

Result<void> OdbcDatabase::Commit() {
  if (!in_transaction_) return Fail(Code::kInternal, "there is no transaction to commit");
  // The server answers COMMIT of a failed transaction with a rollback, and the driver calls that a success.
  if (failure_) return Fail(*failure_);
  TRY(CheckUsable());
  TRY(Command("COMMIT"));
  in_transaction_ = false;
  return {};
}

Result<void> OdbcDatabase::Rollback() {
  if (!in_transaction_) return {};
  in_transaction_ = false;
  failure_.reset();
  // The server rolls back itself when it loses a connection.
  if (lost_ || connection_ == nullptr) return {};
  return Command("ROLLBACK");
}

Result<void> OdbcDatabase::RunScript(std::string_view script) {
  for (const std::string& statement : SplitScript(script)) {
    TRY(CheckUsable());
    TRY(Command(statement));
  }
  return {};
}

bool OdbcHoldsPassword(std::string_view connection) {
  std::string lower(connection);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // The last is a word of libpq's own, inside pqopt={…}.
  return HasSetting(lower, "pwd") || HasSetting(lower, "password") || lower.find("password=") != std::string::npos;
}

Result<std::unique_ptr<Database>> OpenOdbc(const std::string& connection, const OpenOptions& options) {
  if (connection.size() > 4096 || connection.find('\0') != std::string::npos) {
    return Fail(Code::kInvalidArgument, "the database URL is too long or not text");
  }
  auto database = std::make_unique<OdbcDatabase>(connection, options);
  TRY(database->Connect());
  return database;
}

}  // namespace strongroom::sql
